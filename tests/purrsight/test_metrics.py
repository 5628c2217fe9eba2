from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from tests.purrsight.reports import ALARMED, BLANK, CALM, report
from vlmkit.errors import DataError
from vlmkit.evaluate import Report, evaluate
from vlmkit.types import Clip, Generation, Image, Media, Modality, Prediction, Problem, Sample, Sound
from vlmkit_plugins.purrsight.head import decoder, task
from vlmkit_plugins.purrsight.metrics import SCORING, baselines, checks, combine, counts, forced, row
from vlmkit_plugins.purrsight.schema import MARKERS, VOCABULARY, CatReport, masked
from vlmkit_plugins.purrsight.synth import tell

MUTE: dict[str, Any] = {**CALM, "vocalization": "not_observed"}
FILES: dict[Modality, Media] = {"image": Image("a.png"), "audio": Sound("a.wav"), "video": Clip("a.mp4")}


def synthetic(n: int) -> list[Sample]:
    """Samples as the room draws them, without their files."""
    samples = []
    for index in range(n):
        story = tell(1, index)
        files = {name: file for name, file in FILES.items() if name in story.modalities}
        if "video" in files:
            files.pop("audio", None)
        text = "words" if story.mentioned else None
        samples.append(Sample(f"s{index}", files, text, CatReport.model_validate(story.truth)))
    return samples


def truths_of(samples: list[Sample]) -> list[CatReport]:
    return [CatReport.model_validate(sample.truth) for sample in samples]


def score(samples: list[Sample], answers: list[CatReport | None]) -> Report:
    bad = (Problem("not_json", "no JSON", fatal=True),)
    predictions = [
        Prediction(sample.id, answer, () if answer else bad) for sample, answer in zip(samples, answers, strict=True)
    ]
    return evaluate(task(), samples, predictions)


def test_a_row() -> None:
    same = dict.fromkeys(VOCABULARY, 1.0)
    assert row(report(), report()) == {**same, "fields": 1.0, "exact": 1.0, "risk_recall": None}
    almost = row(report(), report(tail="lashing", risk_rating=2))
    assert (almost["tail"], almost["risk_rating"], almost["fields"], almost["exact"]) == (0.0, 0.0, 6 / 8, 0.0)
    hidden = row(report(MUTE), report())
    assert (hidden["vocalization"], hidden["fields"]) == (None, 7 / 8)


def test_a_missing_answer_counts_as_wrong_in_every_denominator() -> None:
    assert set(row(report(ALARMED), None).values()) == {0.0}
    assert checks(Sample("a", {"image": FILES["image"]}, truth=report(MUTE)), None) == {
        "valid": 0.0,
        "not_observed_recall@absent": 0.0,
    }


def test_risk_is_recalled_when_it_is_called_high() -> None:
    assert row(report(ALARMED, risk_rating=5), report(ALARMED, risk_rating=4))["risk_recall"] == 1.0
    assert row(report(ALARMED), report())["risk_recall"] == 0.0
    assert row(report(), report(ALARMED))["risk_recall"] is None


def test_what_was_absent_is_what_no_modality_could_show() -> None:
    picture = Sample("a", {"image": FILES["image"]}, truth=report(MUTE))
    told = Sample("b", text="it purrs", truth=report(BLANK, vocalization="purr"))
    assert checks(picture, report())["not_observed_recall@absent"] == 0.0
    assert checks(picture, report(MUTE))["not_observed_recall@absent"] == 1.0
    assert checks(told, report())["not_observed_recall@absent"] is None  # a text could have told
    means = counts(report(BLANK, vocalization="purr"), report(ears="alert", tail="not_observed"))
    assert combine(means)["not_observed_recall"] == pytest.approx(1 / 3)
    assert forced(picture, report()) == report(MUTE)
    assert forced(told, report()) == report()


