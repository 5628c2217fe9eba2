"""Figures of weighted draws are those of the libraries over the samples repeated as often as they were drawn."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from vlmkit.calibration import error
from vlmkit.evaluate import weighted
from vlmkit.evaluate.bootstrap import Array, _weights
from vlmkit.evaluate.weighted import Flags


def drawn(seed: int, n: int = 40) -> tuple[Array, Flags, Array]:
    """Scores with ties, outcomes, and how often each was drawn in 12 resamples."""
    rng = np.random.default_rng(seed)
    return np.round(rng.random(n), 1 if seed % 2 else 3), rng.random(n) < 0.4, _weights(rng, 12, n)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (weighted.auroc, lambda p, hit: roc_auc_score(hit, p)),
        (weighted.average_precision, lambda p, hit: average_precision_score(hit, p)),
        (weighted.ece, error.ece),
        (weighted.adaptive_ece, error.adaptive_ece),
        (weighted.aurc, lambda p, hit: error.risk_coverage(p, hit).aurc),
    ],
    ids=["auroc", "average precision", "ece", "adaptive ece", "aurc"],
)
def test_every_draw_is_that_of_the_library(
    ours: Callable[..., Array], theirs: Callable[[Array, Flags], float], seed: int
) -> None:
    scores, positive, weights = drawn(seed)
    found = ours(scores, positive, weights)
    for value, row in zip(found, weights, strict=True):
        repeated = np.repeat(np.arange(len(scores)), row.astype(int))
        assert value == pytest.approx(theirs(scores[repeated], positive[repeated]), abs=1e-12)


def test_a_perfect_and_a_turned_ranking() -> None:
    scores, positive, weights = np.array([0.9, 0.8, 0.2, 0.1]), np.array([True, True, False, False]), np.ones((1, 4))
    assert weighted.auroc(scores, positive, weights) == [1.0]
    assert weighted.auroc(-scores, positive, weights) == [0.0]
    assert weighted.average_precision(scores, positive, weights) == [1.0]


def test_a_draw_of_one_class_is_undefined() -> None:
    scores, positive = np.array([0.9, 0.1]), np.array([True, False])
    assert math.isnan(weighted.auroc(scores, positive, np.array([[2.0, 0.0]]))[0])
    assert math.isnan(weighted.average_precision(scores, positive, np.array([[0.0, 2.0]]))[0])


def test_nothing_drawn_is_undefined() -> None:
    scores, positive, nothing = np.array([0.9, 0.1]), np.array([True, False]), np.zeros((1, 2))
    assert all(math.isnan(figure(scores, positive, nothing)[0]) for figure in (weighted.ece, weighted.adaptive_ece))
    assert math.isnan(weighted.aurc(scores, positive, nothing)[0])


def test_no_sample_at_all_is_undefined() -> None:
    none, nothing = np.zeros(0), np.zeros((2, 0))
    for figure in (weighted.auroc, weighted.average_precision, weighted.aurc, weighted.ece, weighted.adaptive_ece):
        assert np.isnan(figure(none, none.astype(bool), nothing)).tolist() == [True, True]
