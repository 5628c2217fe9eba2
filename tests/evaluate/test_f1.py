"""Counts and their ratio are scikit-learn's macro-F1, on a whole data set and in every draw from it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
from sklearn.metrics import f1_score

from vlmkit.evaluate.bootstrap import Table, _weights
from vlmkit.evaluate.f1 import f1_counts, macro_f1

Pair = tuple[str, str | None]


def drawn(n: int, seed: int) -> list[Pair]:
    """Answers that are right half of the time; one class is never true, and some samples have no answer."""
    rng = np.random.default_rng(seed)
    truths = [str(label) for label in rng.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1])]
    guesses = [str(label) for label in rng.choice(["a", "b", "c", "d", "none"], n)]
    answers = [truth if rng.random() < 0.5 else guess for truth, guess in zip(truths, guesses, strict=True)]
    return [(truth, None if answer == "none" else answer) for truth, answer in zip(truths, answers, strict=True)]


def oracle(pairs: list[Pair]) -> float:
    truths = [truth for truth, _ in pairs]
    answers = [answer or "no answer" for _, answer in pairs]
    return float(f1_score(truths, answers, labels=sorted(set(truths)), average="macro", zero_division=0))


def table(pairs: list[Pair]) -> Table:
    def combine(means: Mapping[str, float]) -> dict[str, float]:
        return {"f1": macro_f1("x", means)}

    rows = [{"right": float(truth == answer)} for truth, answer in pairs]
    return Table(rows, combine, [f1_counts("x", truth, answer) for truth, answer in pairs])


@pytest.mark.parametrize("seed", range(5))
def test_macro_f1_is_that_of_scikit_learn(seed: int) -> None:
    pairs = drawn(60, seed)
    means = table(pairs).means()
    assert means["f1"] == pytest.approx(oracle(pairs))
    assert list(means) == ["right", "f1"]  # counts are no metrics
    assert table(pairs).denominators == {"right": 60}


def test_the_interval_is_that_of_recomputing_every_draw() -> None:
    pairs, n_draws = drawn(40, 7), 40
    low, high = table(pairs).intervals(seed=3, resamples=n_draws)["f1"]
    weights = _weights(np.random.default_rng(3), n_draws, len(pairs)).astype(int)
    scores = [oracle([pair for pair, times in zip(pairs, row, strict=True) for _ in range(times)]) for row in weights]
    assert (low, high) == pytest.approx(tuple(np.quantile(scores, [0.025, 0.975])))
    assert high - low > 0.1


def test_nothing_true_has_no_f1() -> None:
    assert math.isnan(macro_f1("x", {}))
    assert math.isnan(macro_f1("x", f1_counts("y", "a", "a")))


def test_a_field_whose_name_begins_another_is_kept_apart() -> None:
    assert macro_f1("x", {**f1_counts("x", "a", "a"), **f1_counts("xy", "a", None)}) == 1.0
