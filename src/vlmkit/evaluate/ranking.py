"""Average precision of answers that can be ranked by how sure they are, of many resamples of samples at once.

Shapes: `n` samples, `d` answered events, `k` criteria of a hit, `g` groups of equal scores, `r` resamples;
`weights [r, n]` say how often each sample was drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vlmkit.evaluate.bootstrap import Array

ELEVEN = np.arange(11) / 10
_CELLS = 2_000_000  # compared at once


@dataclass(frozen=True, eq=False)
class Ranked:
    """The answered events of one class.

    Attributes:
        owners: the sample of each, `[d]`. scores: how sure it is, `[d]`. hits: whether it is one, `[k, d]`.
        true: true events of the class in each sample, `[n]`.
    """

    owners: NDArray[np.intp]
    scores: Array
    hits: NDArray[np.bool_]
    true: Array

    def areas(self, weights: Array) -> Array:
        """The area under the interpolated precision over recall, `[k, r]`; NaN where nothing is true.

        Precision at a recall is the highest at that recall or a higher one; every step of recall counts (PASCAL VOC
        from 2010 on, and ActivityNet).
        """
        found = np.zeros((len(self.hits), len(weights)))
        for place, (precision, recall) in enumerate(self._curves(weights)):
            found[place] = (np.diff(recall, axis=1, prepend=0.0) * precision).sum(axis=1)
        return self._defined(found, weights)

    def eleven_points(self, weights: Array) -> Array:
        """The mean of the interpolated precision at recalls of 0, .1 … 1, `[k, r]`; NaN where nothing is true.

        As PASCAL VOC had it until 2009, and SoccerNet has it.
        """
        found = np.zeros((len(self.hits), len(weights)))
        for place, (precision, recall) in enumerate(self._curves(weights)):
            padded = np.hstack([precision, np.zeros((len(weights), 1))])  # a recall that is not reached
            step = max(1, _CELLS // (len(ELEVEN) * padded.shape[1]))
            for start in range(0, len(weights), step):
                rows = slice(start, start + step)
                at = (recall[rows, None, :] < ELEVEN[:, None]).sum(axis=2)  # recalls ascend
                found[place, rows] = np.take_along_axis(padded[rows], at, axis=1).sum(axis=1)
        return self._defined(found / len(ELEVEN), weights)

    def _curves(self, weights: Array) -> Iterator[tuple[Array, Array]]:
        """Interpolated precision and recall after each group of equal scores, `[r, g]`, by criterion."""
        order = np.argsort(-self.scores, kind="stable")
        ordered = self.scores[order]
        last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)[: len(order)])
        drawn = weights[:, self.owners[order]]
        said = np.cumsum(drawn, axis=1)[:, last]
        true = np.maximum(weights @ self.true, 1.0)[:, None]
        for hits in self.hits[:, order]:
            right = np.cumsum(drawn * hits, axis=1)[:, last]
            precision = np.divide(right, said, out=np.zeros_like(right), where=said > 0)
            highest = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
            yield highest, right / true

    def _defined(self, found: Array, weights: Array) -> Array:
        return np.where(weights @ self.true > 0, found, np.nan)


@dataclass(frozen=True, eq=False)
class Ranks:
    """The classes that occur in the truth, by name, each under the same `k` criteria."""

    k: int
    by_class: Mapping[str, Ranked]

    def mean_areas(self, weights: Array) -> Array:
        """The mean of `areas` over the classes that occur in the draw, `[k, r]`; NaN where none does."""
        return self._mean([one.areas(weights) for one in self.by_class.values()], weights)

    def mean_eleven(self, weights: Array) -> Array:
        """The same mean of `eleven_points`, and of that the trapezoid mean over the criteria, `[r]`."""
        found = self._mean([one.eleven_points(weights) for one in self.by_class.values()], weights)
        if self.k == 1:
            return np.array(found[0])
        return np.array((found[:-1] + found[1:]).sum(axis=0) / 2 / (self.k - 1))

    def _mean(self, found: Sequence[Array], weights: Array) -> Array:
        stacked = np.stack([np.full((self.k, len(weights)), np.nan), *found])
        there = ~np.isnan(stacked)
        total: Array = np.where(there, stacked, 0.0).sum(axis=0)
        nothing = np.full_like(total, np.nan)
        mean: Array = np.divide(total, there.sum(axis=0), out=nothing, where=there.any(axis=0))
        return mean
