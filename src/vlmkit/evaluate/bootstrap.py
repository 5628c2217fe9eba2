"""Means over samples and how far they would move on another draw of the same size."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

Combine = Callable[[Mapping[str, float]], Mapping[str, float]]
Rows = Sequence[Mapping[str, float | None]]
Counts = Sequence[Mapping[str, float]]
Array = NDArray[np.float64]
Drawn = Mapping[str, Array]
"""Figures of `r` resamples, `[r]` each."""
Drawer = Callable[[Array], Drawn]
"""How often each sample was drawn, `[r, n]`, to the figures of each resample; NaN where one is undefined."""
K = TypeVar("K", bound=Hashable)

LEVEL = 0.95
_CELLS = 4_000_000  # weights held at once: about 100 MB with what they are counted from, whatever the number of samples


class Table:
    """Per-sample figures as one matrix; NaN keeps a sample out of that metric's denominator.

    Shapes: `n` samples, `k` metrics, `r` resamples.

    Args:
        counts: figures that `combine` is given too, and that are no metrics themselves; one that a sample lacks is 0.
    """

    def __init__(self, rows: Rows, combine: Combine, counts: Counts = ()) -> None:
        self.names = tuple(dict.fromkeys(name for row in rows for name in row))
        self._counted = tuple(dict.fromkeys(name for row in counts for name in row))
        cells = [[_number(row.get(name)) for name in self.names] for row in rows]
        beside = [[float(row.get(name, 0.0)) for name in self._counted] for row in counts or [{}] * len(rows)]
        self._values: Array = np.hstack([_matrix(cells, self.names), _matrix(beside, self._counted)])
        self._combine = combine

    @property
    def denominators(self) -> dict[str, int]:
        """Samples that count, a metric."""
        counts = (~np.isnan(self._values[:, : len(self.names)])).sum(axis=0)
        return {name: int(count) for name, count in zip(self.names, counts, strict=True)}

    def part(self, where: NDArray[np.intp]) -> Self:
        """The same of the samples at these places."""
        found = type(self)([], self._combine)
        found.names, found._counted, found._values = self.names, self._counted, self._values[where]
        return found

    def means(self) -> dict[str, float]:
        """Mean a metric, then the combined ones; NaN where nothing counts."""
        return {name: float(values[0]) for name, values in self.drawn(np.ones((1, len(self._values)))).items()}

    def drawn(self, weights: Array) -> dict[str, Array]:
        """The same of every resample, from how often each sample was drawn."""
        rows = [self._combined(row) for row in self._weighted(weights)]
        names = dict.fromkeys(name for row in rows for name in row)
        return {name: np.array([row.get(name, math.nan) for row in rows]) for name in names}

    def intervals(self, *, seed: int, resamples: int) -> dict[str, tuple[float, float]]:
        """Percentile bootstrap intervals at 95 %, as `intervals` gives them."""
        return intervals({0: self.drawn}, len(self._values), seed=seed, resamples=resamples)[0]

    def _weighted(self, weights: Array) -> Array:
        """`[r, n] -> [r, k]`."""
        present = ~np.isnan(self._values)
        with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN that says "nothing counts here"
            means: Array = (weights @ np.nan_to_num(self._values)) / (weights @ present)
        return means

    def _combined(self, row: Array) -> dict[str, float]:
        means = {name: float(value) for name, value in zip((*self.names, *self._counted), row, strict=True)}
        found = {name: means[name] for name in self.names}
        return found | {name: float(value) for name, value in self._combine(means).items()}


def drawn(drawers: Mapping[K, Drawer], n: int, *, seed: int, resamples: int) -> dict[K, dict[str, Array]]:
    """Figures of every resample of `n` samples, `[resamples]` each; all drawers are given the same draws."""
    parts: dict[K, list[Drawn]] = {key: [] for key in drawers}
    for weights in _resamples(n, seed=seed, resamples=resamples):
        for key, drawer in drawers.items():
            parts[key].append(drawer(weights))
    return {key: _joined(found) for key, found in parts.items()}


def intervals(
    drawers: Mapping[K, Drawer], n: int, *, seed: int, resamples: int
) -> dict[K, dict[str, tuple[float, float]]]:
    """Percentile bootstrap intervals at 95 %: samples are drawn with replacement, all figures from one draw.

    B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1979); the percentile
    interval: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13. Samples are taken as
    independent: clips of one film are not, and their true intervals are wider.
    """
    found = drawn(drawers, n, seed=seed, resamples=resamples)
    return {key: {name: percentiles(values) for name, values in each.items()} for key, each in found.items()}


def percentiles(values: Array) -> tuple[float, float]:
    """The 95 % percentile interval of what was drawn; undefined draws are left out, and NaN where all are."""
    values = values[~np.isnan(values)]
    if not len(values):
        return math.nan, math.nan
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def reaching(ends: Mapping[str, tuple[float, float]], means: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """The same intervals; those of calibration errors begin at the figure itself at the latest.

    Samples that are drawn twice look like bins that are off: resampling makes these errors larger on the whole, and a
    percentile interval may lie above the figure that it belongs to.
    """
    return {
        name: (min(low, means[name]), high) if "ECE" in name and name in means else (low, high)
        for name, (low, high) in ends.items()
    }


def _resamples(n: int, *, seed: int, resamples: int) -> Iterator[Array]:
    generator = np.random.default_rng(seed)
    chunk = max(1, _CELLS // n)
    for start in range(0, resamples, chunk):
        yield _weights(generator, min(chunk, resamples - start), n)


def _weights(generator: np.random.Generator, r: int, n: int) -> Array:
    """How often each of `n` samples is drawn in each of `r` resamples; one count over all, each in its own range."""
    drawn = generator.integers(n, size=(r, n)) + n * np.arange(r)[:, None]
    return np.bincount(drawn.ravel(), minlength=r * n).reshape(r, n).astype(np.float64)


def _joined(parts: Sequence[Drawn]) -> dict[str, Array]:
    """Chunks one after the other; a figure that a chunk lacks is undefined there."""
    names = dict.fromkeys(name for part in parts for name in part)
    lengths = [len(next(iter(part.values()))) if part else 0 for part in parts]
    lacking = [np.full(length, math.nan) for length in lengths]
    return {
        name: np.concatenate([part.get(name, none) for part, none in zip(parts, lacking, strict=True)])
        for name in names
    }


def _matrix(cells: Sequence[Sequence[float]], names: Sequence[str]) -> Array:
    return np.array(cells, dtype=np.float64).reshape(len(cells), len(names))


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