def test_macro_f1_is_that_of_scikit_learn_over_observable_samples() -> None:
    samples, draw = synthetic(200), np.random.default_rng(0)
    answers: list[CatReport | None] = []
    for truth in truths_of(samples):
        said = {name: str(draw.choice([str(VOCABULARY[name][0]), truth.fields[name]])) for name in MARKERS}
        answers.append(None if draw.random() < 0.1 else report(**said))
    metrics = score(samples, answers).metrics
    for marker in MARKERS:
        pairs = [
            (truth.fields[marker], "none" if answer is None else answer.fields[marker])
            for truth, answer in zip(truths_of(samples), answers, strict=True)
            if truth.fields[marker] != "not_observed"
        ]
        truths, said_ = zip(*pairs, strict=True)
        oracle = f1_score(truths, said_, labels=sorted(set(truths)), average="macro", zero_division=0)
        assert metrics[f"{marker}_macro_f1"] == pytest.approx(oracle)
        assert 0.2 < oracle < 0.9
        assert metrics[marker] == pytest.approx(np.mean([a == b for a, b in pairs]))
    assert metrics["valid"] == pytest.approx(np.mean([answer is not None for answer in answers]))


def test_a_perfect_head_reaches_one_in_everything() -> None:
    samples = synthetic(120)
    report_ = score(samples, list(truths_of(samples)))
    assert set(report_.metrics.values()) == {1.0}
    assert report_.denominators["valid"] == 120
    assert report_.denominators["ears"] < 120
    assert report_.wrong == ()


def test_baselines_never_look_and_obey_what_is_forced() -> None:
    samples = synthetic(300)
    truths = truths_of(samples)
    found = baselines(truths, [sample.id for sample in samples], seed=1)
    assert list(found) == ["constant", "majority", "chance"]
    assert len({str(answer) for answer in found["constant"]}) == len({str(answer) for answer in found["majority"]}) == 1
    assert found == baselines(truths, [sample.id for sample in samples], seed=1)
    assert found["chance"] != baselines(truths, [sample.id for sample in samples], seed=2)["chance"]
    assert all("not_observed" not in answer.fields.values() for answer in found["chance"])
    with pytest.raises(DataError, match="none was given"):
        baselines([], ["a"], seed=0)
    figures = score(samples, [*truths[1:], truths[0]]).baselines
    for name in found:
        assert "valid" not in figures[name]
        assert max(figures[name][f"{marker}_macro_f1"] for marker in MARKERS) < 0.35
        assert 0.2 < figures[name]["fields"] < 0.65
    assert figures["constant"]["fields"] > figures["chance"]["fields"] + 0.05


def test_no_baseline_is_better_only_because_it_was_not_forced() -> None:
    """An audio sample cannot be answered with ears by the head; nor by a baseline."""
    samples = [Sample(f"s{i}", {"audio": FILES["audio"]}, truth=masked(report(), ["audio"])) for i in range(40)]
    assert score(samples, [None] * 40).baselines["chance"]["not_observed_recall"] == 1.0


def test_a_majority_obeys_the_risk_rule() -> None:
    truths = [*[report(ALARMED, risk_rating=4)] * 3, *[report(ALARMED, risk_rating=5)] * 2, *[report()] * 4]
    truths += [report(ethogram_group="predatory", affective_state="playful")] * 2  # risk 1 is the most frequent
    (answer,) = baselines(truths, ["a"], seed=0)["majority"]
    assert (answer.fields["ethogram_group"], answer.fields["risk_rating"]) == ("agonistic", 4)


def test_nothing_observable_is_undefined_and_not_zero() -> None:
    samples = [Sample(f"s{i}", {"audio": FILES["audio"]}, truth=report(BLANK)) for i in range(40)]
    metrics = score(samples, [report(BLANK)] * 40).metrics
    assert all(math.isnan(metrics[f"{marker}_macro_f1"]) for marker in MARKERS)
    assert metrics["not_observed_recall"] == metrics["exact"] == 1.0


def test_an_answer_is_of_the_class_of_its_state() -> None:
    assert SCORING.label(report(ALARMED)) == "distressed"


def test_closed_fields_are_named_as_confidences_are() -> None:
    text = decoder().encode(report())
    size = len(text.encode())
    said = decoder().decode(Generation(text, "end", 1, 1, (-0.1,), ((0, size),)), Sample("x", FILES, "words"))
    assert said.value == report()
    assert SCORING.fields is not None
    named = SCORING.fields(report())
    assert set(named) <= set(said.confidence)
    assert len(named) == 8
    assert named["diagnostic.classification.risk_rating"] == "1"


def test_an_answer_is_right_when_all_eight_fields_are() -> None:
    assert SCORING.right is not None
    other = report().model_copy(update={"behavioral_summary": "In other words."})
    assert SCORING.right(report(), other)
    assert not SCORING.right(report(), report(ALARMED))
    assert not SCORING.right(report(), report(CALM, ears="flattened"))
