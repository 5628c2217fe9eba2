"""Confusions hold every sample that counts, and F1 is scikit-learn's, on the data and in every draw."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from tests.evaluate.sure import SCORING, Spam, answered, messages, task
from vlmkit.evaluate import evaluate
from vlmkit.evaluate.bootstrap import _weights
from vlmkit.evaluate.fields import FieldAnswers, field_answers
from vlmkit.types import Prediction, Problem


def drawn(seed: int, n: int = 50) -> FieldAnswers:
    """A class that is only answered, one that never is, absent answers."""
    rng = np.random.default_rng(seed)
    truths = [str(name) for name in rng.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1])]
    said = [str(name) for name in rng.choice(["a", "b", "d", "-"], n)]
    answers = [truth if rng.random() < 0.4 else other for truth, other in zip(truths, said, strict=True)]
    return FieldAnswers("field", tuple(truths), tuple(None if name == "-" else name for name in answers))


def oracle(truths: list[str], answers: list[str], average: str) -> float:
    labels = sorted(set(truths)) if average == "macro" else sorted({*truths, *answers} - {"-"})
    return float(f1_score(truths, answers, labels=labels, average=average, zero_division=0))


@pytest.mark.parametrize("seed", range(4))
def test_f1_and_accuracy_are_those_of_scikit_learn(seed: int) -> None:
    found = drawn(seed)
    truths, answers = [str(name) for name in found.truths], [name or "-" for name in found.answers]
    means = found.means()
    assert means["accuracy"] == pytest.approx(accuracy_score(truths, answers))
    assert means["macro-F1"] == pytest.approx(oracle(truths, answers, "macro"))
    assert means["micro-F1"] == pytest.approx(oracle(truths, answers, "micro"))


def test_every_draw_is_computed_anew() -> None:
    found = drawn(1)
    weights = _weights(np.random.default_rng(0), 10, 50)
    macro = found.drawn(weights)["macro-F1"]
    for value, row in zip(macro, weights, strict=True):
        places = np.repeat(np.arange(50), row.astype(int))
        truths, answers = [str(found.truths[i]) for i in places], [found.answers[i] or "-" for i in places]
        assert value == pytest.approx(oracle(truths, answers, "macro"))


def test_the_confusion_holds_every_sample_with_no_answer_last() -> None:
    found = drawn(2)
    table = found.table({"F1 a": (0.1, 0.2)})
    truths, answers = [str(name) for name in found.truths], [name or "-" for name in found.answers]
    order = [*table.classes, "-"]
    assert np.array(table.confusion).tolist() == confusion_matrix(truths, answers, labels=order)[:-1].tolist()
    assert sum(map(sum, table.confusion)) == 50
    assert table.classes[:3] == ("a", "b", "c")
    rows = {row.label: row for row in table.rows}
    assert [row.label for row in table.rows] == list(table.classes)
    assert rows["a"].f1_interval == (0.1, 0.2)
    assert rows["d"].f1 is None
    assert rows["d"].predicted == answers.count("d")


def test_a_truth_without_the_field_does_not_count() -> None:
    found = FieldAnswers("x", ("a", None, "b"), ("a", "a", None))
    assert found.table({}).confusion == ((1, 0, 0), (0, 0, 1))
    assert found.means()["accuracy"] == 0.5
    nothing = FieldAnswers("x", (None, None), ("a", None))
    assert nothing.table({}).confusion == ()
    assert all(math.isnan(value) for value in nothing.means().values())


def test_the_label_comes_first_and_each_closed_field_by_its_path() -> None:
    answers = [Spam("no", "de"), None]
    label, tongue = field_answers(SCORING, [Spam("no"), Spam("yes", "fr")], answers)
    assert (label.name, label.truths, label.answers) == ("label", ("no", "yes"), ("no", None))
    assert (tongue.name, tongue.truths, tongue.answers) == ("tongue", ("en", "fr"), ("de", None))


def test_a_report_has_them_with_intervals() -> None:
    samples = messages()
    refused = Prediction[Spam](samples[0].id, None, (Problem("refused", "no", fatal=True),))
    report = evaluate(task(), samples, [refused, *answered(samples)[1:]])
    label, tongue = report.fields
    assert label.rows == report.labels
    assert sum(row[-1] for row in label.confusion) == sum(row[-1] for row in tongue.confusion) == 1
    for table in (label, tongue):
        for row in table.rows:
            assert row.f1 is not None
            assert row.f1_interval is not None
            assert row.f1_interval[0] < row.f1 < row.f1_interval[1]
        low, high = table.intervals["macro-F1"]
        assert low < table.metrics["macro-F1"] < high
