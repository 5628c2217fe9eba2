"""Logits to calibrated probabilities. Each map is a few numbers, and plain JSON.

Shapes: `n` samples, `k` classes. Where a map works a class at a time, it looks at that class against the rest:
`z = logit - logsumexp(the other logits)`, which for two classes is `logit 1 - logit 0`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vlmkit.errors import DataError

Array = NDArray[np.float64]

NEARLY = 1e-7  # what is left between a float32 probability and 1: the log-odds of a sure answer are finite


@dataclass(frozen=True)
class Temperature:
    """`softmax(logits / t)` (Guo et al. 2017, arXiv 1706.04599). Raises `DataError` unless `t` is above 0."""

    t: float

    def __post_init__(self) -> None:
        if not _numbers([self.t]) or self.t <= 0:
            raise DataError(f"a temperature is a number above 0 (below, answers would be turned round); given {self.t}")

    def probabilities(self, logits: ArrayLike) -> Array:
        """`[n, k]` to `[n, k]`. Raises `DataError` for logits that are no finite table of two columns or more."""
        return _softmax(table(logits) / self.t)

    def to_json(self) -> float:
        """The bare number, as the calibration files have it."""
        return self.t


@dataclass(frozen=True)
class Platt:
    """`sigmoid(slope · z + intercept)` (Platt 1999): one line for two classes, else one a class, normalised."""

    slope: tuple[float, ...]
    intercept: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.slope or len(self.slope) != len(self.intercept) or not _numbers([*self.slope, *self.intercept]):
            raise DataError(f"a Platt map has one slope and one intercept a class, all finite; given {self}")

    def probabilities(self, logits: ArrayLike) -> Array:
        """`[n, k]` to `[n, k]`. Raises `DataError` for other logits than the map was made for."""
        z = against_rest(logits)
        _refuse_other(z, len(self.slope), "Platt")
        return _joined(_sigmoid(z * np.array(self.slope) + np.array(self.intercept)))

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {"method": "platt", "slope": list(self.slope), "intercept": list(self.intercept)}


@dataclass(frozen=True)
class Isotonic:
    """A rising curve over `sigmoid(z)` (Zadrozny & Elkan 2002), straight between its points and flat beyond them.

    One curve for two classes, else one a class, normalised; a sample that every curve gives 0 gets `1 / k` each.
    """

    x: tuple[tuple[float, ...], ...]
    y: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        fits = len(self.x) == len(self.y) > 0
        if not fits or not all(_rising(x, y) for x, y in zip(self.x, self.y, strict=True)):
            raise DataError("an isotonic map has, one a class, rising x and rising y within 0..1, equally many of each")

    def probabilities(self, logits: ArrayLike) -> Array:
        """`[n, k]` to `[n, k]`. Raises `DataError` for other logits than the map was made for."""
        p = _sigmoid(against_rest(logits))
        _refuse_other(p, len(self.x), "isotonic")
        curves = zip(p.T, self.x, self.y, strict=True)
        return _joined(np.stack([np.interp(column, x, y) for column, x, y in curves], axis=1))

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {"method": "isotonic", "x": [list(x) for x in self.x], "y": [list(y) for y in self.y]}


Map = Temperature | Platt | Isotonic


def map_from_json(data: object) -> Map:
    """What `to_json` gave. Raises `DataError` for anything else."""
    if isinstance(data, int | float) and not isinstance(data, bool):
        return Temperature(float(data))
    try:
        match data:
            case {"method": "platt", "slope": list(slope), "intercept": list(intercept), **rest} if not rest:
                return Platt(_floats(slope), _floats(intercept))
            case {"method": "isotonic", "x": list(x), "y": list(y), **rest} if not rest:
                return Isotonic(tuple(map(_floats, x)), tuple(map(_floats, y)))
    except (TypeError, ValueError):
        pass
    raise DataError(f"wanted a temperature, or an object with method 'platt' or 'isotonic'; given {data!r:.80}")


def wrong_right(confidences: ArrayLike) -> Array:
    """Confidences of answers `[n]` as logits `[n, 2]` of the classes (wrong, right): 0, and the log-odds.

    A confidence of 0 or 1 counts as `NEARLY` so. Raises `DataError` for anything outside 0..1.
    """
    p = probabilities_of(confidences)
    p = np.clip(p, NEARLY, 1 - NEARLY)
    return np.stack([np.zeros_like(p), np.log(p) - np.log1p(-p)], axis=1)


def probabilities_of(given: ArrayLike) -> Array:
    """A list of probabilities `[n]`. Raises `DataError` for another shape, NaN, and values outside 0..1."""
    p = np.asarray(given, np.float64)
    if p.ndim != 1:
        raise DataError(f"wanted one probability a sample; given an array of shape {p.shape}")
    if not ((p >= 0) & (p <= 1)).all():
        odd = p[~((p >= 0) & (p <= 1))]
        raise DataError(f"{len(odd)} of {len(p)} probabilities are not within 0..1; the first: {odd[0]}")
    return p


def table(logits: ArrayLike) -> Array:
    """Logits `[n, k]`. Raises `DataError` for another shape and for values that are no finite number."""
    rows = np.asarray(logits, np.float64)
    if rows.ndim != 2 or rows.shape[1] < 2:
        raise DataError(f"wanted logits of shape [samples, two classes or more]; given {list(rows.shape)}")
    if bad := int((~np.isfinite(rows).all(axis=1)).sum()):
        raise DataError(f"the logits of {bad} of {len(rows)} samples are NaN or infinite; look for the broken weights")
    return rows


def against_rest(logits: ArrayLike) -> Array:
    """`z` of class 1 as `[n, 1]` for two classes, else of every class as `[n, k]`."""
    rows = table(logits)
    if rows.shape[1] == 2:
        return rows[:, 1:] - rows[:, :1]
    others = [np.logaddexp.reduce(np.delete(rows, c, axis=1), axis=1) for c in range(rows.shape[1])]
    z: Array = rows - np.stack(others, axis=1)
    return z


def _joined(p: Array) -> Array:
    if p.shape[1] == 1:
        return np.concatenate([1 - p, p], axis=1)
    total = p.sum(axis=1, keepdims=True)
    return np.where(total > 0, p / np.where(total > 0, total, 1), 1 / p.shape[1])


def _softmax(rows: Array) -> Array:
    powers: Array = np.exp(rows - rows.max(axis=1, keepdims=True))
    shares: Array = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _sigmoid(z: Array) -> Array:
    p: Array = np.exp(-np.logaddexp(0, -z))
    return p


def _refuse_other(z: Array, curves: int, method: str) -> None:
    if z.shape[1] != curves:
        made, given = (2 if n == 1 else n for n in (curves, z.shape[1]))
        raise DataError(f"this {method} map was made for {made} classes; given logits of {given}")


def _numbers(values: Sequence[object]) -> bool:
    return all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in values)


def _rising(x: Sequence[float], y: Sequence[float]) -> bool:
    if not x or len(x) != len(y) or not _numbers([*x, *y]):
        return False
    return all((np.diff(one) >= 0).all() and one[0] >= 0 and one[-1] <= 1 for one in (x, y))


def _floats(values: Sequence[Any]) -> tuple[float, ...]:
    return tuple(map(float, values))
