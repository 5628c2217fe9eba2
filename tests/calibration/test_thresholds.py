"""Choosing a threshold: by rule, exactly, and against a search by hand with scikit-learn's figures."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from vlmkit.calibration import SEED_GRID, Rule, choose, curve
from vlmkit.errors import DataError

P = np.array([0.1, 0.2, 0.35, 0.4, 0.6, 0.8, 0.9])
TRUTH = np.array([0, 0, 1, 0, 1, 1, 0])


def test_a_clean_cut_lies_halfway() -> None:
    found = choose([0.1, 0.3, 0.7, 0.9], [0, 0, 1, 1])
    assert (found.value, found.best_f1, found.n, found.positives) == (0.5, 1.0, 4, 2)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rule", ["f1", "macro-f1"])
def test_no_other_threshold_is_better(rule: Rule, seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, truth = rng.choice(np.linspace(0, 1, 21), 40), rng.integers(2, size=40)
    average = "binary" if rule == "f1" else "macro"
    scores = [f1_score(truth, p >= t, average=average, zero_division=0) for t in [*np.unique(p), 0.0, 1.1]]
    found = choose(p, truth, by=rule)
    assert f1_score(truth, p >= found.value, average=average, zero_division=0) == pytest.approx(max(scores))
    assert (found.best_f1 if rule == "f1" else found.macro_f1) == pytest.approx(max(scores))


def test_the_curve_is_that_of_scikit_learn() -> None:
    found = curve(P, TRUTH)
    for t, precision, recall, f1, macro in zip(*vars(found).values(), strict=True):
        given = t <= P
        assert recall == pytest.approx(recall_score(TRUTH, given))
        assert f1 == pytest.approx(f1_score(TRUTH, given))
        assert macro == pytest.approx(f1_score(TRUTH, given, average="macro", zero_division=0))
        assert np.isnan(precision) if not given.any() else precision == pytest.approx(precision_score(TRUTH, given))


def test_a_recall_to_reach_gets_the_best_precision() -> None:
    found = choose(P, TRUTH, by=("recall", 1.0))
    assert (found.recall, found.precision) == (1.0, 0.6)
    assert P[1] < found.value < P[2]
    less = choose(P, TRUTH, by=("recall", 0.6))
    assert [less.recall, less.precision] == pytest.approx([2 / 3, 2 / 3])


def test_a_precision_to_reach_gets_the_best_recall() -> None:
    found = choose(P, TRUTH, by=("precision", 0.6))
    assert (found.recall, found.precision) == (1.0, 0.6)
    with pytest.raises(DataError, match=r"no threshold reaches a precision of 0.9 on these samples; the best is 0.667"):
        choose(P, TRUTH, by=("precision", 0.9))


def test_the_coarse_grid_of_earlier_systems() -> None:
    assert len(SEED_GRID) == 17
    assert (SEED_GRID[0], SEED_GRID[1], SEED_GRID[-1]) == (0.1, 0.15, 0.9)
    assert choose(P, TRUTH, grid=SEED_GRID).value == 0.25  # the lowest of the three with the best F1


def test_probabilities_at_the_ends_can_be_told_apart() -> None:
    assert choose([0.0, 1.0], [0, 1]).value == 0.5
    assert choose([0.0, 0.0, 1.0, 1.0], [1, 0, 0, 1], by=("recall", 1.0)).value == 0.0
    close = np.nextafter(0.5, 1)
    assert choose([0.5, close], [0, 1]).best_f1 == 1.0


def test_a_model_that_is_turned_round_may_give_the_label_to_nobody() -> None:
    found = choose([0.1, 0.8, 0.8, 0.8], [1, 0, 0, 0], by="macro-f1")
    assert found.value == pytest.approx(0.9)
    assert (found.best_f1, found.precision) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("p", "truth", "by", "message"),
    [
        ([0.1, 0.9], [1, 1], "f1", "all 2 samples have one label"),
        ([0.1], [0], "f1", "all 1 samples have one label"),
        ([0.1, float("nan")], [0, 1], "f1", "1 of 2 probabilities are not within"),
        ([0.1, 0.9], [0, 2], "f1", "truth of 0 or 1"),
        ([0.1, 0.9], [0], "f1", "one truth"),
        ([0.1, 0.9], [0, 1], "accuracy", "given 'accuracy'"),
        ([0.1, 0.9], [0, 1], ("recall", 0.0), "given recall=0.0"),
    ],
)
def test_what_cannot_be_chosen_from_is_refused(p: list[float], truth: list[int], by: Rule, message: str) -> None:
    with pytest.raises(DataError, match=message):
        choose(p, truth, by=by)
