"""Pictures and sound of a stream as they come, on one clock."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from vlmkit.errors import MediaError, MediaReason
from vlmkit.media.gaps import Continuity, Gap, Picture
from vlmkit.media.size import MAX_SOURCE_PIXELS
from vlmkit.media.sound import Block, Report, decoded
from vlmkit.media.stream import Source, Stream, is_live, open_stream, private, source_name
from vlmkit.media.tape import Tape, packet_s

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

__all__ = ["Gap", "Picture", "Tracks", "read_stream"]

_JUMP_S = 10.0  # a clock that jumps back so far has started again
_SLACK_S = 0.5  # a film may stop so long before its announced end without being called cut
_LATE = 3.0  # frames: a packet of a film of one rate that comes so much after the one before follows a loss
_REGULAR = 250  # packets after which a film counts as one of one rate, where the format does not say so
_UNPLACED = 500  # blocks of sound that wait for the first picture: some ten seconds


class Tracks(NamedTuple):
    """What a source has of what was asked for.

    `length_s` is how long it says that it is; None where it does not say.
    """

    video: bool
    audio: bool
    length_s: float | None = None


def read_stream(
    source: Source | bytes, report: Report, *, video: bool, audio: bool, from_s: float = 0.0
) -> Iterator[Tracks | Picture | Block | Gap]:
    """First which tracks there are, then pictures and sound as they come.

    The clock starts with the first picture: sound from before it has times below 0. It starts with the first sound
    where no pictures are read, or none comes for long (`_UNPLACED`). `report.damaged` is set
    when something did not decode and was left out. Raises `MediaError`: what opening raises; `no_stream`,
    `too_large`; `interrupted` (of a file: `truncated`) when it breaks off.

    Of a file pictures behind a broken place come from the next key frame on, after a `Gap` that says what is missing
    (see `gaps.Continuity`).

    Args:
        from_s: what comes before this time may be left out: a file is searched for it, and not decoded up to it.
    """
    name = source_name(source)
    with open_stream(source) as container:
        streams = _streams(container, name, video=video, audio=audio)
        told = _Reading(container, streams, source, report)
        kinds = {stream.type for stream in streams}
        tracks = Tracks("video" in kinds, "audio" in kinds, told.length_s)
        yield tracks
        clock = told.clock
        waiting: list[Block] = []
        for event in told.events():
            if clock.origin_s is None and isinstance(event, Block) and tracks.video and len(waiting) < _UNPLACED:
                waiting.append(event)
                continue
            if clock.origin_s is None:
                first = waiting[0] if waiting and isinstance(event, Block) else event
                clock.origin_s = first.time_s or 0.0
                yield from (clock.placed(block) for block in waiting)
                waiting.clear()
                told.search(from_s)
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

    def placed(self, event: Picture | Block | Gap) -> Picture | Block | Gap:
        """The event on the stream's clock."""
        origin_s = self.origin_s or 0.0
        if isinstance(event, Gap):
            return Gap(event.time_s - origin_s, event.end_s - origin_s)
        if event.time_s is None:
            return event
        return event._replace(time_s=event.time_s - origin_s)


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


