from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, precision_score, recall_score

from vlmkit.errors import DataError
from vlmkit.evaluate import Report, evaluate
from vlmkit.testing.fakes import colours
from vlmkit.types import Image, Prediction, Problem, Sample
from vlmkit_plugins.memes.metrics import COLUMNS, SCORING, baselines, checks, columns, combine, counts, rivals, row
from vlmkit_plugins.memes.schema import Labels, Member, Verdict, from_json, to_json, truth

PICTURE = Image("a.jpg")
THRESHOLDS = {"mm_fusion": 0.5, "text_expert": 0.4, "vision_expert": 0.6}


def true(label: int) -> Verdict:
    found = truth(Labels.model_validate({"abuse_hate": label}))
    assert found is not None
    return found


def said(p: float, model: Member = "mm_fusion", **experts: float) -> Verdict:
    """A verdict; with the probabilities of all members by their short names (text, vision)."""
    found = {model: p, **{f"{name}_expert": value for name, value in experts.items()}}
    at = THRESHOLDS[model]
    return Verdict(
        prob_hate=p,
        label=1 if p >= at else 0,
        model=model,
        threshold=at,
        logits=(0.0, 1.0),
        experts=found,
        thresholds={name: THRESHOLDS[name] for name in found},
    )


def answered(verdict: Verdict | None, name: str = "a") -> Prediction[Verdict]:
    return Prediction(name, verdict, () if verdict else (Problem("media_missing", "nothing there", fatal=True),))


def score(truths: Sequence[int], answers: Sequence[Verdict | None]) -> Report:
    samples = [Sample(f"s{i}", {"image": PICTURE}, "words", true(label)) for i, label in enumerate(truths)]
    predictions = [answered(answer, sample.id) for sample, answer in zip(samples, answers, strict=True)]
    fake: Any = colours()
    task = replace(fake, name="memes", scoring=SCORING, to_json=to_json, from_json=from_json)
    return evaluate(task, samples, predictions)


def test_a_row() -> None:
    assert row(true(1), said(0.7)) == {"accuracy": 1.0, "recall_hate": 1.0}
    assert row(true(1), said(0.3)) == {"accuracy": 0.0, "recall_hate": 0.0}
    assert row(true(0), said(0.3)) == {"accuracy": 1.0, "recall_hate": None}


def test_a_missing_answer_is_wrong_and_no_false_alarm() -> None:
    assert row(true(1), None) == {"accuracy": 0.0, "recall_hate": 0.0}
    assert row(true(0), None) == {"accuracy": 0.0, "recall_hate": None}
    assert counts(true(0), None) == {"label=0:true": 1.0}
    assert checks(Sample("a"), None) == {"valid": 0.0}
    assert checks(Sample("a"), said(0.1)) == {"valid": 1.0}


