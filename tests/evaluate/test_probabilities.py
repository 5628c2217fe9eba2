"""Figures of probabilities are scikit-learn's; what is not there cannot help."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, precision_recall_curve, roc_auc_score

from tests.evaluate.sure import SCORING, Spam, answered, messages, task
from vlmkit.calibration import error
from vlmkit.errors import DataError
from vlmkit.evaluate import evaluate, probabilities
from vlmkit.evaluate.probabilities import LOWER, Probabilities, threshold_curves
from vlmkit.types import Prediction, Problem

NAMES = ("AUROC", "PR-AUC", "Brier", "log loss", "ECE", "adaptive ECE", "classwise ECE")


def of(truths: Sequence[str], p: Sequence[Mapping[str, float] | None]) -> Probabilities:
    """Of any classes."""
    scoring = replace(
        SCORING,
        label=lambda one: one.label,
        probabilities=lambda one: dict(zip(("a", "b", "c"), map(float, one.tongue.split()), strict=False)),
    )
    answers = [None if row is None else Spam("a", " ".join(map(str, row.values()))) for row in p]
    return Probabilities.of(scoring, [f"s{i}" for i in range(len(p))], [Spam(truth) for truth in truths], answers)


def drawn(classes: str, n: int, seed: int) -> Probabilities:
    """Random probabilities, somewhat right."""
    rng = np.random.default_rng(seed)
    truths = [classes[k] for k in rng.integers(len(classes), size=n)]
    raw = [rng.random(len(classes)) + [name == truth for name in classes] for truth in truths]
    return of(truths, [dict(zip(classes, row / row.sum(), strict=True)) for row in raw])


@pytest.mark.parametrize("seed", range(3))
def test_two_classes_are_scored_as_scikit_learn_does(seed: int) -> None:
    found = drawn("ab", 50, seed)
    means, truth, p = found.means(), found.truth, found.values[:, 1]
    assert tuple(means) == NAMES
    assert means["AUROC"] == pytest.approx(roc_auc_score(truth, p))
    assert means["PR-AUC"] == pytest.approx(average_precision_score(truth, p))
    assert means["Brier"] == pytest.approx(brier_score_loss(truth, p))
    assert means["log loss"] == pytest.approx(log_loss(truth, p))
    assert means["ECE"] == pytest.approx(error.ece(np.maximum(p, 1 - p), (p > 0.5) == truth))


@pytest.mark.parametrize("seed", range(3))
def test_three_classes_are_the_mean_of_one_against_the_rest(seed: int) -> None:
    found = drawn("abc", 60, seed)
    means = found.means()
    assert means["AUROC"] == pytest.approx(roc_auc_score(found.truth, found.values, multi_class="ovr"))
    assert means["PR-AUC"] == pytest.approx(average_precision_score(np.eye(3)[found.truth], found.values))
    assert means["Brier"] == pytest.approx(brier_score_loss(found.truth, found.values))


@pytest.mark.parametrize("classes", ["ab", "abc"])
def test_one_draw_of_every_sample_is_the_data_itself(classes: str) -> None:
    found = drawn(classes, 60, 4)
    once = found.drawn(np.ones((1, 60)))
    assert {name: float(values[0]) for name, values in once.items()} == pytest.approx(found.means())


def test_a_missing_answer_is_certain_and_wrong() -> None:
    there = [{"a": 0.1, "b": 0.9}, {"a": 0.8, "b": 0.2}, {"a": 0.3, "b": 0.7}]
    full, less = of(["b", "a", "b"], there), of(["b", "a", "b"], [*there[:2], None])
    assert less.values[2].tolist() == [1.0, 0.0]
    better, worse = full.means(), less.means()
    assert (better["AUROC"], worse["AUROC"]) == (1.0, 0.5)
    assert worse["Brier"] > better["Brier"]
    assert worse["log loss"] > 10
    assert list(less.notes()) == [
        "1 samples without an answer count in figures of probabilities as certain of a wrong class"
    ]


def test_one_class_only_has_no_ranking_and_says_so() -> None:
    found = of(["a", "a"], [{"a": 0.9, "b": 0.1}, {"a": 0.4, "b": 0.6}])
    means = found.means()
    assert math.isnan(means["AUROC"])
    assert math.isnan(means["PR-AUC"])
    assert means["Brier"] == pytest.approx((0.01 + 0.36) / 2)
    assert list(found.notes()) == ["AUROC and PR-AUC are undefined: the truth holds one class only, 'a'"]


def test_a_true_class_that_no_answer_names_was_held_impossible() -> None:
    found = of(["a", "c"], [{"a": 0.9, "b": 0.1}, {"a": 0.4, "b": 0.6}])
    assert found.classes == ("a", "b", "c")
    assert found.values[1, 2] == 0.0


@pytest.mark.parametrize("p", [math.nan, -0.1, 1.5])
def test_what_is_no_probability_is_refused_by_name(p: float) -> None:
    samples = messages(12)
    bad = [Prediction(samples[3].id, Spam("yes", "en", p))]
    with pytest.raises(DataError, match=r"m003: the probabilities of an answer are 0\.\.1 and sum to 1; given"):
        evaluate(task(), samples, bad)


def test_the_curve_is_that_of_scikit_learn_and_knows_the_chosen_threshold() -> None:
    found = drawn("ab", 40, 1)
    (curve,) = threshold_curves(found, {"b": 0.4})
    precision, recall, thresholds = precision_recall_curve(found.truth == 1, found.values[:, 1])
    assert curve.name == "b"
    assert curve.chosen == 0.4
    assert curve.thresholds == pytest.approx(thresholds.tolist())
    assert curve.precision == pytest.approx(precision[:-1].tolist())
    assert max(curve.f1) == pytest.approx(max(2 * p * r / (p + r) for p, r in zip(precision, recall, strict=True) if r))


def test_a_long_curve_is_thinned_and_keeps_its_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probabilities, "_POINTS", 10)
    found = drawn("ab", 60, 2)
    (curve,) = threshold_curves(found, {})
    assert len(curve.thresholds) == 10
    assert (curve.thresholds[0], curve.thresholds[-1]) == (found.values[:, 1].min(), found.values[:, 1].max())
    assert curve.chosen is None


def test_a_report_holds_them_with_intervals_baselines_and_directions() -> None:
    samples = messages()
    report = evaluate(task(), samples, answered(samples))
    assert set(NAMES) < set(report.metrics)
    assert report.lower_is_better == LOWER
    for name in NAMES[:5]:
        low, high = report.intervals[name]
        assert low < high
    low, high = report.intervals["AUROC"]
    assert low < report.metrics["AUROC"] < high
    assert report.baselines["majority"]["AUROC"] == 0.5
    assert report.thresholds[0].chosen == 0.5
    assert not any("Brier" in warning or "ECE" in warning for warning in report.warnings)


def test_an_error_no_smaller_than_a_baselines_is_told() -> None:
    samples = messages()
    report = evaluate(task(), samples, answered(samples, skill=-1.0))
    told = [warning for warning in report.warnings if warning.startswith("Brier is not clearly below baseline")]
    assert len(told) == 1
    assert "the interval ends at" in told[0]
    assert not any(warning.startswith("ECE") for warning in report.warnings)


def test_without_scikit_learn_the_plain_figures_still_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sklearn", None)
    samples = messages()
    given = [*answered(samples)[1:], Prediction[Spam](samples[0].id, None, (Problem("refused", "no", fatal=True),))]
    report = evaluate(task(), samples, given)
    assert tuple(report.metrics) == ("accuracy",)
    assert report.thresholds == ()
    assert "pip install 'vlmkit[report]'" in report.warnings[0]
    assert [one.name for one in report.reliability] == ["reply", "label", "tongue"]


def test_calibration_is_of_the_answer_that_is_given_and_not_of_the_likelier_class() -> None:
    """A threshold of .2: `yes` is answered at .3, where `no` would be likelier."""
    truths = [Spam("yes")] * 3 + [Spam("no")] * 7
    given = [Spam("yes", p=0.3)] * 10
    found = Probabilities.of(SCORING, [f"s{i}" for i in range(10)], truths, given)
    assert found.confidence.tolist() == pytest.approx([0.3] * 10)
    assert found.right.tolist() == [True] * 3 + [False] * 7
    assert found.means()["ECE"] == pytest.approx(0.0, abs=1e-12)
