"""The intervals are those of the percentile bootstrap."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vlmkit.evaluate import bootstrap
from vlmkit.evaluate.bootstrap import Table

Row = dict[str, float | None]


def coins(n: int, heads: int) -> list[Row]:
    return [{"heads": float(i < heads)} for i in range(n)]


def test_interval_agrees_with_the_binomial() -> None:
    """The resampled count of heads is Binomial(n, p): its quantiles are known without any resampling."""
    n, heads = 200, 140
    low, high = Table(coins(n, heads), lambda means: {}).intervals(seed=0, resamples=20_000)["heads"]
    spread = 1.96 * math.sqrt(0.7 * 0.3 / n)
    assert low == pytest.approx(0.7 - spread, abs=0.006)
    assert high == pytest.approx(0.7 + spread, abs=0.006)


def test_no_variation_gives_an_interval_of_no_width() -> None:
    assert Table(coins(50, 50), lambda means: {}).intervals(seed=0, resamples=1000)["heads"] == (1.0, 1.0)


def test_combined_metrics_are_computed_inside_each_draw() -> None:
    """a + b is 1 in every sample, so their sum cannot vary, although each of them does."""
    rows: list[Row] = [{"a": float(i % 2), "b": float(1 - i % 2)} for i in range(60)]
    intervals = Table(rows, lambda means: {"sum": means["a"] + means["b"]}).intervals(seed=0, resamples=1000)
    low, high = intervals["a"]
    assert low < 0.45
    assert high > 0.55
    assert intervals["sum"] == pytest.approx((1.0, 1.0))


def test_none_stays_out_of_numerator_and_denominator() -> None:
    table = Table([{"x": 1.0}, {"x": None}, {"x": 0.0}, {}], lambda means: {})
    assert table.means() == {"x": 0.5}
    assert table.denominators == {"x": 2}


def test_drawing_in_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(coins(30, 11), lambda means: {})
    whole = table.intervals(seed=5, resamples=1000)
    monkeypatch.setattr(bootstrap, "_CELLS", 30 * 7)
    assert table.intervals(seed=5, resamples=1000) == whole


def test_a_draw_without_any_counting_sample_is_left_out() -> None:
    rows: list[Row] = [{"x": 1.0}, {"x": None}, {"x": None}, {"x": None}]
    assert Table(rows, lambda means: {}).intervals(seed=0, resamples=1000)["x"] == (1.0, 1.0)


def test_means_are_exact() -> None:
    values = np.random.default_rng(0).random(101)
    table = Table([{"x": float(value)} for value in values], lambda means: {})
    assert table.means()["x"] == pytest.approx(values.mean())
