"""How far confidences are from how often answers are right, and what is gained by answering less.

Everything here compares the confidence of the *given* answer with whether that answer is right. Comparing the
probability of one class with the accuracy of the answer instead makes a good model look bad.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vlmkit.calibration.maps import Array, probabilities_of
from vlmkit.errors import DataError

BINS = 15  # Guo et al. 2017


@dataclass(frozen=True)
class Bin:
    """One bar of a reliability diagram: mean confidence and accuracy of its `n` samples, None where it has none."""

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class RiskCoverage:
    """What share is answered when only confidences of a threshold or more are, and what share of that is wrong.

    Attributes:
        thresholds: every confidence that came, the highest first; `coverage` and `risk` go with them, 0..1.
        aurc: area under risk over coverage (Geifman & El-Yaniv 2017, arXiv 1705.08500), lower is better; samples of
            the same confidence are answered together.
    """

    thresholds: tuple[float, ...]
    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    aurc: float


def reliability_bins(confidences: ArrayLike, right: ArrayLike, bins: int = BINS) -> tuple[Bin, ...]:
    """A reliability diagram of `bins` equal widths: `[low, high)`, and the last one with 1 in it.

    Raises `DataError` for nothing to bin, confidences outside 0..1, and lists of unequal length.
    """
    p, hit = _pair(confidences, right, bins)
    edges = np.linspace(0, 1, bins + 1)
    where = np.minimum(np.searchsorted(edges, p, side="right") - 1, bins - 1)
    return tuple(_bin(edges[i], edges[i + 1], p[where == i], hit[where == i]) for i in range(bins))


def ece(confidences: ArrayLike, right: ArrayLike, bins: int = BINS) -> float:
    """Expected calibration error: the mean distance of confidence and accuracy, bins weighted by their samples.

    The reliability-diagram definition (Naeini et al. 2015; Guo et al. 2017, arXiv 1706.04599), 0..1. Raises as
    `reliability_bins` does.
    """
    return _gap(reliability_bins(confidences, right, bins))


def adaptive_ece(confidences: ArrayLike, right: ArrayLike, bins: int = BINS) -> float:
    """The same over bins of equally many samples (Nixon et al. 2019, arXiv 1904.01685), 0..1.

    Samples of one confidence stay in one bin, so that the figure does not depend on their order. Raises as
    `reliability_bins` does.
    """
    p, hit = _pair(confidences, right, bins)
    rank = np.searchsorted(np.sort(p), p, side="left")
    where = rank * bins // len(p)
    return _gap([_bin(p[where == i].min(), p[where == i].max(), p[where == i], hit[where == i]) for i in set(where)])


def classwise_ece(probabilities: ArrayLike, labels: ArrayLike, bins: int = BINS) -> float:
    """Mean over classes of the ECE of that class's probability (Kull et al. 2019, arXiv 1910.12656), 0..1.

    Args:
        probabilities: `[n, k]`. labels: `[n]`, the index of the true class.

    Raises `DataError` for shapes and labels that do not go together.
    """
    rows, truth = np.asarray(probabilities, np.float64), np.asarray(labels)
    if rows.ndim != 2 or truth.shape != rows.shape[:1] or not np.isin(truth, range(rows.shape[1])).all():
        raise DataError(
            f"wanted probabilities [n, classes] and n labels below {rows.shape[-1]}; given {rows.shape}, {truth.shape}"
        )
    return float(np.mean([ece(rows[:, c], truth == c, bins) for c in range(rows.shape[1])]))


def brier(probabilities: ArrayLike, happened: ArrayLike) -> float:
    """Mean squared distance of a probability and what happened, 0 or 1 (Brier 1950, in the form for one event)."""
    p, hit = _pair(probabilities, happened)
    return float(((p - hit) ** 2).mean())


def log_loss(probabilities: ArrayLike, happened: ArrayLike) -> float:
    """Mean negative log-likelihood of what happened, in nats; infinite where what happened was held impossible."""
    p, hit = _pair(probabilities, happened)
    with np.errstate(divide="ignore"):
        return float(-np.log(np.where(hit, p, 1 - p)).mean())


def risk_coverage(confidences: ArrayLike, right: ArrayLike) -> RiskCoverage:
    """The risk–coverage curve of answers. Raises as `reliability_bins` does."""
    p, hit = _pair(confidences, right)
    order = np.argsort(-p, kind="stable")
    p, wrong = p[order], np.cumsum(~hit[order])
    last = np.flatnonzero(np.append(p[1:] != p[:-1], True))  # of the samples of one confidence
    coverage, risk = (last + 1) / len(p), wrong[last] / (last + 1)
    area = float((np.diff(coverage, prepend=0) * risk).sum())
    return RiskCoverage(tuple(p[last].tolist()), tuple(coverage.tolist()), tuple(risk.tolist()), area)


def _pair(confidences: ArrayLike, right: ArrayLike, bins: int = 1) -> tuple[Array, NDArray[np.bool_]]:
    p, hit = probabilities_of(confidences), np.asarray(right)
    if not len(p) or p.shape != hit.shape:
        raise DataError(f"wanted as many outcomes as confidences, one at least; given {len(p)} and {hit.shape}")
    if not np.isin(hit, (0, 1)).all():
        raise DataError("an outcome is True or False, 1 or 0; given other values")
    if bins < 1:
        raise DataError(f"wanted one bin or more; given {bins}")
    return p, hit.astype(bool)


def _bin(low: float, high: float, p: Array, hit: NDArray[np.bool_]) -> Bin:
    if not len(p):
        return Bin(float(low), float(high), 0, None, None)
    return Bin(float(low), float(high), len(p), float(p.mean()), float(hit.mean()))


def _gap(bins: Sequence[Bin]) -> float:
    counted = [
        (one.n, abs(one.accuracy - one.confidence))
        for one in bins
        if one.accuracy is not None and one.confidence is not None
    ]
    return sum(n * gap for n, gap in counted) / sum(n for n, _ in counted)
