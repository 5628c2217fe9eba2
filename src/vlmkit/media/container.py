"""Opening a film with PyAV: one stream of it, every failure typed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vlmkit.errors import MediaError
from vlmkit.media.size import MAX_SOURCE_PIXELS
from vlmkit.media.source import Kind, check_source

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

# Demuxers that read the one file they are given. Play lists (hls, dash, concat) are left out: they open others,
# which would let a small text file reach the network. Sounds are in, to be refused by name.
_FORMATS = (
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,mxf,nut,dv,ivf,obu,h264,hevc,m4v,gif,rm,"
    "wav,mp3,aac,flac,aiff,ac3"
)


@dataclass(frozen=True)
class Header:
    """What the container claims, before any packet was read; `None` where it claims nothing."""

    duration_s: float | None
    """Of the video stream."""
    container_s: float | None
    """Of all streams together; `None` where others may rightly be longer than the video."""
    rate_hz: float | None
    n_frames: int | None
    tick_s: float


@contextmanager
def open_container(source: str | Path | bytes, name: str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its best video stream, as FFmpeg ranks them (`av_find_best_stream`).

    Raises `MediaError`: those of `check_source`, `not_media`, `truncated`, `corrupt`, `no_stream`, `too_large`.
    """
    import av
    from av.stream import Disposition
    from av.video.stream import VideoStream

    kind = check_source(source, name)
    # `file:` so that no name, however strange, is read as another protocol.
    file = io.BytesIO(source) if isinstance(source, bytes) else f"file:{source}"
    options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
    try:
        container = av.open(file, mode="r", options=options, metadata_errors="ignore")
    except (av.error.FFmpegError, OSError, ValueError, RuntimeError) as error:
        raise _unopened(source, name, kind) from error
    with container:
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


def read_header(container: InputContainer, stream: VideoStream) -> Header:
    """The claims of `container` about `stream`."""
    tick_s = float(stream.time_base) if stream.time_base else 0.0
    duration_s = stream.duration * tick_s if stream.duration and tick_s else None
    alone = sum(other.type in ("audio", "video") for other in container.streams) == 1
    container_s = None
    if container.duration and (alone or duration_s is None):
        container_s = container.duration / 1e6  # AV_TIME_BASE is a microsecond
    rate = stream.average_rate
    return Header(duration_s, container_s, float(rate) if rate else None, stream.frames or None, tick_s)


def _unopened(source: str | Path | bytes, name: str, kind: Kind) -> MediaError:
    if kind == "picture":
        return MediaError(name, "not_media", "it is a still picture; give it as an image")
    if kind != "film":
        return MediaError(name, "not_media", "it is no film in a format that we know")
    if _ends_early(source):
        return MediaError(name, "truncated", "it stops before its index (moov); copy or record it again")
    return MediaError(name, "corrupt", "it starts like a film and its structure cannot be read")


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
