"""Broken places of a film: what is read behind them, which pictures there can be trusted, and what is missing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, cast

from vlmkit.times import hms
from vlmkit.types import Problem

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

_PAUSE_S = 2.0  # films of varying rate stand still so long and are whole
_SLOWER = 10.0  # or so many times as long as their frames are apart
_BLIND_S = 20.0  # after so long without a key frame, films that have none are believed again
_LEAST = 0.5  # frames; what is shorter is rounding
_SLACK_S = 1.0  # a film may end so long before its announced end
_PEEKED = 500  # packets that are looked at for the first picture behind a fault


class Picture(NamedTuple):
    """A frame, and when it is shown on the stream's clock."""

    time_s: float
    frame: VideoFrame

    @property
    def lasts_s(self) -> float:
        """How long the file says that it is shown; 0 where it does not say."""
        frame = self.frame
        return float(frame.duration * frame.time_base) if frame.duration and frame.time_base else 0.0


class Gap(NamedTuple):
    """From `time_s` up to `end_s` there is no picture that can be trusted."""

    time_s: float
    end_s: float

    def problem(self, shift_s: float = 0.0) -> Problem:
        """It in words, on a clock that is `shift_s` ahead."""
        start_s, end_s = self.time_s + shift_s, self.end_s + shift_s
        text = f"from {hms(start_s)} to {hms(end_s)} ({end_s - start_s:.2f} s) there is no picture that can be trusted"
        return Problem("gap", f"{text}: it is missing, or damaged", "video")


class Continuity:
    """Pictures of a file go in; those that can be trusted come out, and the gaps between them.

    What follows a fault is drawn on top of what was lost: it is left out up to the next key frame. A longer time
    between two pictures is a gap, too, unless the file says that the first of them stands still for so long, or all
    of them are so far apart.
    """

    def __init__(self, rate_hz: float | None) -> None:
        self._frame_s = 1 / rate_hz if rate_hz else 0.0
        self._n = 0
        self._apart_s = 0.0
        self._latest_s: float | None = None
        self._broken = False
        self._key_after_s = self._blind_from_s = self._lost_s = -math.inf
        self.end_s: float | None = None
        """Up to when everything is seen or known to be missing; None before the first picture."""

    def broke(self, time_s: float | None = None) -> None:
        """What is due at `time_s` is damaged or lost; without a time, whatever comes next."""
        if self.end_s is None:
            self.end_s = time_s
        if not self._broken and self.end_s is not None:
            self._blind_from_s = self.end_s if time_s is None else max(time_s, self.end_s)
        self._broken = True
        if time_s is not None:
            self._key_after_s = max(self._key_after_s, time_s)
            self._lost_s = max(self._lost_s, time_s)

    def moved(self, time_s: float) -> None:
        """Reading goes on elsewhere; pictures are wanted from `time_s` on."""
        self._broken, self._latest_s = True, None
        self._key_after_s = self._lost_s = -math.inf
        self.end_s = self._blind_from_s = time_s

    def see(self, picture: Picture) -> Iterator[Picture | Gap]:
        """The picture, if it can be trusted, and before it the gap that it ends."""
        if self._broken and not self._heals(picture):
            self._lost_s = max(self._lost_s, picture.time_s)
            return
        latest_s, end_s = self._latest_s, self.end_s
        if end_s is not None and self._is_gap(picture.time_s - end_s):
            yield Gap(end_s, picture.time_s)
        elif latest_s is not None and not self._broken and picture.time_s > latest_s:
            self._n += 1
            self._apart_s += picture.time_s - latest_s
        self._broken = False
        self._latest_s = picture.time_s
        until_s = picture.time_s + (picture.lasts_s or self._frame_s)
        self.end_s = until_s if end_s is None else max(end_s, until_s)
        yield picture

    def finish(self) -> Iterator[Gap]:
        """The gap at the end, if there is one."""
        if self._broken and self.end_s is not None and self._lost_s > self.end_s:
            yield Gap(self.end_s, self._lost_s)

    def _heals(self, picture: Picture) -> bool:
        if picture.time_s > self._blind_from_s + _BLIND_S:
            return True
        return picture.frame.key_frame and picture.time_s > self._key_after_s

    def _is_gap(self, missing_s: float) -> bool:
        if self._broken:
            return missing_s > _LEAST * self._frame_s
        return missing_s > max(_PAUSE_S, _SLOWER * max(self._frame_s, self._apart_s / max(self._n, 1)))


