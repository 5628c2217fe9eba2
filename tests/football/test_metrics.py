from __future__ import annotations

import math
import sys
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from sklearn.metrics import f1_score

from vlmkit.errors import DataError, MissingExtraError
from vlmkit.evaluate import evaluate
from vlmkit.evaluate.answered import Answered
from vlmkit.evaluate.matching import Overlaps, Pair
from vlmkit.task import Task
from vlmkit.testing.fakes import colours
from vlmkit.times import hms
from vlmkit.types import Prediction, Sample
from vlmkit_plugins.football import blind, wording
from vlmkit_plugins.football.metrics import SCORING, elements, label, right, row, scoring
from vlmkit_plugins.football.schema import Event, Events, events_of, from_json, line, to_json
from vlmkit_plugins.football.whole import scores, unsure, whole
from vlmkit_plugins.football.wording import rouge

EMPTY = events_of([])


def event(start: int, end: int, name: str = "Goal", words: str = "Player #7 in blue scores.") -> Event:
    return Event.model_validate(
        {"description": words, "start_time": f"0:0:{start}", "end_time": f"0:0:{end}", "event": name}
    )


def events(*found: Event) -> Events:
    return events_of(found)


def means(*pairs: tuple[Events, Events | None]) -> dict[str, float]:
    samples = [Sample(str(place), truth=truth) for place, (truth, _) in enumerate(pairs)]
    truths, answers = [truth for truth, _ in pairs], [answer for _, answer in pairs]
    return Answered.of(SCORING, samples, truths, answers).means()


TWO = events(event(2, 6), event(10, 14, "Red Card"))
THREE = events(event(3, 7), event(20, 25), event(10, 14, "Yellow Card"))


def test_the_truth_is_perfect_and_nothing_beats_it() -> None:
    found = means((TWO, TWO), (EMPTY, EMPTY))
    for name, value in found.items():
        assert value == (0.0 if name in SCORING.lower else 1.0), name


def test_figures_by_hand() -> None:
    found = means((TWO, THREE))  # tIoU 3/5 of the goal; the card is of another colour; one goal too many
    assert found["precision@0.5"] == pytest.approx(1 / 3)
    assert found["recall@0.5"] == pytest.approx(1 / 2)
    assert found["F1@0.5"] == found["F1@0.3"] == pytest.approx(2 / 5)
    assert found["F1@0.7"] == 0.0
    assert found["macro_F1@0.5"] == pytest.approx((2 / 3 + 0) / 2)
    assert (found["misses"], found["false_alarms"]) == (1.0, 2.0)
    assert (found["start_error_s"], found["end_error_s"]) == (1.0, 1.0)
    assert found["tIoU"] == pytest.approx(2 * 0.6 / 5)
    assert found["exact@0.5"] == 0.0
    assert math.isnan(found["empty_right"])


def test_events_are_counted_over_all_clips_together() -> None:
    one = events(event(2, 6))
    found = means((TWO, one), (EMPTY, EMPTY), (EMPTY, one))
    assert found["precision@0.5"] == pytest.approx(1 / 2)
    assert found["recall@0.5"] == pytest.approx(1 / 2)
    assert found["empty_right"] == pytest.approx(1 / 2)
    assert found["exact@0.5"] == pytest.approx(1 / 3)


def test_no_answer_is_wrong_even_where_nothing_happens() -> None:
    assert row(EMPTY, None) == row(EMPTY, events(event(1, 4))) | {"tIoU": 0.0}
    assert row(EMPTY, EMPTY)["tIoU"] == 1.0
    found = means((TWO, None), (EMPTY, None))
    assert found["recall@0.5"] == found["exact@0.5"] == found["tIoU"] == found["empty_right"] == 0.0
    assert found["misses"] == 1.0


def test_two_answers_about_one_event_are_one_hit_and_one_false_alarm() -> None:
    found = means((events(event(2, 6)), events(event(2, 6), event(2, 6))))
    assert (found["precision@0.5"], found["recall@0.5"], found["false_alarms"]) == (0.5, 1.0, 1.0)


def test_words_of_found_events_are_compared_by_rouge() -> None:
    true = events(event(2, 6, words="Player #10 in red scores."), event(10, 14, "Offside"))
    said = events(event(2, 6, words="Player #10 in blue scored."))  # "scores" and "scored" have one stem
    found = row(true, said)
    assert found["ROUGE-1"] == pytest.approx(4 / 5)
    assert found["ROUGE-2"] == pytest.approx(2 / 4)
    assert found["ROUGE-L"] == pytest.approx(4 / 5)
    assert row(true, events(event(20, 24)))["ROUGE-1"] is None


