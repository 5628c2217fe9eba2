"""Broken places of a film: which pictures behind them can be trusted, and what is missing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from vlmkit.times import hms
from vlmkit.types import Problem

if TYPE_CHECKING:
    from av import VideoFrame

_PAUSE_S = 2.0  # films of varying rate stand still so long and are whole
_SLOWER = 10.0  # or so many times as long as their frames are apart
_BLIND_S = 20.0  # pictures behind a fault that are left out for so long, with no key frame, are believed again
_LEAST = 0.5  # frames; what is shorter is rounding


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
        text = f"from {hms(start_s)} to {hms(end_s)} ({start_s:.2f} s to {end_s:.2f} s) no picture can be trusted"
        return Problem("gap", f"{text}: what was there is missing, or damaged", "video")


class Continuity:
    """Pictures of a file go in; those that can be trusted come out, and the gaps between them.

    What follows a fault is drawn on top of what was lost: it is left out up to the next key frame. Decoders patch up
    what they can without a word, so a fault may reach into the packets before and behind those that fail: their
    pictures are left out, too. A longer time between two pictures is a fault, unless the file says that the first of
    them stands still for so long, or all of them are so far apart.
    """

    def __init__(self, rate_hz: float | None) -> None:
        self._frame_s = 1 / rate_hz if rate_hz else 0.0
        self._n = 0
        self._apart_s = 0.0
        self._latest_s: float | None = None
        self._held: Picture | None = None  # until the packet after it has turned out to be whole
        self._end_s: float | None = None
        self._broken = False
        self.patched = False
        """Whether pictures were left out so few that there is no gap."""
        self._key_after_s = self._lost_s = -math.inf
        self._blind_from_s: float | None = None  # the first picture that was left out since the last fault

    @property
    def end_s(self) -> float | None:
        """Up to when everything is seen or known to be missing; None before the first picture."""
        if self._held is None:
            return self._end_s
        until_s = self._held.time_s + (self._held.lasts_s or self._frame_s)
        return until_s if self._end_s is None else max(self._end_s, until_s)

    def broke(self, time_s: float | None = None, before_s: float | None = None) -> None:
        """What is due at `time_s` is damaged or lost; without a time, whatever comes next.

        Args:
            before_s: when what stood before it in the file is due, if the fault may begin there.
        """
        if self._held is not None and before_s is not None and self._held.time_s == before_s:
            self._held = None
            self._lost_s = max(self._lost_s, before_s)
        if self._end_s is None and self._held is None:
            self._end_s = time_s if before_s is None or time_s is None else min(time_s, before_s)
        self._broken, self._blind_from_s = True, None
        if time_s is not None:
            self._key_after_s = max(self._key_after_s, time_s)
            self._lost_s = max(self._lost_s, time_s)

    def moved(self, time_s: float) -> None:
        """Reading goes on elsewhere; pictures are wanted from `time_s` on."""
        self._broken, self._latest_s, self._held = True, None, None
        self._key_after_s = self._lost_s = -math.inf
        self._end_s, self._blind_from_s = time_s, None

    def see(self, picture: Picture) -> Iterator[Picture | Gap]:
        """The picture before this one, if both can be trusted, and the gap between them."""
        late = not self._broken and self.end_s is not None and self._is_gap(picture.time_s - self.end_s)
        if late and not picture.frame.key_frame:
            self.broke()
        if self._broken and not self._heals(picture):
            self._lost_s = max(self._lost_s, picture.time_s)
            self._blind_from_s = picture.time_s if self._blind_from_s is None else self._blind_from_s
            return
        yield from self._release()
        latest_s, end_s = self._latest_s, self._end_s
        if end_s is not None and self._is_gap(picture.time_s - end_s):
            yield Gap(end_s, picture.time_s)
        elif self._broken:
            self.patched = self.patched or latest_s is not None
        elif latest_s is not None and picture.time_s > latest_s:
            self._n += 1
            self._apart_s += picture.time_s - latest_s
        self._broken = False
        self._latest_s = picture.time_s
        self._held = picture

    def finish(self) -> Iterator[Picture | Gap]:
        """The last picture, and the gap at the end, if there is one."""
        yield from self._release()
        if self._broken and self._end_s is not None and self._lost_s > self._end_s:
            yield Gap(self._end_s, self._lost_s)

    def _release(self) -> Iterator[Picture]:
        if self._held is not None:
            held, self._end_s, self._held = self._held, self.end_s, None
            yield held

    def _heals(self, picture: Picture) -> bool:
        if self._blind_from_s is not None and picture.time_s > self._blind_from_s + _BLIND_S:
            return True
        return picture.frame.key_frame and picture.time_s > self._key_after_s

    def _is_gap(self, missing_s: float) -> bool:
        if self._broken:
            return missing_s > _LEAST * self._frame_s
        if not self._frame_s and not self._n:
            return False  # how far its pictures are apart is not known yet
        return missing_s > max(_PAUSE_S, _SLOWER * max(self._frame_s, self._apart_s / max(self._n, 1)))
