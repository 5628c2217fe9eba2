"""Figures of one map: before, after on other samples, inside; and what is said of samples that are too few."""

from __future__ import annotations

import numpy as np
import pytest

from vlmkit.calibration import Rule, Temperature, ece, log_loss
from vlmkit.calibration.figures import ANSWERS, Evidence, cautions, measured
from vlmkit.errors import DataError


def drawn(n: int, sharpness: float = 4.0, classes: tuple[str, ...] = ("no", "yes"), seed: int = 0) -> Evidence:
    """Logits that are too large by `sharpness`."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 1.5, n)
    found = Evidence("one", classes)
    for value in z:
        found.add((0.0, float(value) * sharpness), int(rng.random() < 1 / (1 + np.exp(-value))))
    return found


def test_before_is_of_the_plain_softmax_and_inside_of_the_map() -> None:
    evidence = drawn(400)
    row = measured(evidence, "temperature", "f1")
    p = Temperature(1.0).probabilities(evidence.logits)
    right = p.argmax(axis=1) == evidence.labels
    assert row.fitted.ece.before == pytest.approx(ece(p.max(axis=1), right))
    inside = row.map.probabilities(evidence.logits)
    assert row.fitted.log_loss.inside == pytest.approx(log_loss(inside[:, 1], evidence.labels))
    assert row.fitted.log_loss.inside < row.fitted.log_loss.after  # type: ignore[operator]
    assert row.fitted.log_loss.after < row.fitted.log_loss.before  # type: ignore[operator]
    assert row.fitted.positives == sum(evidence.labels)
    assert row.fitted.threshold is not None
    assert row.fitted.notes == ()


def test_confidence_of_an_answer_may_be_below_one_half() -> None:
    """Of answers in words it is the given one that counts, not the more probable of wrong and right."""
    evidence = Evidence("reply", ANSWERS)
    for index in range(100):
        evidence.add((0.0, float(np.log(0.2 / 0.8))), int(index % 5 == 0))
    row = measured(evidence, "platt", "f1")
    assert row.fitted.ece.before == pytest.approx(0.0, abs=1e-9)
    assert row.fitted.threshold is None


def test_three_classes_have_no_threshold_and_no_positives() -> None:
    rng = np.random.default_rng(0)
    evidence = Evidence("one", ("a", "b", "c"))
    for label in rng.integers(3, size=90).tolist():
        evidence.add(tuple((2 * np.eye(3)[label] + rng.normal(0, 1, 3)).tolist()), label)
    row = measured(evidence, "isotonic", "f1")
    assert (row.fitted.threshold, row.fitted.positives) == (None, None)
    assert row.fitted.brier.before is not None


def test_a_map_that_does_not_help_is_said() -> None:
    row = measured(drawn(40, sharpness=1.0, seed=3), "isotonic", None)
    assert any("log loss on other samples gets worse" in note for note in row.fitted.notes)


def test_an_endless_log_loss_is_none() -> None:
    assert measured(drawn(40, seed=3), "isotonic", None).fitted.log_loss.after is None


def test_a_class_of_one_sample_is_refused() -> None:
    evidence = drawn(50)
    evidence.labels[:] = [0] * 49 + [1]
    with pytest.raises(DataError, match="only 1 of 50 samples is 'yes'"):
        measured(evidence, "temperature", "f1")


def test_few_samples_are_said_once_a_class() -> None:
    evidence = drawn(29)
    evidence.labels[:] = [1] * 25 + [0] * 4
    assert [text.split(":")[0].split(" (")[0] for text in cautions(evidence)] == [
        "only 29 samples",
        "only 4 of 29 are 'no'",
    ]
    assert list(cautions(drawn(100))) == []


def test_a_map_that_turns_answers_round_is_refused() -> None:
    """The surer, the less often right: Platt's slope is negative, as no temperature can be."""
    evidence = drawn(200)
    evidence.labels[:] = [1 - label for label in evidence.labels]
    with pytest.raises(DataError, match=r"its slope would be -0\.2\d*: the surer, the less often right"):
        measured(evidence, "platt", None)
    assert measured(evidence, "temperature", None).fitted.notes  # at its bound, which says so


@pytest.mark.parametrize(("rule", "answer"), [(("recall", 1.0), "yes"), ("macro-f1", "no")])
def test_a_threshold_that_gives_everybody_one_label_is_said(rule: Rule, answer: str) -> None:
    evidence = Evidence("one", ("no", "yes"))
    for index in range(40):
        evidence.add((0.0, float(index)), int(index < 10))  # the highest are all "no"
    row = measured(evidence, "temperature", rule)
    assert row.fitted.threshold is not None
    assert f"the threshold answers {answer!r} to every sample: it tells nothing apart" in row.fitted.notes


def test_a_temperature_that_makes_every_answer_certain_is_refused() -> None:
    evidence = Evidence("one", ("no", "yes"))
    for index in range(40):
        evidence.add((0.0, index - 19.5), int(index > 19))
    with pytest.raises(DataError, match="no error is among the samples, so nothing says how sure is too sure"):
        measured(evidence, "temperature", None)
    assert measured(evidence, "platt", None).map.probabilities([(0.0, 0.5)])[0, 1] < 0.9
