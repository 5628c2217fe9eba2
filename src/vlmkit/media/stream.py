"""Reading a source that may never end: a file, a camera, or an address that the caller opens on purpose."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import urlsplit

from vlmkit.errors import MediaError, MediaReason, VlmkitError
from vlmkit.media.container import FORMATS, GUESSED
from vlmkit.media.size import MAX_SOURCE_PIXELS
from vlmkit.media.sound import Block, Report, decoded
from vlmkit.media.source import check_source

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

_LIVE = {"rtsp": True, "rtsps": True, "rtmp": True, "rtmps": True, "udp": True, "rtp": True, "srt": True}
_SCHEMES = {**_LIVE, "http": False, "https": False}
"""What may be opened, and whether it goes on without waiting for its reader unless the caller says otherwise."""

# What an address may make FFmpeg open: other hosts (play lists and redirects do), never this machine's files.
_PROTOCOLS = "http,https,httpproxy,tls,tcp,udp,rtp,rtsp,srtp,rtmp,rtmps,srt,crypto"
_NETWORK_FORMATS = f"{FORMATS},{GUESSED},rtsp,rtp,sdp,hls,mpjpeg,live_flv"
_JUMP_S = 10.0  # a clock that jumps back so far has started again
_UNPLACED = 500  # blocks of sound that wait for the first picture: some ten seconds


@dataclass(frozen=True)
class Stream:
    """An address on the network, opened because the caller says so; everywhere else addresses are refused.

    A server may send its reader on to other addresses: open only those that you trust. Raises `VlmkitError` for a
    protocol that is not read.

    Args:
        address: `rtsp://…`, `http://…` and the like.
        live: whether it goes on without waiting: windows that come too fast are dropped, and counted. By default
            everything but `http`.
        timeout_s: how long to wait for an answer, or for the next packet.
    """

    address: str
    live: bool | None = None
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if (scheme := urlsplit(self.address).scheme) not in _SCHEMES:
            raise VlmkitError(f"Stream: {scheme or self.address!r} is not read; wanted one of {', '.join(_SCHEMES)}")

    @property
    def name(self) -> str:
        """How messages call it: without user, password and query, which may be secrets."""
        parts = urlsplit(self.address)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"

    @property
    def is_live(self) -> bool:
        """`live`, or what its protocol says."""
        return _SCHEMES[urlsplit(self.address).scheme] if self.live is None else self.live


Source = str | Path | int | Stream
"""A file, a camera by its number, or an address."""


class Tracks(NamedTuple):
    """What a source has of what was asked for."""

    video: bool
    audio: bool


class Picture(NamedTuple):
    """A frame, and when it is shown on the stream's clock."""

    time_s: float
    frame: VideoFrame


def source_name(source: Source) -> str:
    """How messages and samples call it."""
    if isinstance(source, Stream):
        return source.name
    return f"camera-{source}" if isinstance(source, int) else str(source)


def is_live(source: Source) -> bool:
    """Whether it goes on without waiting for its reader."""
    return isinstance(source, int) or (isinstance(source, Stream) and source.is_live)


def read_stream(source: Source, report: Report, *, video: bool, audio: bool) -> Iterator[Tracks | Picture | Block]:
    """First which tracks there are, then pictures and sound as they come.

    The clock starts with the first picture; with the first sound where no pictures are read. `report.damaged` is set
    when something did not decode and was left out. Raises `MediaError`: what opening raises; `no_stream`,
    `too_large`; `interrupted` (of a file: `truncated`) when it breaks off.
    """
    name = source_name(source)
    with _opened(source, name) as container:
        streams = _streams(container, name, video=video, audio=audio)
        tracks = Tracks(*(any(stream.type == kind for stream in streams) for kind in ("video", "audio")))
        yield tracks
        clock = _Clock(name, by_arrival=is_live(source))
        waiting: list[Block] = []
        for event in _events(container, streams, name, source, clock, report):
            if clock.origin_s is None and isinstance(event, Block) and tracks.video and len(waiting) < _UNPLACED:
                waiting.append(event)
                continue
            if clock.origin_s is None:
                clock.origin_s = event.time_s or 0.0
                yield from (clock.placed(block) for block in waiting)
                waiting.clear()
            yield clock.placed(event)
        if waiting:  # no picture came
            clock.origin_s = waiting[0].time_s
            yield from (clock.placed(block) for block in waiting)


class _Clock:
    """Container times to those of the stream; frames without any are counted, or timed as they arrive."""

    def __init__(self, name: str, *, by_arrival: bool) -> None:
        self._name = name
        self._by_arrival = by_arrival
        self._n = 0
        self._latest_s = -float("inf")
        self.origin_s: float | None = None

    def picture(self, frame: VideoFrame, rate_hz: float | None) -> Picture:
        """`frame` with its time. Raises `MediaError`: `corrupt`, `interrupted`."""
        if frame.pts is not None:
            time_s = frame.time
        elif self._by_arrival:
            time_s = time.monotonic()
        elif rate_hz:
            time_s = self._n / rate_hz
        else:
            raise MediaError(self._name, "corrupt", "its frames have no times and it names no frame rate")
        self._n += 1
        if time_s < self._latest_s - _JUMP_S:
            raise MediaError(self._name, "interrupted", "its clock jumped back: it was started again; open it again")
        self._latest_s = max(self._latest_s, time_s)
        return Picture(time_s, frame)

    def placed(self, event: Picture | Block) -> Picture | Block:
        """The event on the stream's clock."""
        if event.time_s is None:
            return event
        return event._replace(time_s=event.time_s - (self.origin_s or 0.0))


