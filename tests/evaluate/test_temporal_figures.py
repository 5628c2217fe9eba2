"""Figures of timed events against plain computations over samples that are really repeated."""

from __future__ import annotations

import numpy as np
import pytest

from vlmkit.evaluate.temporal import drawn_medians


@pytest.mark.parametrize("seed", range(5))
def test_medians_equal_those_of_repeated_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 12
    owners = rng.integers(n, size=20)
    values = rng.integers(6, size=20) / 2
    weights = rng.integers(4, size=(50, n)).astype(float)
    found = drawn_medians(values.tolist(), owners.tolist(), weights)
    for row, median in zip(weights, found, strict=True):
        assert median == np.median(np.repeat(values, row[owners].astype(int)))


def test_a_median_of_nothing_is_undefined() -> None:
    assert np.isnan(drawn_medians([], [], np.ones((3, 2)))).all()
    found = drawn_medians([1.0, 3.0], [0, 1], np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 2.0]]))
    assert np.isnan(found[0])
    assert found[1:].tolist() == [2.0, 3.0]
