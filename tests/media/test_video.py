"""Films that are sound: the right frames at the right times, whatever holds them."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from tests.media.films import SPEC, film, lying_duration, lying_rate, number_of, numbered, turned, written
from vlmkit.errors import MediaError
from vlmkit.media import Frames, VideoSpec, entropy_curve, length_s, open_video
from vlmkit.media.film import FileFilm
from vlmkit.media.pixels import Scaler
from vlmkit.types import Clip

FPS = replace(SPEC, sampler="fps", fps=5.0)
CODECS = {
    "h264": {},
    "h264, 10 bits": {"pixels": "yuv420p10le"},
    "hevc": {"codec": "libx265"},
    "hevc, 10 bits": {"codec": "libx265", "pixels": "yuv420p10le"},
    "av1": {"codec": "libsvtav1", "container": "matroska"},
    "av1, 10 bits": {"codec": "libsvtav1", "pixels": "yuv420p10le"},
    "open groups": {"options": {"x264-params": "open-gop=1:keyint=10:bframes=3"}},
    "transport stream": {"container": "mpegts"},
    "avi without times of its own": {"codec": "mpeg4", "container": "avi", "options": {"bf": "2"}},
    "no key frames after the first": {"gop": 600},
    "no container": {"container": "h264"},
}


def numbers(frames: Frames) -> list[int]:
    return [number_of(image) for image in frames.images]


def codes(frames: Frames) -> list[str]:
    return [note.code for note in frames.notes]


@pytest.fixture
def n_decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by the number of each frame that any decoder gives."""
    seen: list[int] = []
    original = FileFilm._decoded

    def counted(self: FileFilm, *args: Any) -> Iterator[av.VideoFrame]:
        for frame in original(self, *args):
            seen.append(frame.pts or 0)
            yield frame

    monkeypatch.setattr(FileFilm, "_decoded", counted)
    return seen


@pytest.mark.parametrize("name", CODECS)
def test_every_codec_gives_the_planned_frames(name: str) -> None:
    frames = open_video(Clip(film(50, **CODECS[name])), SPEC)  # type: ignore[arg-type]  # one dict of many kinds
    assert numbers(frames) == [0, 7, 14, 21, 28, 35, 42, 49]
    assert frames.times_s == pytest.approx([i / 25 for i in (0, 7, 14, 21, 28, 35, 42, 49)])
    assert (frames.duration_s, frames.source_fps, frames.n_source) == pytest.approx((2.0, 25.0, 50))
    assert codes(frames) == (["no_times"] if name == "no container" else [])


@pytest.mark.parametrize("spec", [SPEC, FPS, replace(SPEC, sampler="entropy")])
def test_path_bytes_and_array_agree(tmp_path: Path, spec: VideoSpec) -> None:
    content = film(50)
    from_bytes = open_video(Clip(content), spec)
    from_path = open_video(Clip(written(tmp_path, content, "odd:name.mp4")), spec)
    np.testing.assert_array_equal(from_bytes.images, from_path.images)
    pixels = np.stack([numbered(i) for i in range(50)])
    from_array = open_video(Clip(pixels, fps=25), spec)
    assert from_array.images.shape[1:] == from_bytes.images.shape[1:]
    if spec.sampler != "entropy":  # a codec's faults have an entropy of their own
        assert numbers(from_array) == numbers(from_bytes)
        assert from_array.times_s == pytest.approx(from_bytes.times_s)
        np.testing.assert_array_equal(from_array.images, pixels[numbers(from_array)])


def test_fps_sampler_and_its_cap() -> None:
    frames = open_video(Clip(film(50)), FPS)
    assert numbers(frames) == [0, 5, 10, 15, 20, 25, 30, 35, 40, 45]
    capped = open_video(Clip(film(50)), replace(FPS, max_frames=4, frames=4))
    assert numbers(capped) == [0, 15, 30, 45]
    assert codes(capped) == ["frames_capped"]


