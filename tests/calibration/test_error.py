"""Calibration errors: closed forms, torchmetrics, and curves that do not depend on the samples' order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

from vlmkit.calibration import adaptive_ece, brier, classwise_ece, ece, log_loss, reliability_bins, risk_coverage
from vlmkit.errors import DataError


def test_a_sure_and_right_answer_lies_in_the_last_bin() -> None:
    bins = reliability_bins([1.0, 1.0], [True, True], bins=10)
    assert (bins[-1].low, bins[-1].high, bins[-1].n, bins[-1].accuracy) == (0.9, 1.0, 2, 1.0)
    assert sum(one.n for one in bins) == 2
    assert bins[0].accuracy is None
    assert ece([1.0, 1.0], [True, True]) == 0.0
    assert ece([1.0, 1.0], [False, False]) == 1.0


@pytest.mark.parametrize("error", [ece, adaptive_ece])
def test_a_constant_that_holds_has_no_error(error: object) -> None:
    assert callable(error)
    right = [True] * 7 + [False] * 3
    for shuffled in (right, right[::-1]):
        assert error([0.7] * 10, shuffled) == pytest.approx(0.0)
    assert error([0.9] * 10, right) == pytest.approx(0.2)


def test_bins_are_weighted_by_their_samples() -> None:
    assert ece([0.95] * 3 + [0.05], [1, 1, 1, 1], bins=10) == pytest.approx(0.75 * 0.05 + 0.25 * 0.95)


def test_an_edge_belongs_to_the_bin_above() -> None:
    assert [one.n for one in reliability_bins([0.5, 0.25, 0.0], [1, 0, 0], bins=4)] == [1, 1, 1, 0]


def test_a_model_that_is_sure_of_no_is_well_calibrated() -> None:
    """What earlier reports got wrong: p(positive) is no confidence of the answer "no"."""
    p = np.full(100, 0.1)
    truth = np.array([1] * 10 + [0] * 90)
    assert ece(1 - p, truth == 0) == pytest.approx(0.0)
    assert ece(p, truth == 0) == pytest.approx(0.8)


@pytest.mark.parametrize("seed", range(5))
def test_equals_torchmetrics_on_random_cases(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(4), 300).astype(np.float32)
    labels = rng.integers(4, size=300)
    theirs = multiclass_calibration_error(torch.tensor(p), torch.tensor(labels), num_classes=4, n_bins=15, norm="l1")
    assert ece(p.max(axis=1), p.argmax(axis=1) == labels, bins=15) == pytest.approx(float(theirs), abs=1e-5)
    # Its binary form takes p(positive) for the confidence and the label for what happened: one class of classwise_ece.
    binary = [
        float(binary_calibration_error(torch.tensor(p[:, c]), torch.tensor(labels == c).int(), n_bins=15, norm="l1"))
        for c in range(4)
    ]
    assert classwise_ece(p, labels) == pytest.approx(np.mean(binary), abs=1e-5)


def test_adaptive_bins_hold_equally_many() -> None:
    p = np.array([0.90, 0.91, 0.98, 0.99])
    # Two bins of two: |.905 - .5| and |.985 - 1|; equal widths would have put all four into one.
    assert adaptive_ece(p, [1, 0, 1, 1], bins=2) == pytest.approx((0.405 + 0.015) / 2)
    order = [2, 0, 3, 1]
    assert adaptive_ece(p[order], np.array([1, 0, 1, 1])[order], bins=2) == pytest.approx(0.21)


def test_brier_and_log_loss() -> None:
    assert brier([0.8, 0.4], [1, 0]) == pytest.approx((0.04 + 0.16) / 2)
    assert log_loss([0.5, 0.5], [1, 0]) == pytest.approx(np.log(2))
    assert log_loss([1.0], [0]) == np.inf


def test_risk_falls_with_coverage() -> None:
    found = risk_coverage([0.6, 0.9, 0.8, 0.6], [0, 1, 1, 1])
    assert found.thresholds == (0.9, 0.8, 0.6)
    assert found.coverage == (0.25, 0.5, 1.0)
    assert found.risk == (0.0, 0.0, 0.25)
    assert found.aurc == pytest.approx(0.125)


def test_a_constant_confidence_has_the_error_rate_as_its_area() -> None:
    assert risk_coverage([0.5] * 4, [1, 0, 0, 0]).aurc == risk_coverage([0.5] * 4, [0, 0, 0, 1]).aurc == 0.75


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(DataError, match="one at least"):
        ece([], [])
    with pytest.raises(DataError, match="as many outcomes"):
        ece([0.5], [1, 0])
    with pytest.raises(DataError, match="not within"):
        ece([np.nan], [1])
    with pytest.raises(DataError, match="True or False"):
        ece([0.5], [2])
    with pytest.raises(DataError, match="labels below 2"):
        classwise_ece([[0.5, 0.5]], [2])
