"""Films made on the spot: frame `i` shows its own number, so that a test can tell which frames came out."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from vlmkit.media import VideoSpec

WIDTH_PX, HEIGHT_PX = 112, 84
BITS = 8
QUIET = {"libx265": {"x265-params": "log-level=none:keyint=10:bframes=2"}, "libsvtav1": {"preset": "12"}}
SPEC = VideoSpec(sampler="uniform", frames=8, min_pixels=28 * 28, max_pixels=WIDTH_PX * HEIGHT_PX)


def numbered(number: int) -> NDArray[np.uint8]:
    """RGB `[84, 112, 3]`: the bits of `number` as white stripes, lowest left; the lower half is grey."""
    frame = np.full((HEIGHT_PX, WIDTH_PX, 3), 128, dtype=np.uint8)
    stripe = WIDTH_PX // BITS
    for bit in range(BITS):
        frame[: HEIGHT_PX // 2, bit * stripe : (bit + 1) * stripe] = 235 if number >> bit & 1 else 16
    return frame


def number_of(frame: NDArray[np.uint8]) -> int:
    """Which `numbered` frame this is, after any codec and at any size."""
    height, width = frame.shape[:2]
    grey = frame[height // 8 : height * 3 // 8].mean(axis=(0, 2))
    return sum(1 << bit for bit in range(BITS) if grey[int((bit + 0.5) * width / BITS)] > 128)


def film(
    n: int = 50,
    *,
    codec: str = "libx264",
    container: str = "mp4",
    pixels: str = "yuv420p",
    rate: int = 25,
    gop: int = 10,
    ticks: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    movflags: str = "",
) -> bytes:
    """An encoded film of `n` numbered frames; `ticks` places them freely, in units of 1 / `rate` s."""
    file = io.BytesIO()
    with av.open(file, "w", format=container, options={"movflags": movflags} if movflags else {}) as output:
        stream = output.add_stream(codec, rate=rate)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, pixels
        stream.gop_size = gop
        usual = {"sc_threshold": "0", "bf": "2"} if codec == "libx264" else {}
        stream.options = dict(options or QUIET.get(codec, usual))
        stream.codec_context.time_base = Fraction(1, rate)
        for i in range(n):
            frame = av.VideoFrame.from_ndarray(numbered(i))
            frame.pts = i if ticks is None else ticks[i]
            frame.time_base = Fraction(1, rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def faststart(n: int = 50, gop: int = 10) -> bytes:
    """An mp4 whose index stands before its frames, so that a cut file can still be opened."""
    whole = film(n, gop=gop)
    moov, mdat = whole.find(b"moov") - 4, whole.find(b"mdat") - 4
    size = struct.unpack_from(">I", whole, moov)[0]
    head, index = bytearray(whole[:mdat]), bytearray(whole[moov : moov + size])
    at = index.find(b"stco")
    for entry in range(struct.unpack_from(">I", index, at + 8)[0]):
        place = at + 12 + 4 * entry
        struct.pack_into(">I", index, place, struct.unpack_from(">I", index, place)[0] + size)
    return bytes(head + index) + whole[mdat:moov]


def turned(content: bytes, matrix: tuple[float, float, float, float]) -> bytes:
    """The mp4 with the (a, b, c, d) of its display matrix replaced."""
    changed = bytearray(content)
    at = changed.find(b"tkhd") + 4 + 40  # version 0: flags, times, id, duration, layer, volume, then nine numbers
    for slot, value in zip((0, 1, 3, 4), matrix, strict=True):
        struct.pack_into(">i", changed, at + 4 * slot, round(value * 65536))
    return bytes(changed)


def lying_rate(content: bytes, nanoseconds: int) -> bytes:
    """The Matroska film with another DefaultDuration, which is where readers take the frame rate from."""
    changed = bytearray(content)
    at = changed.find(b"\x23\xe3\x83\x84")
    assert at > 0, "no four-byte DefaultDuration in this film"
    struct.pack_into(">I", changed, at + 4, nanoseconds)
    return bytes(changed)


def lying_duration(content: bytes, milliseconds: float) -> bytes:
    """The Matroska film with another Duration in its header."""
    changed = bytearray(content)
    at = changed.find(b"\x44\x89\x88")
    assert at > 0, "no eight-byte Duration in this film"
    struct.pack_into(">d", changed, at + 3, milliseconds)
    return bytes(changed)


def written(folder: Path, content: bytes, name: str = "film.mp4") -> Path:
    """`content` as a file."""
    path = folder / name
    path.write_bytes(content)
    return path
