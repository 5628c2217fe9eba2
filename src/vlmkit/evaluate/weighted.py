"""Figures that are no means of samples, of many resamples at once.

Shapes: `n` samples, `r` resamples; `weights [r, n]` say how often each sample was drawn, and every figure is `[r]`, NaN
where it is undefined. Each equals its counterpart in scikit-learn or `vlmkit.calibration.error` over the samples
repeated as often as they were drawn; called a thousand times those would take minutes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vlmkit.calibration.error import BINS
from vlmkit.evaluate.bootstrap import Array

Flags = NDArray[np.bool_]


def auroc(scores: Array, positive: Flags, weights: Array) -> Array:
    """Area under the receiver operating characteristic: how often a positive outranks a negative, ties half."""
    order, last = _descending(scores)
    hits, misses = _sums(weights[:, order], positive[order], last)
    new_misses = np.diff(misses, axis=1, prepend=0.0)
    before = np.concatenate([np.zeros((len(weights), 1)), hits[:, :-1]], axis=1)
    return _ratio((new_misses * (before + hits) / 2).sum(axis=1), _total(hits) * _total(misses))


def average_precision(scores: Array, positive: Flags, weights: Array) -> Array:
    """Precision at each threshold, weighted by the recall that it adds."""
    order, last = _descending(scores)
    hits, misses = _sums(weights[:, order], positive[order], last)
    new_hits = np.diff(hits, axis=1, prepend=0.0)
    precision = np.nan_to_num(_ratio(hits, hits + misses))
    return _ratio((new_hits * precision).sum(axis=1), _total(hits))


def aurc(confidences: Array, right: Flags, weights: Array) -> Array:
    """Area under risk over coverage; samples of one confidence are answered together."""
    order, last = _descending(confidences)
    hits, wrong = _sums(weights[:, order], right[order], last)
    answered = hits + wrong
    risk = np.nan_to_num(_ratio(wrong, answered))
    return _ratio((np.diff(answered, axis=1, prepend=0.0) * risk).sum(axis=1), _total(answered))


def ece(confidences: Array, right: Flags, weights: Array, bins: int = BINS) -> Array:
    """Expected calibration error over bins of equal width."""
    edges = np.linspace(0, 1, bins + 1)
    where = np.minimum(np.searchsorted(edges, confidences, side="right") - 1, bins - 1)
    member = (where[:, None] == np.arange(bins)) * (confidences - right)[:, None]
    return _ratio(np.abs(weights @ member).sum(axis=1), weights.sum(axis=1))


def adaptive_ece(confidences: Array, right: Flags, weights: Array, bins: int = BINS) -> Array:
    """The same over bins of equally many samples, which each resample fills anew."""
    order, last = _descending(-confidences)
    drawn = weights[:, order]
    total = drawn.sum(axis=1)
    below = np.cumsum(drawn, axis=1)[:, last]
    first = np.concatenate([np.zeros((len(weights), 1)), below[:, :-1]], axis=1)  # rank of a group's first sample
    group = np.searchsorted(last, np.arange(len(order)))
    with np.errstate(invalid="ignore", divide="ignore"):
        where = np.minimum(np.nan_to_num(first * bins // total[:, None]), bins - 1).astype(np.intp)[:, group]
    gap = drawn * (confidences - right)[order]
    flat = (where + bins * np.arange(len(weights))[:, None]).ravel()
    gaps = np.bincount(flat, weights=gap.ravel(), minlength=bins * len(weights)).reshape(len(weights), bins)
    return _ratio(np.abs(gaps).sum(axis=1), total)


def _descending(scores: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The order of scores, highest first, and where in it each group of equal ones ends."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    return order, np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)[: len(order)])


def _sums(weights: Array, positive: Flags, last: NDArray[np.intp]) -> tuple[Array, Array]:
    """How much weight of positives and of others lies at or above each distinct score, `[r, groups]`."""
    hits: Array = np.cumsum(weights * positive, axis=1)[:, last]
    return hits, np.cumsum(weights, axis=1)[:, last] - hits


def _total(sums: Array) -> Array:
    found: Array = sums.max(axis=1, initial=0.0)  # cumulative, and there may be none
    return found


def _ratio(part: Array, whole: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):  # 0 / 0 is the NaN that says "undefined in this draw"
        found: Array = np.where(whole > 0, part / whole, np.nan)
    return found