def test_entropy_finds_where_the_picture_changes() -> None:
    still, rng = np.full((40, 84, 112, 3), 90, dtype=np.uint8), np.random.default_rng(0)
    still[13:] = rng.integers(0, 255, still.shape[1:], dtype=np.uint8)  # one cut to another picture
    still[29:] = rng.integers(0, 255, still.shape[1:], dtype=np.uint8)
    clip = Clip(still, fps=25)
    frames = open_video(clip, replace(SPEC, sampler="entropy", frames=4))
    assert frames.times_s == pytest.approx([0, 13 / 25, 29 / 25, 39 / 25])
    times_s, bits = entropy_curve(clip, SPEC)
    assert np.flatnonzero(np.array(bits) > 1).tolist() == [13, 29]
    assert len(times_s) == 40


def test_variable_rate_is_taken_from_the_frames() -> None:
    ticks = [0, 1, 2, 3, 4, 50, 51, 52, 53, 100]
    frames = open_video(Clip(film(10, ticks=ticks, container="matroska")), replace(FPS, fps=1.0))
    assert numbers(frames) == [0, 4, 5, 8, 9]  # what is nearest to 0, 1, 2, 3 and 4 s
    assert frames.times_s == pytest.approx([0, 0.16, 2.0, 2.12, 4.0])
    assert frames.source_fps == pytest.approx(9 / 4)


def test_lying_rate_is_told_and_not_believed() -> None:
    honest = film(50, container="matroska")
    frames = open_video(Clip(lying_rate(honest, nanoseconds=10_000_000)), SPEC)
    assert codes(frames) == ["header_lies"]
    assert "100.000 frames a second, there are 25.000" in frames.notes[0].message
    assert frames.source_fps == pytest.approx(25)
    np.testing.assert_array_equal(frames.images, open_video(Clip(honest), SPEC).images)


def test_lying_duration_is_told_and_not_believed() -> None:
    frames = open_video(Clip(lying_duration(film(50, container="matroska"), milliseconds=99_000)), SPEC)
    assert codes(frames) == ["header_lies"]
    assert frames.duration_s == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("matrix", "quarter_turns", "mirror"),
    [((0, 1, -1, 0), -1, False), ((-1, 0, 0, -1), 2, False), ((0, -1, 1, 0), 1, False), ((-1, 0, 0, 1), 0, True)],
)
def test_rotation_is_applied(matrix: tuple[float, float, float, float], quarter_turns: int, mirror: bool) -> None:
    plain = film(10)
    flat = open_video(Clip(plain), SPEC)
    frames = open_video(Clip(turned(plain, matrix)), SPEC)
    expected = np.rot90(flat.images, quarter_turns, axes=(1, 2))
    np.testing.assert_array_equal(frames.images, expected[:, :, ::-1] if mirror else expected)
    assert frames.size_px == ((84, 112) if quarter_turns % 2 else (112, 84))
    assert codes(frames) == []


def test_a_slanted_rotation_is_told() -> None:
    frames = open_video(Clip(turned(film(10), (0.7, 0.7, -0.7, 0.7))), SPEC)
    assert codes(frames) == ["rotation_ignored"]
    assert frames.size_px == (112, 84)


@pytest.mark.parametrize("sampler", ["fps", "uniform", "entropy"])
def test_a_film_of_one_frame_is_a_film(sampler: str) -> None:
    frames = open_video(Clip(film(1)), VideoSpec.from_json({**SPEC.to_json(), "sampler": sampler}))
    assert frames.images.shape == (1, 84, 112, 3)
    assert frames.times_s == (0.0,)
    assert (frames.n_source, frames.source_fps, frames.duration_s) == pytest.approx((1, 25, 0.04))


def test_window_is_half_open_and_times_start_at_its_start() -> None:
    frames = open_video(Clip(film(50), start_s=0.4, end_s=0.8), replace(SPEC, frames=64))
    assert numbers(frames) == list(range(10, 20))
    assert frames.times_s == pytest.approx([i / 25 for i in range(10)])
    assert frames.duration_s == pytest.approx(0.4)
    beyond = open_video(Clip(film(50), start_s=1.8, end_s=9.0), SPEC)
    assert numbers(beyond) == [45, 46, 47, 48, 49]
    assert codes(beyond) == ["window_clipped"]


def test_a_longer_film_is_cut_to_its_head_and_that_is_told() -> None:
    frames = open_video(Clip(film(50)), replace(SPEC, frames=64, max_s=1.0, over="head"))
    assert numbers(frames) == list(range(25))
    assert frames.duration_s == pytest.approx(1.0)
    assert codes(frames) == ["clip_cut"]
    assert codes(open_video(Clip(film(25)), replace(SPEC, max_s=1.0))) == []


