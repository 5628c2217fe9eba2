"""Confidence beside what was right: per field, before and after calibration, of the answers that are there."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.evaluate.sure import SCORING, Spam, answered, messages, task
from vlmkit.calibration import error
from vlmkit.evaluate import evaluate
from vlmkit.types import Prediction, Problem, Sample


def given(n: int = 80) -> tuple[list[Sample], list[Prediction[Spam]]]:
    samples = messages(n)
    return samples, answered(samples)


def test_each_name_is_compared_with_what_it_is_about() -> None:
    samples, answers = given()
    report = evaluate(task(), samples, answers)
    found = {one.name: one for one in report.reliability}
    assert list(found) == ["reply", "label", "tongue"]
    truths = {sample.id: sample.truth for sample in samples}
    pairs = [(truths[one.sample_id], one) for one in answers]
    for name, right in (
        (
            "reply",
            [t is not None and (t.label, t.tongue) == (a.value.label, a.value.tongue) for t, a in pairs if a.value],
        ),
        ("tongue", [t is not None and t.tongue == a.value.tongue for t, a in pairs if a.value]),
    ):
        p, raw = [a.confidence[name] for _, a in pairs], [a.uncalibrated[name] for _, a in pairs]
        one = found[name]
        assert one.n == 80
        assert one.ece_after == one.metrics["ECE"] == pytest.approx(error.ece(p, right))
        assert one.ece_before == one.metrics["ECE before"] == pytest.approx(error.ece(raw, right))
        assert one.metrics["Brier"] == pytest.approx(error.brier(p, right))
        assert one.metrics["adaptive ECE"] == pytest.approx(error.adaptive_ece(p, right))
        assert one.metrics["accuracy"] == pytest.approx(np.mean(right))
        assert one.after == error.reliability_bins(p, right)
        assert one.before == error.reliability_bins(raw, right)
        curve = dict(report.risk)[name]
        assert curve == error.risk_coverage(p, right)
        assert one.metrics["AURC"] == curve.aurc


def test_every_figure_has_an_interval() -> None:
    report = evaluate(task(), *given())
    for one in report.reliability:
        assert one.intervals.keys() == one.metrics.keys()
        for name, (low, high) in one.intervals.items():
            assert low <= one.metrics[name] <= high


def test_an_interval_of_a_calibration_error_holds_the_error_itself() -> None:
    """A constant confidence that is right on the whole has no error, and every draw has one."""
    samples = messages(40)
    hits = sum(sample.truth.label == "yes" for sample in samples if sample.truth)
    even = [Prediction(sample.id, Spam("yes"), confidence={"label": hits / 40}) for sample in samples]
    (one,) = evaluate(task(replace(SCORING, probabilities=None)), samples, even).reliability
    assert one.ece_after == pytest.approx(0.0)
    low, high = one.intervals["ECE"]
    assert low == pytest.approx(0.0)
    assert high > 0.1


def test_only_answers_that_are_there_have_a_confidence() -> None:
    samples, answers = given()
    refused = Prediction[Spam](samples[0].id, None, (Problem("refused", "no", fatal=True),), {"reply": 0.5})
    report = evaluate(task(), samples, [refused, *answers[2:]])
    assert {one.n for one in report.reliability} == {78}
    assert report.n == 80


def test_without_calibration_there_is_no_before() -> None:
    samples, answers = given()
    report = evaluate(task(), samples, [replace(one, uncalibrated={}) for one in answers])
    assert {(one.before, one.ece_before) for one in report.reliability} == {(None, None)}
    assert not any("before" in name for one in report.reliability for name in one.metrics)


def test_what_can_be_neither_right_nor_wrong_is_left_out() -> None:
    samples, answers = given()
    words = [replace(one, confidence={**one.confidence, "summary": 0.4}) for one in answers]
    assert {one.name for one in evaluate(task(), samples, words).reliability} == {"reply", "label", "tongue"}
    unsure = task(replace(SCORING, right=None, fields=None))
    assert [one.name for one in evaluate(unsure, samples, words).reliability] == ["label"]


def test_probabilities_out_of_a_file_stand_in_for_the_confidence_of_the_label() -> None:
    samples, answers = given()
    plain = [Prediction(one.sample_id, one.value) for one in answers]
    (found,) = evaluate(task(), samples, plain).reliability
    assert found.name == "label"
    assert found.ece_after == pytest.approx(evaluate(task(), samples, plain).metrics["ECE"])


@pytest.mark.parametrize("p", [math.nan, math.inf, -0.2, 1.2])
def test_a_confidence_that_is_none_is_left_out_and_said(p: float) -> None:
    samples, answers = given()
    answers[0] = replace(answers[0], confidence={"reply": p})
    report = evaluate(task(), samples, answers)
    assert report.reliability[0].n == 79
    assert "1 predictions have a confidence outside 0..1, which was left out: m000" in report.warnings
