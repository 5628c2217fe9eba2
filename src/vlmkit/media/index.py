"""What is in a film and where: the times of its frames, and which packets each of them needs."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(eq=False)
class Packets:
    """What packets say of themselves, undecoded and in the order of the file: 18 bytes each, times in ticks."""

    stamps: array[int] = field(default_factory=lambda: array("q"))
    durations: array[int] = field(default_factory=lambda: array("q"))
    keys: bytearray = field(default_factory=bytearray)
    shown: bytearray = field(default_factory=bytearray)
    """1 where a frame of it is to be seen: inside the edit list, and whole."""
    timeless: bool = False
    """Whether one that is to be seen has no time."""
    cut: bool = False
    """Whether the file ended inside one."""

    def add(self, stamp: int | None, duration: int, *, key: bool, shown: bool) -> None:
        """Note one more."""
        self.timeless |= stamp is None and shown
        self.stamps.append(stamp or 0)
        self.durations.append(duration)
        self.keys.append(key)
        self.shown.append(shown)

    def __len__(self) -> int:
        return len(self.stamps)


@dataclass(frozen=True, eq=False)
class Index:
    """Every frame of a film, in the order of showing, without its pixels.

    Attributes:
        stamps: `[n]`, ascending; what a decoded frame is recognised by.
        times_s: `[n]`, seconds since the first frame of the film.
        end_s: when the last frame ends, on the same clock.
        group: `[n]`, which run of packets (a key frame up to the next one) holds the frame; `None`: not known.
        leads: `[n]`, whether the frame is shown before the key frame of its run and needs the run before, too.
        by_order: the file has no times: `stamps` count frames as they come.
    """

    stamps: NDArray[np.int64]
    times_s: NDArray[np.float64]
    end_s: float
    group: NDArray[np.int64] | None = None
    leads: NDArray[np.bool_] | None = None
    by_order: bool = False

    def __len__(self) -> int:
        return len(self.stamps)


def index_packets(packets: Packets, tick_s: float, last_s: float) -> Index:
    """The index as packets tell it; `last_s` is how long the last frame shows where nothing in the file says so."""
    stamp = np.frombuffer(packets.stamps, dtype=np.int64) if len(packets) else np.zeros(0, np.int64)
    group = np.maximum(np.cumsum(np.frombuffer(packets.keys, np.uint8), dtype=np.int64) - 1, 0)
    shown = np.flatnonzero(np.frombuffer(packets.shown, np.uint8))
    stamps, first = np.unique(stamp[shown], return_index=True)
    if not len(stamps):
        return Index(stamps, stamps.astype(np.float64), 0.0)
    at = shown[first]
    key_stamp = stamp[np.unique(group, return_index=True)[1]]
    times_s = (stamps - stamps[0]) * tick_s
    end_s = _end(times_s, packets.durations[int(at[-1])] * tick_s, last_s)
    return Index(stamps, times_s, end_s, group[at], stamps < key_stamp[group[at]])


def index_frames(seen: Iterable[int], origin: int, tick_s: float, last_s: float, *, by_order: bool = False) -> Index:
    """The index as decoding told it: frames with the stamps `seen`, on a clock that starts at `origin`."""
    stamps = np.unique(np.fromiter(seen, dtype=np.int64))
    times_s = np.asarray((stamps - origin) * tick_s, dtype=np.float64)
    return Index(stamps, times_s, _end(times_s, 0.0, last_s), by_order=by_order)


def runs_needed(index: Index, positions: Sequence[int]) -> dict[int, set[int]] | None:
    """For each run of packets, the stamps that cannot be decoded without it; `None` where runs are not known."""
    if index.group is None or index.leads is None:
        return None
    needed: dict[int, set[int]] = {}
    for position in positions:
        run, stamp = int(index.group[position]), int(index.stamps[position])
        needed.setdefault(run, set()).add(stamp)
        if index.leads[position]:
            needed.setdefault(max(run - 1, 0), set()).add(stamp)
    return needed


def _end(times_s: NDArray[np.float64], told_s: float, last_s: float) -> float:
    if not len(times_s):
        return 0.0
    if told_s <= 0:
        told_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else last_s
    return float(times_s[-1]) + told_s
