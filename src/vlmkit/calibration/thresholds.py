"""From which probability on a label is given: the best threshold by a rule, and the curve that it is chosen on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from vlmkit.calibration.maps import Array, probabilities_of
from vlmkit.errors import DataError

Rule = Literal["f1", "macro-f1"] | tuple[Literal["recall", "precision"], float]
"""What a threshold is chosen for: the F1 of the positive class, the mean of both classes' F1, or a figure to reach."""

SEED_GRID = tuple(round(0.1 + 0.05 * step, 2) for step in range(17))
"""Thresholds .10, .15 … .90: the coarse search of earlier systems."""


@dataclass(frozen=True)
class Curve:
    """Figures by threshold, lowest first; each an array of equal length. `precision` is NaN where nothing is given."""

    thresholds: Array
    precision: Array
    recall: Array
    f1: Array
    macro_f1: Array


@dataclass(frozen=True)
class Threshold:
    """A chosen threshold, and its figures on the samples that it was chosen on: `n`, of them `positives`.

    Attributes:
        value: the positive label is given where `p >= value`.
        best_f1: F1 of the positive class at `value`; the best there is where the rule is `f1`.
    """

    value: float
    best_f1: float
    macro_f1: float
    precision: float
    recall: float
    n: int
    positives: int


def curve(probabilities: ArrayLike, truths: ArrayLike, grid: Sequence[float] | None = None) -> Curve:
    """Figures of every threshold that matters, or of those in `grid`.

    One threshold for each way to cut the samples in two, halfway between neighbouring probabilities, so that rounding
    turns no answer.

    Args:
        probabilities: `[n]` of the positive label. truths: `[n]` of 0 and 1.

    Raises `DataError` where one class is absent, and for lists that do not go together.
    """
    p, truth = probabilities_of(probabilities), np.asarray(truths)
    if p.shape != truth.shape or not np.isin(truth, (0, 1)).all():
        raise DataError(f"wanted one truth of 0 or 1 a probability; given {p.shape} and {truth.shape}")
    if len(set(truth.tolist())) < 2:
        raise DataError(f"all {len(truth)} samples have one label: no threshold can be chosen; give samples of both")
    cuts = _cuts(p) if grid is None else np.sort(probabilities_of(grid))
    order = np.argsort(p)
    below = np.searchsorted(p[order], cuts, side="left")
    hits = np.append(np.cumsum(truth[order][::-1])[::-1], 0)[below].astype(float)
    given, real = (len(p) - below).astype(float), float(truth.sum())
    with np.errstate(invalid="ignore"):
        precision = hits / given
    f1 = 2 * hits / (given + real)
    left_right = below - (real - hits)  # negatives that are called so
    negative_f1 = 2 * left_right / (below + len(p) - real)
    return Curve(cuts, precision, hits / real, f1, (f1 + negative_f1) / 2)


def choose(
    probabilities: ArrayLike, truths: ArrayLike, by: Rule = "macro-f1", grid: Sequence[float] | None = None
) -> Threshold:
    """The best threshold by a rule; among equals the lowest.

    - `"f1"`, `"macro-f1"`: the highest of it.
    - `("recall", r)`: the highest precision among recalls of `r` or more.
    - `("precision", p)`: the highest recall among precisions of `p` or more.

    Raises:
        DataError: as `curve` does; and a precision or recall that no threshold reaches, with the best there is.
    """
    found = curve(probabilities, truths, grid)
    target = _allowed(found, by)
    precision = np.nan_to_num(found.precision, nan=0.0)
    keys = {"f1": (found.f1,), "macro-f1": (found.macro_f1,)}
    ranked = keys[by] if isinstance(by, str) else (precision, found.recall)[:: 1 if by[0] == "recall" else -1]
    best = max(np.flatnonzero(target), key=lambda i: (*(float(key[i]) for key in ranked), -i))
    value, f1, macro, exact, recall = (
        float(one[best]) for one in (found.thresholds, found.f1, found.macro_f1, precision, found.recall)
    )
    return Threshold(value, f1, macro, exact, recall, n=len(np.asarray(truths)), positives=int(np.sum(truths)))


def _allowed(found: Curve, by: Rule) -> np.ndarray:
    if isinstance(by, str):
        if by not in ("f1", "macro-f1"):
            raise DataError(f"a threshold is chosen by f1, macro-f1, a recall or a precision; given {by!r}")
        return np.ones(len(found.thresholds), bool)
    name, wanted = by
    if name not in ("recall", "precision") or not 0 < wanted <= 1:
        raise DataError(f"wanted a recall or a precision above 0 and up to 1; given {name}={wanted}")
    reached = np.nan_to_num(found.recall if name == "recall" else found.precision, nan=0.0)
    if not (reached >= wanted).any():
        raise DataError(
            f"no threshold reaches a {name} of {wanted:g} on these samples; the best is {reached.max():.3f}"
        )
    return np.asarray(reached >= wanted)


def _cuts(p: Array) -> Array:
    """Halfway between neighbours, below the lowest, and above the highest where that can be."""
    distinct = np.unique(p)
    between = distinct[:-1] + np.diff(distinct) / 2
    # Where no number lies between two neighbours, the upper one itself cuts them.
    between = np.where(between > distinct[:-1], between, distinct[1:])
    above = [(distinct[-1] + 1) / 2] if (distinct[-1] + 1) / 2 > distinct[-1] else []
    return np.concatenate([distinct[:1] / 2, between, above])