def _streams(container: InputContainer, name: str, *, video: bool, audio: bool) -> list[AudioStream | VideoStream]:
    from av.audio.stream import AudioStream
    from av.stream import Disposition
    from av.video.stream import VideoStream

    found: list[AudioStream | VideoStream] = []
    picture, sound = container.streams.best("video"), container.streams.best("audio")
    if (
        video
        and isinstance(picture, VideoStream)
        and picture.codec_context
        and not picture.disposition & Disposition.attached_pic
    ):
        if picture.codec_context.width * picture.codec_context.height > MAX_SOURCE_PIXELS:
            raise MediaError(name, "too_large", f"at most {MAX_SOURCE_PIXELS} pixels a frame are decoded")
        found.append(picture)
    if audio and isinstance(sound, AudioStream) and sound.codec_context:
        found.append(sound)
    if not found:
        wanted = " or ".join(kind for kind, asked in (("pictures", video), ("sound", audio)) if asked)
        raise MediaError(name, "no_stream", f"it holds no {wanted} that can be read")
    return found


def _events(
    container: InputContainer,
    streams: list[AudioStream | VideoStream],
    name: str,
    source: Source,
    clock: _Clock,
    report: Report,
) -> Iterator[Picture | Block]:
    from av.error import FFmpegError

    try:
        for packet in container.demux(*streams):
            if not packet.size and packet.dts is not None:
                continue  # only the last one may be empty: decoders take it for the end
            if packet.stream.type == "audio":
                codec = cast("AudioCodecContext", packet.stream.codec_context)
                whole = cast("Packet[AudioStream]", packet) if packet.size else None
                yield from decoded(codec, whole, name, report)
            else:
                yield from _pictures(cast("Packet[VideoStream]", packet), clock, report)
    except (FFmpegError, OSError, ValueError, RuntimeError) as error:
        reason: MediaReason = "interrupted" if isinstance(source, int | Stream) else "truncated"
        raise MediaError(name, reason, "it broke off; what came before was used") from error


def _pictures(packet: Packet[VideoStream], clock: _Clock, report: Report) -> Iterator[Picture]:
    from av.error import EOFError, FFmpegError

    try:
        frames = packet.decode()
    except EOFError:
        return
    except (FFmpegError, ValueError, RuntimeError):
        report.damaged = True
        return
    rate = packet.stream.average_rate
    for frame in frames:
        if frame.is_corrupt:
            report.damaged = True
        else:
            yield clock.picture(frame, float(rate) if rate else None)


@contextmanager
def _opened(source: Source, name: str) -> Iterator[InputContainer]:
    import av

    where, form, options, timeout_s = _place(source, name)
    try:
        container = av.open(where, format=form, options=options, timeout=timeout_s, metadata_errors="ignore")
    except av.error.InvalidDataError as error:
        raise MediaError(name, "not_media", "what is there is no film or sound in a format that we know") from error
    except (av.error.FFmpegError, OSError, ValueError, RuntimeError) as error:
        gone = isinstance(error, FileNotFoundError | av.error.HTTPNotFoundError)
        text = "there is nothing at this place" if gone else "it cannot be opened: nobody answers, or access is denied"
        raise MediaError(name, "missing" if gone else "unreadable", text) from error
    with container:
        yield container


def _place(source: Source, name: str) -> tuple[str, str | None, dict[str, str], float | None]:
    """What FFmpeg is told to open: place, format (None: recognised), options, timeout in seconds."""
    if isinstance(source, Stream):
        options = {"format_whitelist": _NETWORK_FORMATS, "protocol_whitelist": _PROTOCOLS}
        if source.address.startswith("rtsp"):
            options["rtsp_transport"] = "tcp"  # lost datagrams would be lost pictures
        return source.address, None, options, source.timeout_s
    if isinstance(source, int):
        return _camera(source, name)
    kind = check_source(source, name)
    formats = FORMATS if kind == "unknown" else f"{FORMATS},{GUESSED}"
    return f"file:{source}", None, {"format_whitelist": formats, "protocol_whitelist": "file"}, None


def _camera(number: int, name: str) -> tuple[str, str, dict[str, str], float]:
    if sys.platform == "darwin":
        return f"{number}:none", "avfoundation", {}, 10.0
    device = Path(f"/dev/video{number}")
    if not device.exists():
        raise MediaError(name, "missing", f"there is no {device}; cameras of this machine: {_cameras()}")
    return str(device), "v4l2", {}, 10.0


def _cameras() -> str:
    found = sorted(path.name.removeprefix("video") for path in Path("/dev").glob("video*"))
    return ", ".join(found) or "none"
