"""Means over samples and how far they would move on another draw of the same size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Combine = Callable[[Mapping[str, float]], Mapping[str, float]]
Rows = Sequence[Mapping[str, float | None]]
Counts = Sequence[Mapping[str, float]]

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
        self._values: NDArray[np.float64] = np.hstack([_matrix(cells, self.names), _matrix(beside, self._counted)])
        self._combine = combine

    @property
    def denominators(self) -> dict[str, int]:
        """Samples that count, a metric."""
        counts = (~np.isnan(self._values[:, : len(self.names)])).sum(axis=0)
        return {name: int(count) for name, count in zip(self.names, counts, strict=True)}

    def means(self) -> dict[str, float]:
        """Mean a metric, then the combined ones; NaN where nothing counts."""
        ones = np.ones((1, len(self._values)))
        return self._combined(self._weighted(ones)[0])

    def intervals(self, *, seed: int, resamples: int) -> dict[str, tuple[float, float]]:
        """Percentile bootstrap intervals at 95 %: samples are drawn with replacement, all metrics from one draw.

        B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1979); the percentile
        interval: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13. Samples are taken as
        independent: clips of one film are not, and their true intervals are wider.
        """
        generator = np.random.default_rng(seed)
        n = len(self._values)
        chunk = max(1, _CELLS // n)
        drawn: dict[str, list[float]] = {}
        for start in range(0, resamples, chunk):
            weights = _weights(generator, min(chunk, resamples - start), n)
            for row in self._weighted(weights):
                for name, value in self._combined(row).items():
                    drawn.setdefault(name, []).append(value)
        return {name: _percentiles(np.array(values)) for name, values in drawn.items()}

    def _weighted(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """`[r, n] -> [r, k]`."""
        present = ~np.isnan(self._values)
        with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN that says "nothing counts here"
            means: NDArray[np.float64] = (weights @ np.nan_to_num(self._values)) / (weights @ present)
        return means

    def _combined(self, row: NDArray[np.float64]) -> dict[str, float]:
        means = {name: float(value) for name, value in zip((*self.names, *self._counted), row, strict=True)}
        found = {name: means[name] for name in self.names}
        return found | {name: float(value) for name, value in self._combine(means).items()}


def _weights(generator: np.random.Generator, r: int, n: int) -> NDArray[np.float64]:
    """How often each of `n` samples is drawn in each of `r` resamples; one count over all, each in its own range."""
    drawn = generator.integers(n, size=(r, n)) + n * np.arange(r)[:, None]
    return np.bincount(drawn.ravel(), minlength=r * n).reshape(r, n).astype(np.float64)


def _matrix(cells: Sequence[Sequence[float]], names: Sequence[str]) -> NDArray[np.float64]:
    return np.array(cells, dtype=np.float64).reshape(len(cells), len(names))


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _percentiles(values: NDArray[np.float64]) -> tuple[float, float]:
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