def test_what_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rouge_score.rouge_scorer", None)
    monkeypatch.setattr(wording, "_scorer", cache(wording._scorer.__wrapped__))
    with pytest.raises(MissingExtraError, match=r"pip install 'vlmkit\[football\]'"):
        rouge("never", "compared before")
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    crowded = Overlaps(2, 1, (Pair(0, 0, 0.6), Pair(1, 0, 0.7)))
    with pytest.raises(MissingExtraError, match=r"pip install 'vlmkit\[football\]'"):
        crowded.match(0.5)
    assert Overlaps(1, 1, (Pair(0, 0, 0.6),)).match(0.5).pairs  # nothing to choose between


def test_an_answer_is_right_when_all_events_are_found_and_none_is_false() -> None:
    assert right(TWO, TWO)
    assert right(EMPTY, EMPTY)
    assert not right(TWO, events(event(2, 6)))
    assert not right(events(event(2, 6)), TWO)
    assert not right(EMPTY, TWO)


def test_a_confusion_is_an_event_in_its_place_with_another_class() -> None:
    assert elements(TWO, THREE) == {"event": [("Goal", "Goal"), ("Red Card", "Yellow Card"), (None, "Goal")]}
    assert elements(TWO, events(event(2, 6))) == {"event": [("Goal", "Goal"), ("Red Card", None)]}
    assert elements(TWO, None) == {"event": [("Goal", None), ("Red Card", None)]}
    assert elements(EMPTY, EMPTY) == {"event": []}


def test_average_precision_ranks_events_by_the_confidence_of_their_class() -> None:
    said = events(event(20, 24), event(2, 6))
    for sure, area in (({"0.event": 0.9, "1.event": 0.2}, 0.5), ({"0.event": 0.2, "1.event": 0.9}, 1.0), ({}, 0.5)):
        drawn = whole([events(event(2, 6))], [said], [sure])(np.ones((1, 1)))
        assert drawn["mAP"] == drawn["mAP@0.95"] == drawn["average_mAP_tight"] == pytest.approx(area)


def test_events_without_confidence_are_told() -> None:
    quiet = [Prediction("a", TWO, confidence={"0.event": 0.9}), None, Prediction("b", EMPTY)]
    assert [line.split(" have no")[0] for line in unsure(quiet)] == ["1 of 2 answered events"]
    assert not list(unsure([Prediction("a", TWO, confidence={"0.event": 0.9, "1.event": 0.5})]))
    calibrated = Prediction("a", TWO, confidence={"reply": 0.8}, uncalibrated={"0.event": 0.9, "1.event": 0.5})
    assert not list(unsure([calibrated]))  # a calibration of the whole reply leaves the ranking of events
    assert scores(TWO, {"0.event": math.nan, "1.event": 2.0}) == (1.0, 1.0)


def test_the_originals_overall_score_of_one_event_a_clip() -> None:
    true = ["Goal", "Goal", "Offside", "Throw In", "Goal"]
    said = ["Goal", "Offside", "Offside", "Goal", "Goal"]
    ends = [6, 6, 4, 12, 7]  # tIoU with [2, 6): 1, 1, .5, .4, .8
    pairs = [
        (events(event(2, 6, name, f"Player #{place} scores.")), events(event(2, end, other, "Player #1 scores.")))
        for place, (name, other, end) in enumerate(zip(true, said, ends, strict=True))
    ]
    samples = [Sample(str(place), truth=truth) for place, (truth, _) in enumerate(pairs)]
    found = Answered.of(scoring(overall=True), samples, [t for t, _ in pairs], [a for _, a in pairs]).means()
    weighted = f1_score(true, said, average="weighted", zero_division=0.0)
    words = (1 + 4 * 2 / 3) / 5
    assert found["overall"] == pytest.approx(0.4 * weighted + 0.3 * 3 / 5 + 0.3 * words)
    assert "overall" not in means(*pairs)


def test_the_originals_overall_score_counts_what_is_missing_and_what_is_too_much() -> None:
    def overall(truth: Events, answer: Events | None) -> float:
        return Answered.of(scoring(overall=True), [Sample("a", truth=truth)], [truth], [answer]).means()["overall"]

    assert overall(TWO, TWO) == pytest.approx(1.0)
    assert overall(TWO, None) == 0.0
    assert overall(TWO, events(event(2, 6))) == pytest.approx(0.4 / 2 + 0.3 / 2 + 0.3 / 2)
    assert overall(events(event(2, 6)), events(event(2, 6), event(8, 12))) == pytest.approx(0.4 * 2 / 3 + 0.6)
    assert math.isnan(overall(EMPTY, EMPTY))


