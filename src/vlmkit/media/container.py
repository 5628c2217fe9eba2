"""Opening a film or a sound with PyAV: one stream of it, every failure typed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from vlmkit.errors import MediaError
from vlmkit.media.size import MAX_SOURCE_PIXELS
from vlmkit.media.source import Kind, check_source

if TYPE_CHECKING:
    from av import Packet
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

S = TypeVar("S", "AudioStream", "VideoStream")

# Demuxers that read the one file they are given. Play lists (hls, dash, concat) are left out: they open others,
# which would let a small text file reach the network. Sounds are in, to be refused by name where films are wanted.
FORMATS = (
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,mxf,nut,dv,ivf,obu,h264,hevc,m4v,gif,rm,"
    "wav,w64,flac,aiff,caf,amr"
)
# These recognise themselves by a few bits, and would play noise: only for files that begin as they should.
GUESSED = "mp3,aac,ac3,eac3"


@dataclass(frozen=True)
class Header:
    """What the container claims, before any packet was read; `None` where it claims nothing."""

    duration_s: float | None
    """Of the stream."""
    container_s: float | None
    """Of all streams together; `None` where others may rightly be longer than it."""
    rate_hz: float | None
    n_frames: int | None
    tick_s: float


class Cuttable(Protocol):
    """What remembers that a file ended inside a packet."""

    cut: bool


@contextmanager
def open_container(source: str | Path | bytes, name: str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its best video stream, as FFmpeg ranks them (`av_find_best_stream`).

    Raises `MediaError`: those of `check_source`, `not_media`, `truncated`, `corrupt`, `no_stream`, `too_large`.
    """
    from av.stream import Disposition
    from av.video.stream import VideoStream

    kind = check_source(source, name)
    with _opened(source, name, kind, f"{FORMATS},{GUESSED}", "film") as container:
        stream = container.streams.best("video")
        # The cover picture of a song is a video stream too, and no film.
        if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
            raise MediaError(name, "no_stream", "it holds no film; give a file with a video stream")
        if stream.codec_context is None:
            raise MediaError(name, "corrupt", "its video is of a codec that this build of FFmpeg does not decode")
        width_px, height_px = stream.codec_context.width, stream.codec_context.height
        if width_px * height_px > MAX_SOURCE_PIXELS:
            limit = f"at most {MAX_SOURCE_PIXELS} pixels a frame are decoded"
            raise MediaError(name, "too_large", f"its frames are {width_px}x{height_px}; {limit}")
        yield container, stream


@contextmanager
def open_sound(source: str | Path | bytes, name: str) -> Iterator[tuple[InputContainer, AudioStream]]:
    """The container and its best audio stream; a film's sound track is one.

    Raises `MediaError`: those of `check_source`, `not_media`, `truncated`, `corrupt`, `no_stream`.
    """
    from av.audio.stream import AudioStream

    kind = check_source(source, name)
    formats = FORMATS if kind == "unknown" else f"{FORMATS},{GUESSED}"
    with _opened(source, name, kind, formats, "sound") as container:
        stream = container.streams.best("audio")
        if not any(other.type == "audio" for other in container.streams):
            raise MediaError(name, "no_stream", "it has no sound track")
        if not isinstance(stream, AudioStream) or stream.codec_context is None:
            raise MediaError(name, "corrupt", "its sound is of a codec that this build of FFmpeg does not decode")
        yield container, stream


def read_packets(container: InputContainer, stream: S, report: Cuttable) -> Iterator[Packet[S]]:
    """Every packet of `stream` with something in it, undecoded, in the order of the file."""
    from av.error import FFmpegError
    from av.stream import Discard

    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    try:
        for packet in container.demux(stream):
            if packet.size:  # PyAV ends with an empty one, and decoders take any empty one for the end
                yield packet
    except (FFmpegError, ValueError, RuntimeError):
        report.cut = True


def read_header(container: InputContainer, stream: VideoStream) -> Header:
    """The claims of `container` about `stream`."""
    duration_s, container_s = claimed_s(container, stream)
    tick_s = float(stream.time_base) if stream.time_base else 0.0
    rate = stream.average_rate
    return Header(duration_s, container_s, float(rate) if rate else None, stream.frames or None, tick_s)


def claimed_s(container: InputContainer, stream: AudioStream | VideoStream) -> tuple[float | None, float | None]:
    """How long `stream` lasts, and how long all of the container; see `Header`."""
    tick_s = float(stream.time_base) if stream.time_base else 0.0
    duration_s = stream.duration * tick_s if stream.duration and tick_s else None
    alone = sum(other.type in ("audio", "video") for other in container.streams) == 1
    container_s = None
    if container.duration and (alone or duration_s is None):
        container_s = container.duration / 1e6  # AV_TIME_BASE is a microsecond
    return duration_s, container_s


@contextmanager
def _opened(source: str | Path | bytes, name: str, kind: Kind, formats: str, wanted: Kind) -> Iterator[InputContainer]:
    import av

    # `file:` so that no name, however strange, is read as another protocol.
    file = io.BytesIO(source) if isinstance(source, bytes) else f"file:{source}"
    options = {"format_whitelist": formats, "protocol_whitelist": "file"}
    try:
        container = av.open(file, mode="r", options=options, metadata_errors="ignore")
    except (av.error.FFmpegError, OSError, ValueError, RuntimeError) as error:
        raise _unopened(source, name, kind, wanted) from error
    with container:
        yield container


def _unopened(source: str | Path | bytes, name: str, kind: Kind, wanted: Kind) -> MediaError:
    if kind == "picture":
        return MediaError(name, "not_media", "it is a still picture; give it as an image")
    if kind not in ("film", wanted):
        return MediaError(name, "not_media", f"it is no {wanted} in a format that we know")
    if kind == "film" and _ends_early(source):
        return MediaError(name, "truncated", "it stops before its index (moov); copy or record it again")
    return MediaError(name, "corrupt", f"it starts like a {kind} and its structure cannot be read")


def _ends_early(source: str | Path | bytes) -> bool:
    # ISO base media: boxes of (size, type). One that reaches past the end, and no moov before it: cut short.
    with io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file:
        total = file.seek(0, io.SEEK_END)
        at = 0
        while at + 8 <= total:
            file.seek(at)
            size, box = int.from_bytes(file.read(4), "big"), file.read(4)
            if size == 1:
                size = int.from_bytes(file.read(8), "big")
            if not box.isalnum() or at + size > total:
                return box.isalnum()
            at = total if size == 0 else at + max(size, 8)
    return at > 0
