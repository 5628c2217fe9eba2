"""Streams cut into windows: what each holds, when it is, and that nothing else is kept or opened."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.media.films import faststart, film, number_of, written
from tests.media.sounds import coded, noise, sounding_film, tone, wav
from tests.media.watched import BOTH, HEARD, SEEN, SPEC, clip, codes, film_of, sound, spans, windows
from vlmkit.errors import MediaError, VlmkitError
from vlmkit.media import ImageSpec, VideoSpec, events, open_audio, open_image, open_video
from vlmkit.media import stream as streams
from vlmkit.media.slicer import Plan
from vlmkit.media.stream import Stream
from vlmkit.media.watch import plan_watch, watch_samples
from vlmkit.types import Clip, Image


@pytest.mark.parametrize("container", ["matroska", "mov", "mpegts"])
@pytest.mark.parametrize(("window_s", "step_s"), [(2, 2), (2, 0.75), (0.6, 0.35), (0.5, 1.3)])
def test_a_window_holds_what_the_same_part_of_the_film_does(
    container: str, window_s: float, step_s: float, tmp_path: Path
) -> None:
    path = written(tmp_path, film_of(container))
    heard_as = replace(HEARD, rate_hz=48_000 if container == "mpegts" else 16_000)
    for window in windows(path, window_s, step_s):
        start_s, end_s = window[0].meta["start_s"], window[0].meta["end_s"]
        seen, expected = open_video(clip(window), SPEC), open_video(Clip(path, start_s, end_s), SPEC)
        np.testing.assert_array_equal(seen.images, expected.images)
        assert seen.times_s == pytest.approx(expected.times_s)
        assert seen.duration_s == pytest.approx(expected.duration_s, abs=0.041)
        if "audio" in window[0].media:
            heard, wanted = open_audio(sound(window), heard_as), open_audio(Clip(path, start_s, end_s), heard_as)
            assert heard.start_s == pytest.approx(wanted.start_s, abs=1e-6)
            np.testing.assert_array_equal(heard.samples, wanted.samples)


@pytest.mark.parametrize(
    ("window_s", "step_s", "expected"),
    [
        (2, None, [(0, 2), (2, 4), (4, 4.8)]),
        (2, 1, [(0, 2), (1, 3), (2, 4), (3, 4.8)]),  # and no fourth one of which 4 to 4.8 was seen already
        (2.4, None, [(0, 2.4), (2.4, 4.8)]),
        (1, 2, [(0, 1), (2, 3), (4, 4.8)]),
        (0.8, 2, [(0, 0.8), (2, 2.8), (4, 4.8)]),
        (20, None, [(0, 4.8)]),
        (4.75, 2.5, [(0, 4.75)]),  # what is left is less than a tenth of a second
    ],
)
def test_windows_follow_each_other(
    window_s: float, step_s: float | None, expected: list[tuple[float, float]], tmp_path: Path
) -> None:
    found = windows(written(tmp_path, film_of()), window_s, step_s)
    assert spans(found) == expected
    short = [window for window in found if "window_partial" in codes(window)]
    assert spans(short) == [span for span in spans(found) if span[1] - span[0] < window_s - 0.01]
    assert [sample.id for sample, _ in found] == [f"film@{start_s:.3f}" for start_s, _ in expected]


def test_only_so_many_windows_are_read(tmp_path: Path) -> None:
    assert spans(windows(written(tmp_path, film_of()), 1, max_windows=2)) == [(0, 1), (1, 2)]


def test_uniform_frames_are_those_of_the_film(tmp_path: Path) -> None:
    spec = VideoSpec(sampler="uniform", frames=5, min_pixels=1, max_pixels=112 * 84, multiple_px=1)
    path = written(tmp_path, film_of())
    for window in windows(path, 2, spec=spec):
        span = (window[0].meta["start_s"], window[0].meta["end_s"])
        seen, expected = open_video(clip(window), spec), open_video(Clip(path, *span), spec)
        assert len(seen.images) == 5
        off_s = np.abs(np.array(seen.times_s) - np.array(expected.times_s)).max()
        assert off_s < (0.2 if "window_partial" in codes(window) else 1e-6)


def test_no_more_frames_are_kept_than_a_window_needs(tmp_path: Path) -> None:
    path = written(tmp_path, film_of())
    for spec, most in (
        (SPEC, 2 * 5 + 1),
        (VideoSpec(sampler="fps", fps=25, max_frames=10), 11),
        (VideoSpec(sampler="uniform", frames=4), 8),
        (VideoSpec(sampler="entropy", frames=4, max_frames=12), 13),
    ):
        for window in windows(path, 2, spec=spec, modalities=SEEN):
            assert 4 <= len(clip(window).source) <= most  # type: ignore[arg-type]  # an array


def test_frames_are_scaled_at_once(tmp_path: Path) -> None:
    spec = VideoSpec(min_pixels=28 * 28, max_pixels=28 * 56, multiple_px=28)
    [window, *_] = windows(written(tmp_path, film_of()), 2, spec=spec)
    assert clip(window).source.shape[1:] == (28, 28, 3)  # type: ignore[union-attr]  # an array


def test_times_are_those_of_the_frames_and_not_of_a_rate(tmp_path: Path) -> None:
    """A camera that paused from 1 s to 2.2 s."""
    path = written(tmp_path, film(100, ticks=[i if i < 25 else i + 30 for i in range(100)], container="matroska"))
    [window, *_] = windows(path, 4, modalities=SEEN)
    seen = open_video(clip(window), SPEC)
    assert seen.times_s == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 0.96, 2.2, 2.4, 2.6, 2.8, 3.0, 3.2, 3.4, 3.6, 3.8])
    assert [number_of(image) for image in seen.images] == [
        round(time_s * 25) if time_s < 1 else round(time_s * 25) - 30 for time_s in seen.times_s
    ]


def test_a_long_pause_makes_no_empty_windows(tmp_path: Path) -> None:
    ticks = [*range(50), *(10_000_000 + i for i in range(50))]
    found = windows(written(tmp_path, film(100, ticks=ticks, container="matroska")), 1, modalities=SEEN)
    assert spans(found) == [(0, 1), (1, 2), (400_000, 400_001), (400_001, 400_002)]


@pytest.mark.parametrize(("sound_s", "picture_s"), [(0.5, 0.0), (0.0, 0.48), (1.2, 1.0)])
def test_sound_keeps_its_place_beside_the_pictures(sound_s: float, picture_s: float, tmp_path: Path) -> None:
    samples = noise(4 * 16_000)
    path = written(tmp_path, sounding_film(100, samples=samples, sound_s=sound_s, picture_s=picture_s))
    for window in windows(path, 1.5):
        heard = sound(window)
        assert isinstance(heard.source, np.ndarray) and heard.rate_hz == 16_000
        # Where this sample of the window stands in what was recorded, by the clocks and by the sound itself.
        first = round((window[0].meta["start_s"] + heard.offset_s - (sound_s - picture_s)) * 16_000)
        n = heard.source.shape[1]
        nearest = min(
            float(np.abs(heard.source[0] - samples[0, at : at + n]).max())
            for at in range(max(0, first - 17), first + 18)  # Matroska counts in ms
            if samples.shape[1] >= at + n
        )
        assert nearest < 1e-4


def test_only_what_is_asked_for_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: Any) -> Iterator[Any]:
        raise AssertionError("not asked for")

    path = written(tmp_path, film_of())
    with monkeypatch.context() as patch:
        patch.setattr(events, "decoded", refused)
        for sample, notes in windows(path, 2, modalities=SEEN):
            assert set(sample.media) == {"video"}
            assert {note.code for note in notes} <= {"window_partial"}
    with monkeypatch.context() as patch:
        patch.setattr(events._Reading, "_pictures", refused)
        found = windows(path, 2, modalities=frozenset({"audio"}))
    assert [set(sample.media) for sample, _ in found] == [{"audio"}] * 3


def test_a_missing_track_is_said_and_the_other_one_used(tmp_path: Path) -> None:
    for source, missing, code in (
        (film(60), "audio", "no_sound_track"),
        (wav(noise(40_000)), "video", "no_pictures"),
    ):
        found = windows(written(tmp_path, source, f"no_{missing}"), 1)
        assert len(found) == 3
        for window in found:
            assert missing not in window[0].media
            assert [note.where for note in window[1] if note.code == code] == [missing]
    with pytest.raises(MediaError) as caught:
        windows(written(tmp_path, film(10)), 1, modalities=frozenset({"audio"}))
    assert caught.value.reason == "no_stream"


def test_a_sound_that_ends_early_does_not_hold_up_the_pictures(tmp_path: Path) -> None:
    found = windows(written(tmp_path, sounding_film(200, samples=noise(16_000))), 1)
    assert [set(sample.media) for sample, _ in found] == [{"video", "audio"}] + [{"video"}] * 7


def test_sound_is_kept_as_recorded(tmp_path: Path) -> None:
    """So that clipping, a low rate and many channels are noticed where sound is opened, as in a file."""
    loud = np.clip(tone(300, 16_000, 8_000, level=1.3), -1, 1)
    for window in windows(written(tmp_path, wav(np.tile(loud, (2, 1)), 8_000)), 1, modalities=frozenset({"audio"})):
        noted = {note.code for note in open_audio(sound(window), HEARD).notes}
        assert noted == {"clipped", "band_limited"}
    many = np.concatenate([tone(200 * (i + 1), 48_000, 48_000) for i in range(6)])
    [window] = windows(
        written(tmp_path, coded(many, 48_000, "flac", "flac", "5.1")), 1, modalities=frozenset({"audio"})
    )
    assert sound(window).source.shape == (1, 48_000)  # type: ignore[union-attr]  # an array


def test_the_middle_frame_stands_for_a_window_where_no_film_is_read(tmp_path: Path) -> None:
    plan = plan_watch({"image", "text"}, [{"image": ImageSpec().to_json()}], window_s=1)
    found = list(watch_samples(written(tmp_path, film_of()), plan, text="which one?"))
    for sample, _ in found[:-1]:
        picture = sample.media["image"]
        assert isinstance(picture, Image) and sample.text == "which one?"
        number = number_of(open_image(picture, ImageSpec()).image)
        assert number == pytest.approx((sample.meta["start_s"] + 0.5) * 25, abs=2)


def test_a_plan_follows_the_encoders() -> None:
    audio: Sequence[Any] = [{"audio": {"sound": HEARD.to_json()}}]
    plan = plan_watch({"video", "audio", "image", "text"}, [*audio, {"video": {"film": SPEC.to_json()}}], window_s=4)
    assert (plan.modalities, plan.video, plan.step_s) == (BOTH, SPEC, 4)
    assert plan_watch({"video"}, [{"video": SPEC.to_json()}], window_s=4, step_s=1).video == SPEC
    assert plan_watch({"video", "image"}, [{}], window_s=4).modalities == SEEN
    assert plan_watch({"video", "audio"}, [], window_s=4, modalities=["audio"]).modalities == {"audio"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window_s": 0}, "window_s=0"),
        ({"window_s": float("inf")}, "window_s=inf"),
        ({"window_s": True}, "window_s=True"),
        ({"window_s": 1, "step_s": -1}, "step_s=-1"),
        ({"window_s": 1, "modalities": ["audio"]}, "does not read audio"),
        ({"window_s": 1, "modalities": ["text"]}, "has no text"),
        ({"window_s": 1, "modalities": []}, "no modality"),
    ],
)
def test_plans_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(VlmkitError, match=message):
        plan_watch({"video", "text"}, [], **options)


def test_memory_does_not_grow_with_the_stream(tmp_path: Path) -> None:
    def peak(n_s: int) -> int:
        path = written(tmp_path, sounding_film(25 * n_s, samples=noise(16_000 * n_s)), f"{n_s}.mkv")
        tracemalloc.start()
        try:
            plan = Plan(1, 0.5, BOTH, SPEC)
            assert sum(1 for _ in watch_samples(path, plan)) == 2 * n_s - 1
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(2)  # what a first call loads
    short, long = peak(3), peak(30)
    assert long < 1.2 * short
    assert long < 3e6


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/film.mp4", "rtsp://camera/1", "file:///film.mp4"])
def test_an_address_is_opened_only_when_it_is_called_one(address: str) -> None:
    with pytest.raises(MediaError) as caught:
        windows(address, 1)
    assert caught.value.reason == "not_media"


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd",
        "concat:a|b",
        "film.mp4",
        "pipe:0",
        "data:;base64,AA==",
        "http://[::1",
        "http://host:port/",
        5,
    ],
)
def test_what_is_no_network_address_is_no_stream(address: Any) -> None:
    with pytest.raises(VlmkitError, match="wanted one"):
        Stream(address)


def test_places_that_are_refused(tmp_path: Path) -> None:
    for source, reason in (
        (tmp_path / "none.mp4", "missing"),
        (tmp_path, "unreadable"),
        (written(tmp_path, b"no film at all\n" * 100), "not_media"),
        (written(tmp_path, b"", "empty"), "empty"),
        (written(tmp_path, film(0), "no_frame"), "empty"),
        (99, "missing"),
        (film(5), "not_media"),  # bytes
        (Clip("film.mp4"), "not_media"),
        (True, "not_media"),
    ):
        with pytest.raises(MediaError) as caught:
            windows(source, 1)  # type: ignore[arg-type]  # what a caller may pass by mistake
        assert caught.value.reason == reason
        assert "Errno" not in str(caught.value)


def test_a_camera_is_opened_by_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is none on this machine: a film in its place, read as a live source."""
    path = written(tmp_path, film_of())
    monkeypatch.setattr(streams, "_camera", lambda number, name: (str(path), None, {}, 10.0))
    found = windows(3, 2, modalities=SEEN)
    assert found[-1][0].id == "camera-3@4.000"
    assert "window_partial" in codes(found[-1])


def test_a_cut_film_gives_its_windows_and_then_says_so(tmp_path: Path) -> None:
    whole = faststart(150)
    path, found = written(tmp_path, whole[: len(whole) * 6 // 10]), []
    with pytest.raises(MediaError) as caught:
        for window in watch_samples(path, Plan(1, 1, SEEN, SPEC)):
            found.append(window)
    assert caught.value.reason == "truncated"
    assert [span[0] for span in spans(found)] == [0, 1, 2]
    assert "broke off" in next(note.message for note in found[-1][1] if note.code == "window_partial")
