"""Two sets of answers to the same samples: paired, directed, refused where they are not about the same."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from tests.evaluate.sure import SCORING, Spam, answered, messages, task
from vlmkit.errors import DataError
from vlmkit.evaluate import compare, evaluate
from vlmkit.evaluate.bootstrap import _weights
from vlmkit.types import Prediction, Problem

SAMPLES = messages(80)
GOOD, POOR = answered(SAMPLES, skill=1.5), answered(SAMPLES, skill=0.3, seed=2)


def test_the_better_one_is_better_in_what_is_high_and_in_what_is_low() -> None:
    found = compare(task(), SAMPLES, GOOD, POOR, names=("good", "poor"))
    assert (found.first, found.second, found.n, found.resamples) == ("good", "poor", 80, 1000)
    for name in ("accuracy", "AUROC", "PR-AUC", "label macro-F1"):
        one = found.differences[name]
        assert one.difference == pytest.approx(one.first - one.second)
        assert 0 < one.interval[0] < one.difference < one.interval[1]
        assert one.better > 0.97
    for name in ("Brier", "log loss"):
        one = found.differences[name]
        assert one.interval[1] < 0
        assert one.better > 0.97


def test_the_interval_is_that_of_the_same_draws_of_both() -> None:
    found = compare(task(), SAMPLES, GOOD, POOR, seed=4).differences["accuracy"]
    truths = [sample.truth.label for sample in SAMPLES if sample.truth]
    first, second = (
        np.array([one.value is not None and one.value.label == truth for one, truth in zip(side, truths, strict=True)])
        for side in (GOOD, POOR)
    )
    weights = _weights(np.random.default_rng(4), 1000, 80)
    apart = weights @ (first.astype(float) - second) / 80
    assert found.interval == pytest.approx(tuple(np.quantile(apart, [0.025, 0.975])))
    assert found.better == pytest.approx((apart > 0).mean() + (apart == 0).mean() / 2)


def test_the_same_answers_do_not_differ() -> None:
    found = compare(task(), SAMPLES, GOOD, list(reversed(GOOD)))
    for one in found.differences.values():
        assert (one.difference, one.interval, one.better) == (0.0, (0.0, 0.0), 0.5)


def test_missing_answers_are_wrong_and_listed() -> None:
    bad = Prediction[Spam]("m001", None, (Problem("refused", "no", fatal=True),))
    found = compare(task(), SAMPLES, GOOD, [bad, *GOOD[2:]])
    assert found.missing_first == ()
    assert found.missing_second == ("m000",)  # the other has a prediction, which has no value
    assert found.differences["accuracy"].second <= found.differences["accuracy"].first


def test_other_samples_and_few_resamples_are_refused() -> None:
    strange = Prediction("m999", Spam("no"))
    with pytest.raises(DataError, match="second: 1 predictions are about samples that are not in the data: m999"):
        compare(task(), SAMPLES, GOOD, [*POOR, strange])
    with pytest.raises(DataError, match="none of 1 predictions is about these samples"):
        compare(task(), SAMPLES, [strange], POOR)
    with pytest.raises(DataError, match="fewer than 1000 draws"):
        compare(task(), SAMPLES, GOOD, POOR, resamples=100)
    with pytest.raises(DataError, match="1 prediction ids come more than once"):
        compare(task(), SAMPLES, GOOD, [*POOR, POOR[0]])


def test_rivals_are_parts_of_the_head_that_answer_alone() -> None:
    """One is blind; the other could be asked about every other sample only, and is as good there."""

    def rivals(answer: Spam) -> dict[str, Spam]:
        even = int(answer.p * 1e6) % 2 == 0
        return {"blind": Spam("no", "en", 0.1), **({"twin": answer} if even else {})}

    report = evaluate(task(replace(SCORING, rivals=rivals)), SAMPLES, GOOD, model="runs/x")
    assert list(report.rivals) == ["blind", "twin"]
    assert report.rivals["blind"]["AUROC"] == 0.5
    blind, twin = report.comparisons
    assert (blind.first, blind.second, blind.n) == ("runs/x", "blind", 80)
    assert blind.differences["accuracy"].interval[0] > 0
    assert twin.n + len(twin.missing_second) == 80
    assert 20 < twin.n < 60
    assert twin.differences["accuracy"].difference == 0.0
    told = [warning for warning in report.warnings if "not clearly different from" in warning]
    assert [warning.partition(" in ")[0] for warning in told] == ["runs/x is not clearly different from twin"]


def test_without_scikit_learn_the_task_s_own_figures_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    found = compare(task(), SAMPLES, GOOD, POOR)
    assert list(found.differences) == ["accuracy", "label accuracy", "label macro-F1", "label micro-F1"]


def test_calibration_errors_are_not_compared() -> None:
    assert not any("ECE" in name for name in compare(task(), SAMPLES, GOOD, POOR).differences)