def test_frames_are_scaled_to_the_spec() -> None:
    spec = replace(SPEC, min_pixels=56 * 56, max_pixels=56 * 56)
    frames = open_video(Clip(film(10)), spec)
    assert frames.images.shape == (8, 56, 56, 3)
    assert frames.size_px == (112, 84)


def test_colours_come_back() -> None:
    """Full chroma interpolation: without it swscale ends about one level too dark."""
    ramp = np.broadcast_to(np.linspace(20, 230, 112).astype(np.uint8)[None, :, None], (84, 112, 3))
    source = av.VideoFrame.from_ndarray(np.ascontiguousarray(ramp)).reformat(format="yuv420p")
    error = Scaler("ramp", SPEC)(source).astype(int) - ramp
    assert abs(float(error.mean())) < 0.6


def test_only_the_runs_that_are_needed_are_decoded(n_decoded: list[int]) -> None:
    content = film(250, gop=10, options={"bf": "0", "sc_threshold": "0", "keyint_min": "10"})
    frames = open_video(Clip(content), replace(SPEC, frames=3))
    assert numbers(frames) == [number_of(numbered(i)) for i in (0, 124, 249)]
    assert len(n_decoded) < 40


def test_nothing_is_decoded_after_the_last_pick(n_decoded: list[int]) -> None:
    open_video(Clip(film(250, gop=600), end_s=1.0), SPEC)
    assert len(n_decoded) < 60
    n_decoded.clear()
    open_video(Clip(film(250, container="h264"), end_s=1.0), SPEC)  # no times: all are counted, once
    assert len(n_decoded) < 250 + 60


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])  # the second decodes from anywhere, to grey smears
def test_false_key_frames_are_noticed(codec: str) -> None:
    """Without its list of key frames every packet of an mp4 claims to be one."""
    content = film(50, gop=25, codec=codec)
    spec = replace(SPEC, frames=3)
    liar = open_video(Clip(content.replace(b"stss", b"free")), spec)
    assert numbers(liar) == [0, 24, 49]
    np.testing.assert_array_equal(liar.images, open_video(Clip(content), spec).images)


def test_memory_does_not_grow_with_the_film(tmp_path: Path) -> None:
    peaks = []
    for n in (60, 600):
        path = written(tmp_path, film(n, gop=10))
        open_video(Clip(path), SPEC)
        for sampler in ("uniform", "entropy"):
            tracemalloc.start()
            open_video(Clip(path), VideoSpec.from_json({**SPEC.to_json(), "sampler": sampler}))
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    frame_bytes = 84 * 112 * 3
    assert peaks[2] - peaks[0] < 5 * frame_bytes  # of 540 more frames
    assert peaks[3] - peaks[1] < 10 * frame_bytes


def test_the_best_stream_is_taken(tmp_path: Path) -> None:
    """As FFmpeg ranks them: here by bit rate, though it stands second."""
    path = tmp_path / "two.mp4"
    with av.open(path, "w") as output:
        streams = []
        for width_px, height_px in ((56, 56), (112, 84)):
            stream = output.add_stream("libx264", rate=25)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = width_px, height_px, "yuv420p"
            stream.disposition = Disposition.default  # a muxer gives it to the first alone
            streams.append(stream)
        for i in range(20):
            for stream in streams:
                noise = np.random.default_rng(i).integers(0, stream.width, (stream.height, stream.width, 3))
                output.mux(stream.encode(av.VideoFrame.from_ndarray(noise.astype(np.uint8))))
        for stream in streams:
            output.mux(stream.encode(None))
    assert open_video(Clip(path), SPEC).size_px == (112, 84)


def test_importing_media_loads_no_decoder() -> None:
    code = "import sys, vlmkit.media; print(sorted({'av', 'PIL', 'torch', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_films_length_is_told_without_decoding(tmp_path: Path) -> None:
    clip = Clip(np.zeros((10, 8, 8, 3), np.uint8), fps=4)
    assert length_s(clip) == pytest.approx(2.5) == open_video(clip, VideoSpec()).duration_s
    assert length_s(Clip(clip.source, 0.5, 1.25, fps=4)) == pytest.approx(0.75)
    with pytest.raises(MediaError, match="missing"):
        length_s(Clip(tmp_path / "gone.mp4"))