class _Reading:
    """One pass through a container."""

    def __init__(
        self,
        container: InputContainer,
        streams: Sequence[AudioStream | VideoStream],
        source: Source | bytes,
        report: Report,
    ) -> None:
        self._streams, self._source, self._report = streams, source, report
        self._name = source_name(source)
        film = next((stream for stream in streams if stream.type == "video"), None)
        rate = film.average_rate if film is not None else None
        self._rate_hz = float(rate) if rate else None
        # A camera's faults pass; waiting for its next key frame could take long.
        self._whole = None if is_live(source) else Continuity(self._rate_hz)
        # Other formats lose packets with no trace but that the next one is late; MP4 lists all that there should be.
        kinds = set(container.format.name.split(","))
        self._losable = "mp4" not in kinds
        self._n_regular = _REGULAR if {"mpegts", "mpeg"} & kinds else 0
        self._latest: Packet[VideoStream] | None = None
        self._failed = False
        self.clock = _Clock(self._name, by_arrival=is_live(source))
        file = None if isinstance(source, int | Stream) else source
        self._tape = Tape(container, streams, reached_s=self._reached, moved=self._moved, file=file)

    @property
    def length_s(self) -> float | None:
        """How long the container says that it is."""
        return self._tape.length_s

    def search(self, from_s: float) -> None:
        """Go to `from_s` of the stream's clock, where that is possible."""
        origin_s = self.clock.origin_s or 0.0
        if from_s > 0 and self._whole is not None and self._tape.seek(origin_s + from_s):
            self._whole.moved(origin_s + from_s)

    def events(self) -> Iterator[Picture | Block | Gap]:
        """Pictures, sound and gaps, on the container's clock."""
        from av.error import FFmpegError

        reason: MediaReason = "interrupted" if isinstance(self._source, int | Stream) else "truncated"
        n_packets = dict.fromkeys((stream.index for stream in self._streams), 0)
        try:
            for packet in self._tape.packets():
                n_packets[packet.stream.index] += bool(packet.size)
                if not packet.size and packet.dts is not None:
                    continue  # only the last one may be empty: decoders take it for the end
                if packet.size:
                    self._report.cut = packet.is_corrupt  # inside a file it is a fault like others
                if packet.stream.type == "audio":
                    whole = packet if packet.size else None
                    yield from decoded(packet.stream.codec_context, whole, self._name, self._report)
                else:
                    yield from self._pictures(packet)
        except (FFmpegError, OSError, ValueError, RuntimeError) as error:
            text = "it broke off; what came before was used"
            raise MediaError(self._name, reason, text) from private(self._source, error)
        if self._whole is not None:
            # A cut end is said by the error below.
            yield from (one for one in self._whole.finish() if isinstance(one, Picture) or not self._report.cut)
        if self._report.cut or any(_stops_early(one, n_packets[one.index], self.clock) for one in self._streams):
            raise MediaError(self._name, reason, "it stops before its end; what came before was used")

    def _reached(self) -> float | None:
        return self._whole.end_s if self._whole is not None else None

    def _moved(self) -> None:
        if self._whole is not None:
            self._whole.broke()

    def _pictures(self, packet: Packet[VideoStream]) -> Iterator[Picture | Gap]:
        from av.error import EOFError, FFmpegError

        whole = self._whole
        if whole is not None and packet.is_corrupt:
            whole.broke(packet_s(packet))
        before_s = None if self._latest is None else packet_s(self._latest)
        if whole is not None and self._skips(packet):
            whole.broke(before_s)
        elif whole is not None and self._failed and packet.size:
            whole.broke(packet_s(packet))  # the fault may reach into it
        self._latest, self._failed = packet, False
        try:
            frames = packet.decode()
        except EOFError:
            return
        except (FFmpegError, ValueError, RuntimeError):
            self._failed = True
            self._fault(packet_s(packet), before_s)
            return
        for frame in frames:
            if frame.is_corrupt:
                self._fault(frame.time)
            elif whole is None:
                yield self.clock.picture(frame, self._rate_hz)
            else:
                yield from whole.see(self.clock.picture(frame, self._rate_hz))
                self._report.damaged |= whole.patched

    def _fault(self, time_s: float | None, before_s: float | None = None) -> None:
        """Something does not decode: of a file that is said as a gap, if any of it is missing."""
        if self._whole is None:
            self._report.damaged = True
        else:
            self._whole.broke(time_s, before_s)

    def _skips(self, packet: Packet[VideoStream]) -> bool:
        """Whether packets are missing between the latest one and this, of a film whose packets come at one rate."""
        before, now = None if self._latest is None else self._latest.dts, packet.dts
        if not self._losable or not self._rate_hz or before is None or now is None or not packet.time_base:
            return False
        late = float((now - before) * packet.time_base) > _LATE / self._rate_hz
        if late and self._n_regular < _REGULAR:
            self._n_regular = -(10**9)  # it is of varying rate
        self._n_regular += not late
        return late and self._n_regular >= _REGULAR


def _stops_early(stream: AudioStream | VideoStream, n_packets: int, clock: _Clock) -> bool:
    # The file's index lists more pictures than there are. Edit lists hide some, and shorten the duration with them.
    if stream.type != "video" or stream.frames <= n_packets or not stream.duration or not stream.time_base:
        return False
    return float(stream.duration * stream.time_base) > clock.shown_s + _SLACK_S
