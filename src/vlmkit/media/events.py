"""Pictures and sound of a stream as they come, on one clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, cast

from vlmkit.errors import MediaError, MediaReason
from vlmkit.media.size import MAX_SOURCE_PIXELS
from vlmkit.media.sound import Block, Report, decoded
from vlmkit.media.stream import Source, Stream, is_live, open_stream, private, source_name

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

_JUMP_S = 10.0  # a clock that jumps back so far has started again
_SLACK_S = 0.5  # a film may stop so long before its announced end without being called cut
_UNPLACED = 500  # blocks of sound that wait for the first picture: some ten seconds


class Tracks(NamedTuple):
    """What a source has of what was asked for."""

    video: bool
    audio: bool


class Picture(NamedTuple):
    """A frame, and when it is shown on the stream's clock."""

    time_s: float
    frame: VideoFrame


def read_stream(source: Source, report: Report, *, video: bool, audio: bool) -> Iterator[Tracks | Picture | Block]:
    """First which tracks there are, then pictures and sound as they come.

    The clock starts with the first picture: sound from before it has times below 0. It starts with the first sound
    where no pictures are read, or none comes for long (`_UNPLACED`). `report.damaged` is set
    when something did not decode and was left out. Raises `MediaError`: what opening raises; `no_stream`,
    `too_large`; `interrupted` (of a file: `truncated`) when it breaks off.
    """
    name = source_name(source)
    with open_stream(source) as container:
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
                first = waiting[0] if waiting and isinstance(event, Block) else event
                clock.origin_s = first.time_s or 0.0
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

    @property
    def shown_s(self) -> float:
        """When the latest picture is shown."""
        return self._latest_s - (self.origin_s or 0.0)

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

    reason: MediaReason = "interrupted" if isinstance(source, int | Stream) else "truncated"
    n_packets = dict.fromkeys((stream.index for stream in streams), 0)
    try:
        for packet in container.demux(*streams):
            n_packets[packet.stream.index] += bool(packet.size)
            report.cut |= packet.is_corrupt
            if not packet.size and packet.dts is not None:
                continue  # only the last one may be empty: decoders take it for the end
            if packet.stream.type == "audio":
                codec = cast("AudioCodecContext", packet.stream.codec_context)
                whole = cast("Packet[AudioStream]", packet) if packet.size else None
                yield from decoded(codec, whole, name, report)
            else:
                yield from _pictures(cast("Packet[VideoStream]", packet), clock, report)
    except (FFmpegError, OSError, ValueError, RuntimeError) as error:
        raise MediaError(name, reason, "it broke off; what came before was used") from private(source, error)
    if report.cut or any(_stops_early(stream, n_packets[stream.index], clock) for stream in streams):
        raise MediaError(name, reason, "it stops before its end; what came before was used")


def _stops_early(stream: AudioStream | VideoStream, n_packets: int, clock: _Clock) -> bool:
    # The file's index lists more pictures than there are. Edit lists hide some, and shorten the duration with them.
    if stream.type != "video" or stream.frames <= n_packets or not stream.duration or not stream.time_base:
        return False
    return float(stream.duration * stream.time_base) > clock.shown_s + _SLACK_S


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