def test_figures_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    truths = [int(hate) for hate in rng.random(300) < 0.3]
    answers = [said(float(np.clip(0.35 + 0.3 * label + rng.normal() * 0.3, 0, 1))) for label in truths]
    given = [answer.label for answer in answers]
    metrics = score(truths, list(answers)).metrics
    assert metrics["macro_f1"] == pytest.approx(f1_score(truths, given, average="macro"))
    assert metrics["micro_f1"] == pytest.approx(f1_score(truths, given, average="micro"))
    assert metrics["f1_hate"] == pytest.approx(f1_score(truths, given))
    assert metrics["precision_hate"] == pytest.approx(precision_score(truths, given))
    assert metrics["recall_hate"] == pytest.approx(recall_score(truths, given))
    assert metrics["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truths, given))
    assert 0.3 < metrics["f1_hate"] < 0.9


def test_missing_answers_lower_recall_and_leave_precision() -> None:
    metrics = score([1, 1, 0, 0], [said(0.9), None, said(0.1), None]).metrics
    assert (metrics["recall_hate"], metrics["precision_hate"], metrics["balanced_accuracy"]) == (0.5, 1.0, 0.5)
    assert metrics["f1_hate"] == pytest.approx(2 / 3)
    assert metrics["micro_f1"] == pytest.approx(4 / 6)
    assert (metrics["accuracy"], metrics["valid"]) == (0.5, 0.5)


def test_what_nothing_defines_is_not_zero() -> None:
    found = combine({"label=0:true": 1.0, "label=0:said": 1.0, "label=0:hit": 1.0})
    assert all(math.isnan(found[name]) for name in ("precision_hate", "f1_hate", "balanced_accuracy"))
    assert (found["macro_f1"], found["micro_f1"]) == (1.0, 1.0)


def test_a_majority_answer_is_seen_through() -> None:
    """Nine in ten right by always saying no: 0.9 accuracy, and 0.474 macro-F1."""
    metrics = score([1] * 5 + [0] * 45, [said(0.1)] * 50).metrics
    assert metrics["accuracy"] == pytest.approx(0.9)
    assert metrics["macro_f1"] == pytest.approx(0.474, abs=5e-4)
    assert metrics["balanced_accuracy"] == 0.5


@pytest.mark.parametrize(("hateful", "majority"), [(0, 0), (12, 0), (20, 0), (28, 1), (40, 1)])
def test_baselines_never_look(hateful: int, majority: int) -> None:
    truths = [true(1)] * hateful + [true(0)] * (40 - hateful)
    ids = [str(number) for number in range(40)]
    found = baselines(truths, ids, seed=3)
    assert list(found) == ["constant", "majority", "chance"]
    assert all(len(answers) == 40 for answers in found.values())
    assert {answer.label for answer in found["constant"]} == {0}
    assert {answer.label for answer in found["majority"]} == {majority}
    for name in found:
        assert [answer.prob_hate for answer in found[name]] == pytest.approx([hateful / 40] * 40)
    assert found == baselines(truths, ids, seed=3)
    if 0 < hateful < 40:
        assert {answer.label for answer in found["chance"]} == {0, 1}
        assert found["chance"] != baselines(truths, ids, seed=4)["chance"]
    with pytest.raises(DataError, match="none was given"):
        baselines([], ids, seed=0)


def test_baselines_stand_beside_the_figures() -> None:
    truths = [index % 4 == 0 for index in range(400)]
    report = score([int(hate) for hate in truths], [said(0.9 if hate else 0.1) for hate in truths])
    assert report.metrics["macro_f1"] == 1.0
    assert report.baselines["majority"]["accuracy"] == 0.75
    assert {"constant", "majority", "chance", "shuffled"} == set(report.baselines)
    for name in report.baselines:
        assert report.baselines[name]["balanced_accuracy"] == pytest.approx(0.5, abs=0.08)
        assert report.baselines[name]["macro_f1"] < 0.6
        assert "valid" not in report.baselines[name]


def test_rivals_answer_by_their_own_thresholds() -> None:
    found = rivals(said(0.7, text=0.45, vision=0.45))
    assert {name: (one.label, one.prob_hate, one.threshold, one.model) for name, one in found.items()} == {
        "text_expert": (1, 0.45, 0.4, "text_expert"),
        "vision_expert": (0, 0.45, 0.6, "vision_expert"),
    }
    assert rivals(said(0.7, model="text_expert")) == {}
    assert rivals(true(1)) == {}


@pytest.mark.parametrize(
    ("text", "has_picture", "meta", "wanted"),
    [
        ("words", True, {"dataset": "synth", "settled_by": "both"}, {"dataset": "synth", "settled_by": "both"}),
        ("words", False, {"functionality": "slur_h", "target_ident": None}, {"functionality": "slur_h"}),
        (None, True, {"language": "de"}, {"language": "de"}),
        (" ", False, {}, {}),
    ],
)
def test_slices(text: str | None, has_picture: bool, meta: dict[str, Any], wanted: Mapping[str, str]) -> None:
    used = "+".join(["text"] * (text == "words") + ["image"] * has_picture) or "nothing"
    found = SCORING.slices
    assert found is not None
    assert found(Sample("a", {"image": PICTURE} if has_picture else {}, text, meta=meta)) == {"given": used, **wanted}


def test_an_error_line_has_the_columns_that_were_agreed() -> None:
    line = columns(Sample("a", {}, "some words", true(1)), answered(said(0.7, text=0.1, vision=0.2)))
    assert tuple(line) == COLUMNS
    assert line == {
        "id": "a",
        "text": "some words",
        "label": 1,
        "text_prob": 0.1,
        "text_pred": 0,
        "vision_prob": 0.2,
        "vision_pred": 0,
        "fusion_prob": 0.7,
        "fusion_pred": 1,
        "fusion_error_type": "TP",
        "all_models_agree": 0,
        "fusion_correct_both_wrong": 1,
        "answered_by": "mm_fusion",
        "answer": 1,
        "problems": "",
    }


@pytest.mark.parametrize(("label", "p", "kind"), [(1, 0.9, "TP"), (0, 0.1, "TN"), (0, 0.9, "FP"), (1, 0.1, "FN")])
def test_error_types(label: int, p: float, kind: str) -> None:
    line = columns(Sample("a", truth=true(label)), answered(said(p, text=p, vision=p)))
    assert (line["fusion_error_type"], line["all_models_agree"]) == (kind, 1)
    assert line["fusion_correct_both_wrong"] == 0


def test_cells_are_empty_where_nobody_could_be_asked() -> None:
    sample = Sample("a", {}, "words", true(0))
    alone = columns(sample, answered(said(0.7, model="text_expert")))
    assert (alone["text_prob"], alone["text_pred"]) == (0.7, 1)
    empty = {name for name, value in alone.items() if value == ""}
    assert empty == {
        *("vision_prob", "vision_pred", "fusion_prob", "fusion_pred"),
        *("fusion_error_type", "all_models_agree", "fusion_correct_both_wrong", "problems"),
    }
    assert (alone["answered_by"], alone["answer"]) == ("text_expert", 1)
    for nothing in (None, answered(None)):
        line = columns(sample, nothing)
        assert {name for name, value in line.items() if value != ""} - {"problems"} == {"id", "text", "label"}
    unknown = columns(Sample("a", {}, "words"), answered(said(0.7, text=0.8, vision=0.9)))
    assert (unknown["label"], unknown["fusion_error_type"], unknown["fusion_correct_both_wrong"]) == ("", "", "")
    assert (unknown["fusion_pred"], unknown["all_models_agree"]) == (1, 1)


def test_an_answer_out_of_a_file_fills_the_cells_of_its_own_member() -> None:
    kept = said(0.7, text=0.1).model_copy(update={"experts": {}, "thresholds": {}})
    line = columns(Sample("a", truth=true(0)), answered(kept))
    assert (line["fusion_prob"], line["fusion_pred"], line["fusion_error_type"]) == (0.7, 1, "FP")
    assert (line["text_prob"], line["all_models_agree"]) == ("", "")


def test_lines_come_back_out_of_a_csv(tmp_path: Path) -> None:
    line = columns(Sample("a", truth=true(1), text='an "a", and\na b'), answered(said(0.7)))
    with (tmp_path / "errors.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerow(line)
    with (tmp_path / "errors.csv").open(newline="") as file:
        (back,) = csv.DictReader(file)
    assert back == {name: str(value) for name, value in line.items()}


def test_what_the_shared_report_asks_for() -> None:
    verdict = said(0.7)
    assert SCORING.label(verdict) == "1"
    assert SCORING.fields is not None and SCORING.fields(verdict) == {"label": "1"}
    assert SCORING.right is not None and SCORING.right(true(1), verdict) and not SCORING.right(true(0), verdict)
    assert SCORING.probabilities is not None
    assert SCORING.probabilities(verdict) == pytest.approx({"0": 0.3, "1": 0.7})
    assert list(SCORING.probabilities(verdict))[-1] == "1"  # the positive class
    assert SCORING.thresholds is not None and SCORING.thresholds(verdict) == {"1": 0.5}
