"""Joining by id, denominators, baselines, intervals, warnings."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.evaluate.sure import answered, messages, task
from vlmkit.errors import DataError
from vlmkit.evaluate import Report, evaluate
from vlmkit.evaluate.contract import contract
from vlmkit.testing.fakes import Colour, colours
from vlmkit.types import Prediction, Problem, Sample

TASK = colours()


def make(n: int, *, first_frame: int = 1) -> list[Sample]:
    names = itertools.islice(itertools.cycle(["red", "green", "blue", "blue"]), n)
    return [Sample(f"s{i}", truth=Colour(name, first_frame + 20 * (i % 5))) for i, name in enumerate(names)]


def right(samples: Iterable[Sample]) -> list[Prediction[Colour]]:
    return [Prediction(sample.id, sample.truth) for sample in samples]


def score(samples: list[Sample], predictions: Iterable[Prediction[Colour]], seed: int = 0) -> Report:
    return evaluate(TASK, samples, predictions, seed=seed)


def test_join_is_by_id_and_not_by_place() -> None:
    samples = make(40)
    assert score(samples, reversed(right(samples))).metrics == {"accuracy": 1.0, "near": 1.0, "score": 1.0}


def test_a_missing_prediction_counts_as_wrong() -> None:
    samples = make(40)
    report = score(samples, right(samples)[10:])
    assert report.metrics["accuracy"] == pytest.approx(30 / 40)
    assert report.denominators == {"accuracy": 40, "near": 40}
    assert report.missing == tuple(f"s{i}" for i in range(10))
    assert report.failures == {"missing": 10}
    assert any("10 samples have no prediction" in warning for warning in report.warnings)


def test_a_prediction_without_value_counts_as_wrong_and_its_problem_is_counted() -> None:
    samples = make(40)
    bad = Prediction[Colour]("s0", None, (Problem("media_missing", "gone", fatal=True),))
    report = score(samples, [bad, *right(samples)[1:]])
    assert report.metrics["accuracy"] == pytest.approx(39 / 40)
    assert report.failures == {"media_missing": 1}
    assert [outcome.sample_id for outcome in report.wrong] == ["s0"]
    assert len(report.records) == 39


def test_a_metric_that_does_not_apply_leaves_its_own_denominator_only() -> None:
    samples = make(40, first_frame=0)  # every fifth truth lies at frame 0, which `near` leaves out
    report = score(samples, right(samples))
    assert report.denominators == {"accuracy": 40, "near": 32}


def test_an_undefined_metric_is_nan_and_does_not_spoil_the_others() -> None:
    samples = [Sample(f"s{i}", truth=Colour("red", 0)) for i in range(40)]
    report = score(samples, right(samples))
    assert math.isnan(report.metrics["near"])
    assert report.metrics["accuracy"] == 1.0
    assert report.denominators["near"] == 0


def test_predictions_of_unknown_ids_are_listed_and_left_out() -> None:
    samples = make(40)
    report = score(samples, [*right(samples), Prediction("stranger", Colour("red", 1))])
    assert report.unknown == ("stranger",)
    assert report.n == 40
    assert report.metrics["accuracy"] == 1.0


def test_predictions_of_other_samples_altogether_are_a_mix_up() -> None:
    with pytest.raises(DataError, match="none of 1 predictions is about these samples: ids are like stranger there"):
        score(make(40), [Prediction("stranger", Colour("red", 1))])


def test_samples_without_truth_are_listed_and_left_out() -> None:
    samples = make(40)
    report = score([*samples, Sample("blank")], right(samples))
    assert report.unlabelled == ("blank",)
    assert report.n == 40


@pytest.mark.parametrize("what", ["sample", "prediction"])
def test_an_id_that_comes_twice_is_refused_by_name(what: str) -> None:
    samples = make(4)
    predictions = right(samples)
    if what == "sample":
        samples = [*samples, samples[2]]
    else:
        predictions = [*predictions, predictions[2]]
    with pytest.raises(DataError, match=rf"1 {what} ids come more than once: s2"):
        score(samples, predictions)


def test_no_truth_at_all_is_refused() -> None:
    with pytest.raises(DataError, match="1 samples and no truth"):
        score([Sample("a")], [])


def test_fewer_than_1000_resamples_are_refused() -> None:
    with pytest.raises(DataError, match="999"):
        evaluate(TASK, make(4), [], resamples=999)


def test_baselines_go_through_the_same_rows() -> None:
    samples = make(40)
    report = score(samples, right(samples))
    assert set(report.baselines) == {"constant", "majority", "chance", "shuffled"}
    assert report.baselines["majority"]["accuracy"] == pytest.approx(0.5)  # blue is every second one
    assert report.baselines["constant"]["accuracy"] == pytest.approx(0.25)
    majority = report.baselines["majority"]
    assert majority["score"] == pytest.approx(0.5 * majority["accuracy"] + 0.5 * majority["near"])


def test_counts_checks_and_what_is_forced() -> None:
    """Counts reach `combine` and no table; checks see the sample and no baseline; baselines obey what is forced."""
    scoring = replace(
        TASK.scoring,
        combine=lambda means: {"exact": means.get("hit", 0.0) / (means.get("hit", 0.0) + means.get("miss", 0.0))},
        counts=lambda truth, answer: {"hit" if answer == truth else "miss": 1.0},
        checks=lambda sample, answer: {"short": None if sample.text is None else float(answer is not None)},
        forced=lambda sample, answer: Colour("red", answer.frame) if sample.text else answer,
    )
    samples = [replace(sample, text="red" if i < 10 else None) for i, sample in enumerate(make(40))]
    report = evaluate(replace(TASK, scoring=scoring), samples, right(samples)[4:])
    assert report.metrics == {"accuracy": 0.9, "near": 0.9, "short": 0.6, "exact": 0.9}
    assert report.denominators == {"accuracy": 40, "near": 40, "short": 10}
    assert report.intervals["exact"][0] < 0.9 < report.intervals["exact"][1]
    majority = report.baselines["majority"]  # blue, where it is not forced to be red
    assert list(majority) == ["accuracy", "near", "exact"]
    blue = sum(sample.truth == Colour("blue", sample.truth.frame) for sample in samples[10:] if sample.truth)
    red = sum(sample.truth == Colour("red", sample.truth.frame) for sample in samples[:10] if sample.truth)
    assert majority["accuracy"] == pytest.approx((blue + red) / 40)
    assert not any("short" in warning for warning in report.warnings)


def test_few_samples_are_warned_about() -> None:
    assert any("only 29 samples" in warning for warning in score(make(29), []).warnings)
    assert not any("only" in warning for warning in score(make(30), []).warnings)


def test_rare_classes_are_warned_about() -> None:
    told = [one for one in score(make(40), right(make(40))).warnings if "fewer than 10 samples" in one]
    assert told == []
    (told_once,) = [one for one in score(make(36), right(make(36))).warnings if "fewer than 10 samples" in one]
    assert told_once == "classes of fewer than 10 samples: green (9), red (9); their figures rest on chance"


def test_shuffled_truth_stands_beside_every_figure() -> None:
    samples = make(40)
    shuffled = score(samples, right(samples)).baselines["shuffled"]
    assert shuffled.keys() == {"accuracy", "near", "score"}
    assert 0.2 < shuffled["accuracy"] < 0.6  # 0.375 is expected
    own = replace(TASK.scoring, baselines=lambda truths, ids, seed: {"shuffled": [Colour("green", 0)] * len(ids)})
    report = evaluate(replace(TASK, scoring=own), samples, right(samples))
    assert report.baselines["shuffled"]["accuracy"] == 0.25  # a room's own keeps its name


def test_data_that_a_constant_solves_is_warned_about() -> None:
    samples = [Sample(f"s{i}", truth=Colour("red", 50)) for i in range(40)]
    report = score(samples, right(samples))
    assert report.entropy_bits == 0.0
    told = [warning for warning in report.warnings if "cannot tell a model from a constant" in warning]
    assert any("'red'" in warning for warning in told)
    assert "baselines 'majority', 'shuffled' cannot be beaten in accuracy, near: " in told[2]
    assert len(told) == 3


def test_a_model_that_is_no_better_than_a_baseline_is_told_so() -> None:
    samples = make(40)
    constant = [Prediction(sample.id, Colour("blue", 40)) for sample in samples]
    report = score(samples, constant)
    assert any(
        w.startswith("accuracy is not clearly above baseline 'majority', which gets 0.500") for w in report.warnings
    )
    assert not any(w.startswith("accuracy is") for w in score(samples, right(samples)).warnings)


def test_same_seed_same_report() -> None:
    samples = make(40)
    half = right(samples)[::2]
    assert score(samples, half, seed=3) == score(samples, half, seed=3)
    assert score(samples, half, seed=3).baselines["chance"] != score(samples, half, seed=4).baselines["chance"]


def test_predictions_may_come_from_a_generator() -> None:
    samples = make(40)
    assert score(samples, (answer for answer in right(samples))).n == 40


@pytest.mark.parametrize("n", [1, 2, 3, 7])
@pytest.mark.parametrize("kept", [slice(0, 0), slice(0, 1), slice(0, None)])
def test_little_data_gives_undefined_figures_and_no_error(n: int, kept: slice) -> None:
    samples = messages(n, seed=n)
    report = evaluate(task(), samples, answered(samples)[kept])
    assert report.n == n
    assert sum(map(sum, report.fields[0].confusion)) == n
    assert not report.reliability or report.reliability[0].n == len(samples[kept])
    assert json.loads(json.dumps(contract(report), allow_nan=False))["n"] == n
    assert str(report)


def test_who_always_gives_one_label_has_its_recall_and_is_no_fault_of_the_data() -> None:
    samples = make(40)
    recall = replace(
        TASK.scoring,
        row=lambda truth, answer: {
            **TASK.scoring.row(truth, answer),
            "recall_blue": float(answer is not None and answer.name == "blue") if truth.name == "blue" else None,
        },
    )
    report = evaluate(replace(TASK, scoring=recall), samples, right(samples)[1:])
    assert report.baselines["majority"]["recall_blue"] == 1.0
    assert not any("recall_blue" in warning for warning in report.warnings)


def test_a_rooms_own_lines_begin_with_the_place_in_the_data(tmp_path: Path) -> None:
    own = replace(TASK.scoring, columns=lambda sample, prediction: {"id": sample.id, "text": "a,b"})
    samples = [*make(3), Sample("blank")]
    report = evaluate(replace(TASK, scoring=own), samples, right(samples[:2]))
    lines = (report.save(tmp_path / "r") / "errors.csv").read_text(encoding="utf-8").splitlines()
    assert lines == ["index,id,text", '0,s0,"a,b"', '1,s1,"a,b"', '2,s2,"a,b"', '3,blank,"a,b"']
