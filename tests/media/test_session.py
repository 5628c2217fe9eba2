"""A long film in one pass: each window gives the very frames that its part of the film gives by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.media.films import film, lying_duration, number_of, written
from tests.media.sounds import noise, sounding_film
from tests.media.watched import BOTH, HEARD, SEEN
from vlmkit.errors import MediaError
from vlmkit.media import Frames, VideoSpec, open_audio, open_video
from vlmkit.media.session import Session, lasts_longer
from vlmkit.media.slicer import Plan, Slice
from vlmkit.types import Clip, Sound

SPEC = VideoSpec(fps=4.0, max_frames=120, min_pixels=1, max_pixels=56 * 42, multiple_px=1)
PLAN = Plan(3.0, 2.0, SEEN, SPEC, exact=True)


def same(found: Frames, expected: Frames) -> None:
    """Everything that a model is told of them."""
    np.testing.assert_array_equal(found.images, expected.images)
    assert found.times_s == pytest.approx(expected.times_s, abs=1e-9)
    assert found.duration_s == pytest.approx(expected.duration_s, abs=1e-6)
    assert found.source_fps == pytest.approx(expected.source_fps)
    assert found.n_source == expected.n_source
    of_the_film = {"header_lies"}  # said once a film, and of no window
    assert [note.code for note in found.notes] == [note.code for note in expected.notes if note.code not in of_the_film]


def seen(one: Slice, spec: VideoSpec = SPEC) -> Frames:
    clip = one.media["video"]
    assert isinstance(clip, Clip)
    return open_video(clip, spec)


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts"])
@pytest.mark.parametrize("rate", [25, 12, 5, 3])
def test_windows_give_the_frames_of_the_film(container: str, rate: int, tmp_path: Path) -> None:
    """Also of films that are hardly faster, or slower, than the model looks."""
    path = written(tmp_path, film(round(8.2 * rate), container=container, rate=rate, gop=50))
    found = list(Session(Clip(path), PLAN).slices())
    assert [one.start_s for one in found] == [0, 2, 4, 6]
    for one in found:
        same(seen(one), open_video(Clip(path, one.start_s, one.end_s), SPEC))


@pytest.mark.parametrize("spec", [replace(SPEC, max_frames=5), VideoSpec(sampler="uniform", frames=5)])
def test_other_samplers_and_caps(spec: VideoSpec, tmp_path: Path) -> None:
    path = written(tmp_path, film(200))
    for one in list(Session(Clip(path), replace(PLAN, video=spec)).slices())[:-1]:  # the last is cut short
        found, expected = seen(one, spec), open_video(Clip(path, one.start_s, one.end_s), spec)
        np.testing.assert_array_equal(found.images, expected.images)
        assert found.times_s == pytest.approx(expected.times_s)
        assert [note.code for note in found.notes] == [note.code for note in expected.notes]


def test_times_of_a_film_of_varying_rate(tmp_path: Path) -> None:
    ticks = [i if i < 40 else i + 30 for i in range(150)]  # stands still from 1.6 to 2.8 s
    path = written(tmp_path, film(150, ticks=ticks, container="matroska"))
    found = list(Session(Clip(path), PLAN).slices())
    assert [one.start_s for one in found] == [0, 2, 4, 6]
    for one in found:
        same(seen(one), open_video(Clip(path, one.start_s, one.end_s), SPEC))


@pytest.mark.parametrize(("start_s", "end_s"), [(3.5, 8.1), (3.5, None), (None, 6.0), (0.4, 5.4)])
def test_a_part_of_a_film_has_its_own_clock(start_s: float | None, end_s: float | None, tmp_path: Path) -> None:
    path = written(tmp_path, film(250, gop=25))
    found = list(Session(Clip(path, start_s, end_s), PLAN).slices())
    from_s = start_s or 0.0
    assert found[-1].end_s == pytest.approx((end_s or 10.0) - from_s)
    for one in found:
        part = open_video(Clip(path, from_s + one.start_s, from_s + one.end_s), SPEC)
        same(seen(one), part)
        assert number_of(seen(one).images[0]) == pytest.approx((from_s + one.start_s) * 25, abs=0.5)


def test_a_late_part_is_searched_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not decoded up to."""
    from vlmkit.media import cut

    path = written(tmp_path, film(2000, gop=50, options={"preset": "ultrafast"}))
    times: list[float] = []
    pending = cut.Pending.__init__

    def noted(self: cut.Pending, picture: object, scaler: object) -> None:
        pending(self, picture, scaler)  # type: ignore[arg-type]  # passed on as they are
        times.append(self.time_s)

    monkeypatch.setattr(cut.Pending, "__init__", noted)
    from vlmkit.media import events

    n, decode = 0, events._Reading._pictures

    def counted(self: object, packet: object) -> object:
        nonlocal n
        n += 1
        return decode(self, packet)  # type: ignore[arg-type]  # passed on as they are

    monkeypatch.setattr(events._Reading, "_pictures", counted)
    found = list(Session(Clip(path, 70.0), PLAN).slices())
    assert found[-1].end_s == pytest.approx(10.0)
    assert [times[0], times[-1]] == pytest.approx([0.0, 9.96])
    assert 250 <= n < 350