def test_the_class_of_a_clip() -> None:
    assert [label(EMPTY), label(TWO), label(events(event(1, 3), event(5, 9)))] == [
        "no event",
        "several classes",
        "Goal",
    ]


def test_baselines_never_look() -> None:
    truths = [events(event(2, 6)), events(event(2, 7)), events(event(3, 7)), EMPTY, events(event(20, 25, "Offside"))]
    found = SCORING.baselines(truths, ["x", "y"], 3)
    assert found["empty"] == [EMPTY, EMPTY]
    assert found["constant"][0] == found["constant"][1] == events(event(2, 7))
    assert found["chance"] == SCORING.baselines(truths, ["x", "y"], 3)["chance"]
    assert any(found["chance"] != SCORING.baselines(truths, ["x", "y"], seed)["chance"] for seed in range(5))
    with pytest.raises(DataError, match="none was given"):
        SCORING.baselines([], ["x"], 0)


def test_no_single_event_is_a_better_constant() -> None:
    truths = [events(event(k % 5, k % 5 + 4, ("Goal", "Offside")[k % 3 == 0])) for k in range(12)]
    (constant,) = SCORING.baselines(truths, ["x"], 0)["constant"]

    def f1(one: Events) -> float:
        return means(*((truth, one) for truth in truths))["F1@0.5"]

    ends = [(a, b) for a in range(5) for b in range(4, 9) if a < b]
    singles = [events(event(a, b, name)) for a, b in ends for name in ("Goal", "Offside")]
    assert f1(constant) >= max(map(f1, singles))


def test_a_constant_may_be_several_events() -> None:
    assert SCORING.baselines([TWO] * 6, ["x"], 0)["constant"] == [TWO]
    assert SCORING.baselines([EMPTY, EMPTY], ["x"], 0)["constant"] == [EMPTY]


def test_a_constant_of_long_films_is_made_of_few_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []

    def pairs(*ends: Any) -> list[Any]:
        found = list(product(*ends))
        tried.extend(found)
        return found

    monkeypatch.setattr(blind, "product", pairs)
    film = [Event(description="x", start_time=hms(at), end_time=hms(at + 4), event="Goal") for at in range(0, 8000, 5)]
    (constant,) = SCORING.baselines([events_of(film)], ["x"], 0)["constant"]
    assert len(tried) <= 256 * 256
    assert 0 < len(constant) <= 16 and {one.event for one in constant.root} == {"Goal"}


def test_spans_are_in_seconds() -> None:
    assert SCORING.spans is not None
    assert [(one.start_s, one.end_s, one.label) for one in SCORING.spans(TWO, Sample("a"))] == [
        (2.0, 6.0, "Goal"),
        (10.0, 14.0, "Red Card"),
    ]


def test_everything_has_an_interval_and_baselines_beside(tmp_path: Path) -> None:
    samples = [Sample(f"s{k}", truth=events(event(k, k + 4)) if k % 4 else EMPTY) for k in range(40)]
    answers = [Prediction(one.id, events(event(k + k % 2, k + 4)) if k % 4 else EMPTY) for k, one in enumerate(samples)]
    task: Task[Events] = replace(cast(Any, colours()), scoring=SCORING, to_json=to_json, from_json=from_json, line=line)
    report = evaluate(task, samples, answers)
    assert report.metrics.keys() == report.intervals.keys()
    assert report.metrics["empty_right"] == 1.0
    assert report.denominators["empty_right"] == 10
    (events_table,) = (one for one in report.fields if one.elements)
    assert (events_table.name, events_table.classes, events_table.lacking) == ("event", ("Goal",), "missed")
    assert events_table.rows[0].n == sum(events_table.confusion[0]) == 30
    assert events_table.metrics["micro-F1"] == pytest.approx(report.metrics["F1@0.5"])
    page = report.save(tmp_path / "report").joinpath("report.html").read_text(encoding="utf-8")
    assert "event by class" in page
    assert "in the table only: misses, false_alarms, start_error_s, end_error_s." in page
    assert "missed  false" in str(report)
    low, high = report.intervals["start_error_s"]
    assert low <= report.metrics["start_error_s"] == 1.0 <= high
    assert {"start_error_s", "end_error_s", "misses", "false_alarms"} == report.lower_is_better
    assert set(report.baselines) == {"empty", "constant", "chance", "shuffled"}
    assert report.baselines["empty"]["empty_right"] == 1.0
    assert report.baselines["empty"]["F1@0.5"] == 0.0
    assert not [one for one in report.warnings if "false_alarms" in one]  # nobody has fewer than the one who says none
