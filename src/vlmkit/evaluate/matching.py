"""Which labelled stretches of time belong together in truth and answer: one to one, class by class.

Stretches are half-open, [start, end), in seconds. tIoU is the intersection over the union of both as sets, and not over
the hull; 0 where they do not touch.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from vlmkit.errors import DataError, MissingExtraError
from vlmkit.task import Span
from vlmkit.times import tiou


@dataclass(frozen=True)
class Pair:
    """A true stretch and an answered one, by their places, and their tIoU."""

    truth: int
    answer: int
    tiou: float


@dataclass(frozen=True)
class Matched:
    """Pairs in the order of the truth; places of true stretches that were missed, and of answered ones that are false.

    `pairs` and `misses` name every true stretch once, `pairs` and `false_alarms` every answered one.
    """

    pairs: tuple[Pair, ...]
    misses: tuple[int, ...]
    false_alarms: tuple[int, ...]


@dataclass(frozen=True)
class Overlaps:
    """`n` true stretches, `m` answered ones, and all pairs of them that touch."""

    n: int
    m: int
    pairs: tuple[Pair, ...]

    @classmethod
    def of(cls, truths: Sequence[Span], answers: Sequence[Span], *, by_class: bool = True) -> Self:
        """Of two lists. `by_class`: whether only stretches of one label belong together."""
        return cls(len(truths), len(answers), tuple(_touching(truths, answers, by_class)))

    def match(self, at: float, *, strict: bool = False) -> Matched:
        """The assignment with most pairs of a tIoU of at least `at`; of those the one with the largest sum of tIoU.

        The Hungarian method (H. W. Kuhn, Naval Research Logistics Quarterly 2, 1955), as scipy has it. Taking the best
        pair first may leave one true stretch without a partner that another assignment would have found.

        Args:
            at: between 0 and 1. strict: more than `at` is wanted instead.

        Raises `DataError` for a threshold outside [0, 1], `MissingExtraError` without scipy.
        """
        if not 0.0 <= at <= 1.0:
            raise DataError(f"wanted a tIoU threshold between 0 and 1; given {at!r}")
        good = [pair for pair in self.pairs if (pair.tiou > at if strict else pair.tiou >= at)]
        chosen = self._assigned(good, 1.0 + min(self.n, self.m))  # a pair more outweighs all that tIoU can add
        hit, taken = {pair.truth for pair in chosen}, {pair.answer for pair in chosen}
        return Matched(
            pairs=tuple(chosen),
            misses=tuple(place for place in range(self.n) if place not in hit),
            false_alarms=tuple(place for place in range(self.m) if place not in taken),
        )

    def best(self) -> float:
        """The largest sum of tIoU that pairs, one to one, can have. Raises `MissingExtraError` without scipy."""
        return math.fsum(pair.tiou for pair in self._assigned(self.pairs, 0.0))

    def _assigned(self, pairs: Sequence[Pair], each: float) -> list[Pair]:
        """The one-to-one pairs whose sum of `each + tiou` is the largest, in the order of the truth."""
        if len({pair.truth for pair in pairs}) == len({pair.answer for pair in pairs}) == len(pairs):
            return list(pairs)  # nothing to choose
        try:
            from scipy.optimize import linear_sum_assignment
        except ImportError as error:
            raise MissingExtraError("scipy", "football") from error
        worth = np.zeros((self.n, self.m))
        for pair in pairs:
            worth[pair.truth, pair.answer] = each + pair.tiou
        known = {(pair.truth, pair.answer): pair for pair in pairs}
        rows, columns = linear_sum_assignment(worth, maximize=True)
        places = zip(rows.tolist(), columns.tolist(), strict=True)
        return [known[place] for place in places if place in known]


def _touching(truths: Sequence[Span], answers: Sequence[Span], by_class: bool) -> Iterator[Pair]:
    """Only neighbours are compared: in a long film few of thousands touch."""
    groups: dict[str, list[int]] = {}
    for other in sorted(range(len(answers)), key=lambda other: answers[other].start_s):
        groups.setdefault(answers[other].label if by_class else "", []).append(other)
    starts = {label: [answers[other].start_s for other in places] for label, places in groups.items()}
    longest = {label: max(answers[k].end_s - answers[k].start_s for k in places) for label, places in groups.items()}
    for place, truth in enumerate(truths):
        label = truth.label if by_class else ""
        if label not in groups:
            continue
        first = bisect_left(starts[label], truth.start_s - longest[label])
        last = bisect_left(starts[label], truth.end_s)
        for other in sorted(groups[label][first:last]):
            if (ratio := tiou(truth, answers[other])) > 0:
                yield Pair(place, other, ratio)