def test_sound_and_bytes_and_arrays(tmp_path: Path) -> None:
    content = sounding_film(200, samples=noise(8 * 16_000))
    path = written(tmp_path, content, "film.mkv")
    plan = replace(PLAN, modalities=BOTH)
    for source in (path, content):
        for one in Session(Clip(source, 1.0, 7.5), plan).slices():
            part = Clip(path, 1.0 + one.start_s, 1.0 + one.end_s)
            same(seen(one), open_video(part, SPEC))
            heard = one.media["audio"]
            assert isinstance(heard, Sound)
            np.testing.assert_array_equal(open_audio(heard, HEARD).samples, open_audio(part, HEARD).samples)
    frames = open_video(Clip(path), VideoSpec(fps=25, max_frames=1000, min_pixels=1)).images
    clip = Clip(frames, 1.0, 7.5, fps=25.0)
    for one in Session(clip, PLAN).slices():
        same(seen(one), open_video(replace(clip, start_s=1 + one.start_s, end_s=1 + one.end_s), SPEC))


def test_which_films_are_longer(tmp_path: Path) -> None:
    """Than three seconds: their last frame starts later."""
    path = written(tmp_path, film(100), "four.mp4")
    assert lasts_longer(Clip(path), 3.0)
    assert not lasts_longer(Clip(path), 4.0)
    assert lasts_longer(Clip(path, start_s=0.5), 3.0) and not lasts_longer(Clip(path, start_s=1.0), 3.0)
    assert not lasts_longer(Clip(path, end_s=3.0), 3.0) and lasts_longer(Clip(path, end_s=3.5), 3.0)
    assert not lasts_longer(Clip(film(76)), 3.0) and lasts_longer(Clip(film(77)), 3.0)
    array = np.zeros((13, 28, 28, 3), np.uint8)
    assert not lasts_longer(Clip(array, fps=4.0), 3.0) and lasts_longer(Clip(array, fps=3.9), 3.0)
    told_short = lying_duration(film(100, container="matroska"), 10.0)
    assert lasts_longer(Clip(told_short), 3.0)
    assert lasts_longer(Clip(lying_duration(film(50, container="matroska"), 9e6)), 3.0)  # it says so
    for unread in (Clip(tmp_path / "none.mp4"), Clip(b"no film"), Clip(array)):
        assert not lasts_longer(unread, 3.0)


def test_what_cannot_be_read_is_raised(tmp_path: Path) -> None:
    broken = bytearray(film(100))
    start, end = broken.find(b"mdat") + 4, broken.find(b"moov") - 4
    broken[start:end] = b"\xff" * (end - start)
    with pytest.raises(MediaError) as caught:
        list(Session(Clip(bytes(broken)), PLAN).slices())
    assert caught.value.reason == "corrupt"
    with pytest.raises(MediaError) as caught:
        list(Session(Clip(tmp_path / "none.mp4"), PLAN).slices())
    assert caught.value.reason == "missing"


def test_how_many_windows_there_will_be(tmp_path: Path) -> None:
    path = written(tmp_path, film(200))
    for clip, n in ((Clip(path), 4), (Clip(path, 1.0), 3), (Clip(path, 1.0, 6.1), 2)):
        session = Session(clip, PLAN)
        assert session.windows() is None
        assert len(list(session.slices())) == session.windows() == n
