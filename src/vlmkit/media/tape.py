"""Packets of a container in the order of the file, and those behind its broken places."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, cast

from vlmkit.media import fragments

if TYPE_CHECKING:
    from av import Packet
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

    AnyPacket = Packet[AudioStream] | Packet[VideoStream]

_SLACK_S = 1.0  # a film may end so long before its announced end
_PEEKED = 500  # packets that are looked at for the first picture behind a fault


class Tape:
    """Packets of some streams of a container.

    Where reading breaks off before the container's announced end it goes on behind the fault: at the next key frame
    that can be searched for, or at the next fragment of a fragmented MP4.

    Args:
        reached_s: up to when there are pictures, on the container's clock.
        moved: told that reading went on elsewhere, before the first packet from there.
        file: what the container was opened from, where that may be searched; a connection and a camera may not.
    """

    def __init__(
        self,
        container: InputContainer,
        streams: Sequence[AudioStream | VideoStream],
        *,
        reached_s: Callable[[], float | None],
        moved: Callable[[], None],
        file: str | Path | bytes | None,
    ) -> None:
        self._container, self._streams = container, tuple(streams)
        self._reached_s, self._moved = reached_s, moved
        self._file = file if self._film is not None else None
        self._sought = False
        self._read_to = 0  # bytes: up to the end of the last packet
        self.length_s = container.duration / 1e6 if container.duration else None  # AV_TIME_BASE is a microsecond
        """How long it says that it is."""
        self._end_s = None if self.length_s is None else (container.start_time or 0) / 1e6 + self.length_s

    def seek(self, time_s: float) -> bool:
        """Go on at the key frame before `time_s`, after the packet that is read now; False where that is impossible."""
        self._sought = self._to(time_s, backward=True)
        return self._sought

    def packets(self) -> Iterator[AnyPacket]:
        """Raises what PyAV raises where there is no way around it."""
        from av.error import FFmpegError

        behind_s, packets = -math.inf, self._read()
        with ExitStack() as opened:
            while True:
                error: Exception | None = None
                try:
                    for packet in packets:
                        self._read_to = max(self._read_to, (packet.pos or 0) + packet.size)
                        yield packet
                        if self._sought:
                            break
                except (FFmpegError, OSError, ValueError, RuntimeError) as caught:
                    error = caught
                if self._sought and error is None:
                    self._sought, packets = False, self._read()
                    continue
                found = self._behind(max(behind_s, self._reached_s() or behind_s)) or self._next_fragment(opened)
                if found is None:
                    if error is not None:
                        raise error
                    return
                behind_s, packets = found
                self._moved()

    @property
    def _film(self) -> VideoStream | None:
        return next((one for one in self._streams if one.type == "video"), None)

    def _read(self) -> Iterator[AnyPacket]:
        return cast("Iterator[AnyPacket]", self._container.demux(*self._streams))

    def _to(self, time_s: float, *, backward: bool) -> bool:
        from av.error import FFmpegError

        film = self._film
        if self._file is None or film is None or not film.time_base:
            return False
        try:
            self._container.seek(int(time_s / film.time_base), stream=film, backward=backward)
        except (FFmpegError, OSError, ValueError, RuntimeError, OverflowError):
            return False
        return True

    def _behind(self, from_s: float) -> tuple[float, Iterator[AnyPacket]] | None:
        """When the next picture after `from_s` is due that can be searched for, and the packets from there on."""
        step_s = _SLACK_S
        while self._end_s is not None and math.isfinite(from_s) and from_s + step_s < self._end_s:
            found = self._peeked(from_s) if self._to(from_s + step_s, backward=False) else None
            if found is not None:
                return found
            step_s *= 2
        return None

    def _peeked(self, from_s: float) -> tuple[float, Iterator[AnyPacket]] | None:
        from av.error import FFmpegError

        packets = self._read()
        passed: list[AnyPacket] = []
        try:
            for packet in packets:
                passed.append(packet)
                if packet.stream.type == "video" and packet.size:
                    time_s = packet_s(packet)
                    beyond = time_s is not None and time_s > from_s
                    return (time_s, chain(passed, packets)) if beyond and time_s is not None else None
                if len(passed) >= _PEEKED:
                    return None
        except (FFmpegError, OSError, ValueError, RuntimeError):
            return None
        return None

    def _next_fragment(self, opened: ExitStack) -> tuple[float, Iterator[AnyPacket]] | None:
        import av

        if self._file is None or "mp4" not in self._container.format.name.split(","):
            return None
        rest = opened.enter_context(fragments.rest(self._file, self._read_to))
        if rest is None:
            return None
        try:
            container = av.open(rest, mode="r", format="mp4", metadata_errors="ignore")
        except (av.error.FFmpegError, OSError, ValueError, RuntimeError):
            return None
        opened.enter_context(container)
        try:
            streams = [container.streams[one.index] for one in self._streams]
        except IndexError:
            return None
        self._container, self._streams = container, tuple(cast("list[AudioStream | VideoStream]", streams))
        self._read_to = rest.start + 8  # whatever can be read there, the next search begins later
        return -math.inf, self._read()


def packet_s(packet: AnyPacket) -> float | None:
    """When what is in it is due, on the container's clock; None where it does not say."""
    stamp = packet.dts if packet.pts is None else packet.pts
    return None if stamp is None or not packet.time_base else float(stamp * packet.time_base)
