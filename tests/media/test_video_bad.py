"""Films that cannot be used, or only in part: each a typed reason, never a decoder's own exception."""

from __future__ import annotations

import io
import os
import random
import wave
from pathlib import Path

import numpy as np
import pytest

from tests.media.films import SPEC, faststart, film, number_of, written
from vlmkit.errors import MediaError, MediaReason
from vlmkit.media import Frames, VideoSpec, open_video
from vlmkit.types import Clip


def refusal(clip: Clip, spec: VideoSpec = SPEC) -> MediaError:
    with pytest.raises(MediaError) as caught:
        open_video(clip, spec)
    assert "Errno" not in str(caught.value)
    return caught.value


def sound() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as output:
        output.setnchannels(1)
        output.setsampwidth(2)
        output.setframerate(8000)
        output.writeframes(bytes(16000))
    return file.getvalue()


def no_frames() -> bytes:
    """An mp4 with a video track in its index, and no frame in the track."""
    return film(0)


PLAYLIST = b"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfilm.mp4\n#EXT-X-ENDLIST\n"
CONTENTS: dict[str, tuple[bytes, MediaReason]] = {
    "empty": (b"", "empty"),
    "text": (b"not a film\n" * 400, "not_media"),
    "noise": (random.Random(0).randbytes(50_000), "not_media"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), "not_media"),
    "a playlist that opens other files": (PLAYLIST, "not_media"),
    "a list for FFmpeg's concat": (b"ffconcat version 1.0\nfile film.mp4\n", "not_media"),
    "sound only": (sound(), "no_stream"),
    "cut before its index": (film(50)[:1500], "truncated"),
    "cut inside its first box": (film(50)[:20], "truncated"),
    "cut before its first frame": (faststart(50)[:2100], "truncated"),
    "a broken index": (film(50).replace(b"stbl", b"xxxx"), "corrupt"),
    "a broken head": (b"\x1aE\xdf\xa3" + bytes(200), "corrupt"),
    "no frame": (no_frames(), "empty"),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_contents_that_are_refused(name: str, tmp_path: Path) -> None:
    content, reason = CONTENTS[name]
    written(tmp_path, film(5))  # what a play list would reach for
    assert refusal(Clip(content)).reason == reason
    path = written(tmp_path, content, "given.mp4")
    error = refusal(Clip(path))
    assert (error.reason, error.source) == (reason, str(path))


def test_places_that_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.symlink("loop.mp4", tmp_path / "loop.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    assert refusal(Clip(tmp_path / "none.mp4")).reason == "missing"
    assert refusal(Clip("with\0nul.mp4")).reason == "missing"
    assert refusal(Clip("x" * 5000)).reason == "missing"
    assert "an empty folder" in refusal(Clip(tmp_path / "folder")).detail
    assert refusal(Clip(tmp_path)).reason == "unreadable"
    assert refusal(Clip(tmp_path / "loop.mp4")).reason == "unreadable"
    assert refusal(Clip(tmp_path / "pipe.mp4")).reason == "unreadable"
    assert refusal(Clip(5)).reason == "not_media"  # type: ignore[arg-type]  # what a caller may pass by mistake


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_unreadable(tmp_path: Path) -> None:
    path = written(tmp_path, film(5))
    path.chmod(0)
    assert refusal(Clip(path)).reason == "unreadable"


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/film.mp4", "rtsp://camera/1", "file:///film.mp4"])
def test_addresses_are_refused(address: str) -> None:
    error = refusal(Clip(address))
    assert error.reason == "not_media"
    assert "download it first" in error.detail


@pytest.mark.parametrize("protocol", ["concat:film.mp4|film.mp4", "subfile,,start,0,end,0,,:film.mp4", "pipe:0"])
def test_names_are_never_protocols(protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, film(5))
    monkeypatch.chdir(tmp_path)
    assert refusal(Clip(protocol)).reason == "missing"


def codes(frames: Frames) -> set[str]:
    return {note.code for note in frames.notes}


def test_a_film_cut_in_the_middle_gives_what_is_left() -> None:
    whole = faststart(50, gop=10)
    frames = open_video(Clip(whole[: len(whole) * 7 // 10]), SPEC)
    assert "truncated" in codes(frames)
    assert len(frames.images) == 8
    assert 0.3 < frames.duration_s < 1.9
    shown = [number_of(image) for image in frames.images]
    assert shown == pytest.approx([t * 25 for t in frames.times_s])


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_film_gives_what_decodes(seed: int) -> None:
    content = bytearray(film(50, gop=25, options={"bf": "2"}))
    start = content.find(b"mdat") + 1200
    draw = random.Random(seed)
    for _ in range(40):
        content[draw.randrange(start, content.find(b"moov") - 4)] = draw.randrange(256)
    frames = open_video(Clip(bytes(content)), SPEC)
    assert "damaged" in codes(frames)
    assert "frames_missing" not in codes(frames)
    assert len(frames.images) == 8  # planned again with what decodes
    assert list(frames.times_s) == sorted(set(frames.times_s))


def test_a_film_of_which_nothing_decodes_is_corrupt() -> None:
    content = bytearray(film(20))
    start, end = content.find(b"mdat") + 4, content.find(b"moov") - 4
    content[start:end] = b"\xff" * (end - start)
    assert refusal(Clip(bytes(content))).reason == "corrupt"
    assert refusal(Clip(bytes(content)), VideoSpec(sampler="entropy")).reason == "corrupt"


@pytest.mark.parametrize(
    ("start_s", "end_s", "reason"),
    [
        (2.0, None, "out_of_range"),
        (99.0, 100.0, "out_of_range"),
        (-1.0, None, "out_of_range"),
        (1.0, 1.0, "out_of_range"),
        (1.0, 0.5, "out_of_range"),
        (None, 0.0, "out_of_range"),
        (float("nan"), None, "out_of_range"),
        (None, float("inf"), "out_of_range"),
        (0.45, 0.46, "empty"),
    ],
)
def test_windows_that_are_refused(start_s: float | None, end_s: float | None, reason: MediaReason) -> None:
    assert refusal(Clip(film(50), start_s=start_s, end_s=end_s)).reason == reason


def test_a_longer_film_is_refused_unless_told_otherwise() -> None:
    error = refusal(Clip(film(50)), VideoSpec(max_s=1.0))
    assert error.reason == "too_large"
    assert "start_s and end_s" in error.detail


@pytest.mark.parametrize(
    ("frames", "rate_hz", "reason"),
    [
        (np.zeros((5, 84, 112, 3), np.uint8), None, "not_media"),
        (np.zeros((5, 84, 112, 3), np.uint8), 0.0, "not_media"),
        (np.zeros((5, 84, 112, 3), np.float32), 25.0, "not_media"),
        (np.zeros((84, 112, 3), np.uint8), 25.0, "not_media"),
        (np.zeros((0, 84, 112, 3), np.uint8), 25.0, "empty"),
        (np.zeros((1, 4, 4000, 3), np.uint8), 25.0, "too_large"),
    ],
)
def test_arrays_that_are_refused(frames: np.ndarray, rate_hz: float | None, reason: MediaReason) -> None:
    assert refusal(Clip(frames, fps=rate_hz)).reason == reason
