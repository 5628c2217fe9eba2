"""Which frames to look at: by rate, evenly, or where the picture changes most. Pure and deterministic.

Times are in seconds and ascending; picks are ascending positions in them, without repeats.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_BINS = 64
"""Bins of the grey histogram, each 4 of the 256 levels wide; entropies lie in [0, 6] bits."""

_SAME_S = 1e-6  # distances closer than this are a tie: 0.48 and 0.52 are equally far from 0.5
_LEAST_GAP_S = 1e-3


def pick_fps(times_s: Sequence[float], fps: float) -> list[int]:
    """The frame nearest to each tick 0, 1 / fps, 2 / fps ... up to the last frame; of two as near, the earlier.

    A film slower than `fps` gives each frame once: no rate is made up.
    """
    times = np.asarray(times_s, dtype=np.float64)
    # Up to where each frame is the nearest one. Counting ticks there, and not listing them, keeps the cost at the
    # number of frames: a damaged time may claim a film of a thousand years.
    until_s = np.append((times[1:] + times[:-1]) / 2, times[-1]) + _SAME_S / 2
    last_tick = np.floor(until_s * fps)
    return [int(i) for i in np.flatnonzero(last_tick > np.concatenate([[-1.0], last_tick[:-1]]))]


def pick_uniform(times_s: Sequence[float], frames: int) -> list[int]:
    """`frames` picks nearest to evenly spaced times, first and last among them; the middle one where `frames` is 1.

    Always `min(frames, len(times_s))` of them: where the rate varies so much that two ticks share a frame, the
    frames farthest from every pick fill up.
    """
    times = np.asarray(times_s, dtype=np.float64)
    if frames >= len(times):
        return list(range(len(times)))
    if frames == 1:
        return _nearest(times, np.array([(times[0] + times[-1]) / 2]))
    picks = _nearest(times, np.linspace(times[0], times[-1], frames))
    while len(picks) < frames:
        distance = np.abs(times[:, None] - times[picks][None, :]).min(axis=1)
        distance[picks] = -1.0
        picks = sorted([*picks, int(distance.argmax())])
    return picks


def thin(picks: Sequence[int], limit: int) -> list[int]:
    """At most `limit` of the picks, spread evenly over them, first and last kept."""
    if len(picks) <= limit:
        return list(picks)
    if limit == 1:
        return [picks[0]]
    return [picks[i * (len(picks) - 1) // (limit - 1)] for i in range(limit)]


def difference_entropy(grey: Iterable[NDArray[np.uint8]]) -> Iterator[float]:
    """Bits of change a frame: 0 for the first, then the entropy of its difference from the frame before.

    For grey pictures g_i of uint8 `[h, w]` (all of one size), with p_b the share of pixels whose |g_i - g_(i-1)|
    falls in bin b of 64 equal bins, it is H_i = -sum_b p_b log2 p_b, in bits (C. E. Shannon, "A Mathematical
    Theory of Communication", Bell System Technical Journal 27, 1948, section 6). 0 where nothing changes, or
    everything by the same amount; at most 6.
    """
    before: NDArray[np.int16] | None = None
    for picture in grey:
        now = picture.astype(np.int16)
        yield 0.0 if before is None else _entropy_bits(np.abs(now - before))
        before = now


def pick_entropy(times_s: Sequence[float], bits: Sequence[float], frames: int, min_gap_s: float) -> list[int]:
    """First and last frame, then the frames of most `bits`, none closer than `min_gap_s` to another pick.

    Greedy; of equals the earlier. Where fewer than `min(frames, len(times_s))` are found the gap is halved, and
    dropped below 1 ms. One frame alone is the one of most bits.
    """
    n_wanted = min(frames, len(times_s))
    order = sorted(range(len(times_s)), key=lambda i: (-bits[i], i))
    if n_wanted == 1:
        return [order[0]]
    picks = [0, len(times_s) - 1]
    gap_s = min_gap_s
    while len(picks) < n_wanted:
        for i in order:
            if len(picks) == n_wanted:
                break
            if i not in picks and all(abs(times_s[i] - times_s[j]) >= gap_s - _SAME_S for j in picks):
                picks.append(i)
        gap_s = gap_s / 2 if gap_s > _LEAST_GAP_S else 0.0
    return sorted(picks)


def _entropy_bits(difference: NDArray[np.int16]) -> float:
    counts = np.bincount((difference.ravel() * N_BINS) >> 8, minlength=N_BINS)
    shares = counts[counts > 0] / difference.size
    return float(max(0.0, -(shares * np.log2(shares)).sum()))


def _nearest(times: NDArray[np.float64], ticks: NDArray[np.float64]) -> list[int]:
    if len(times) == 1:
        return [0]
    after = np.clip(np.searchsorted(times, ticks), 1, len(times) - 1)
    before = after - 1
    later = (times[after] - ticks) < (ticks - times[before]) - _SAME_S
    return sorted({int(i) for i in np.where(later, after, before)})