class Tape:
    """Packets of some streams of a container in the order of the file.

    Where reading breaks off before the container's announced end it goes on behind the fault, if it can be searched.

    Args:
        reached_s: up to when there are pictures, on the container's clock.
        moved: told that reading went on elsewhere, before the first packet from there.
        searchable: whether it may be searched; a connection and a camera may not.
    """

    def __init__(
        self,
        container: InputContainer,
        streams: Sequence[AudioStream | VideoStream],
        *,
        reached_s: Callable[[], float | None],
        moved: Callable[[], None],
        searchable: bool,
    ) -> None:
        self._container, self._streams = container, streams
        self._reached_s, self._moved = reached_s, moved
        self._film = next((stream for stream in streams if stream.type == "video"), None) if searchable else None
        self._wanted_s: float | None = None
        self.length_s = container.duration / 1e6 if container.duration else None  # AV_TIME_BASE is a microsecond
        """How long it says that it is."""
        self._end_s = None if self.length_s is None else (container.start_time or 0) / 1e6 + self.length_s

    def seek(self, time_s: float) -> bool:
        """Go on at the key frame before `time_s`, after the packet that is read now; False where that is impossible."""
        return self._film is not None and self._to(time_s, before=True)

    def packets(self) -> Iterator[Packet[AudioStream] | Packet[VideoStream]]:
        """Raises what PyAV raises where there is no way around it."""
        from av.error import FFmpegError

        behind_s = -math.inf
        packets = self._read()
        while True:
            error: Exception | None = None
            try:
                for packet in packets:
                    yield packet
                    if self._wanted_s is not None:
                        break
            except (FFmpegError, OSError, ValueError, RuntimeError) as caught:
                error = caught
            if self._wanted_s is not None and error is None:
                self._wanted_s, packets = None, self._read()
                continue
            found = self._behind(max(behind_s, self._reached_s() or behind_s))
            if found is None:
                if error is not None:
                    raise error
                return
            behind_s, packets = found
            self._moved()

    def _read(self) -> Iterator[Packet[AudioStream] | Packet[VideoStream]]:
        return cast("Iterator[Packet[AudioStream] | Packet[VideoStream]]", self._container.demux(*self._streams))

    def _to(self, time_s: float, *, before: bool) -> bool:
        from av.error import FFmpegError

        if self._film is None or not self._film.time_base:
            return False
        try:
            self._container.seek(int(time_s / self._film.time_base), stream=self._film, backward=before)
        except (FFmpegError, OSError, ValueError, RuntimeError, OverflowError):
            return False
        self._wanted_s = time_s
        return True

    def _behind(self, from_s: float) -> tuple[float, Iterator[Packet[AudioStream] | Packet[VideoStream]]] | None:
        """When the next picture after `from_s` is due that can be found, and the packets from there on."""
        step_s = _SLACK_S
        while self._end_s is not None and math.isfinite(from_s) and from_s + step_s < self._end_s:
            if self._to(from_s + step_s, before=False):
                self._wanted_s = None
                found = self._peeked(from_s)
                if found is not None:
                    return found
            step_s *= 2
        return None

    def _peeked(self, from_s: float) -> tuple[float, Iterator[Packet[AudioStream] | Packet[VideoStream]]] | None:
        from av.error import FFmpegError

        packets, passed = self._read(), []
        try:
            for packet in packets:
                passed.append(packet)
                if packet.stream is self._film and packet.size:
                    time_s = packet_s(packet)
                    beyond = time_s is not None and time_s > from_s
                    return (time_s, chain(passed, packets)) if beyond and time_s is not None else None
                if len(passed) >= _PEEKED:
                    return None
        except (FFmpegError, OSError, ValueError, RuntimeError):
            return None
        return None


def packet_s(packet: Packet[AudioStream] | Packet[VideoStream]) -> float | None:
    """When what is in it is due, on the container's clock; None where it does not say."""
    stamp = packet.dts if packet.pts is None else packet.pts
    return None if stamp is None or not packet.time_base else float(stamp * packet.time_base)
