"""Figures of timed events against plain computations over samples that are really repeated, and against SoccerNet's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from vlmkit.errors import DataError
from vlmkit.evaluate.temporal import (
    ACTIVITYNET,
    LOOSE,
    TIGHT,
    Scored,
    drawn_medians,
    spotting_ranks,
    tiou_ranks,
)
from vlmkit.task import Span
from vlmkit.times import tiou

CLASSES = ("a", "b", "c")
Truth = tuple[Span, ...]


def case(seed: int, n: int, *, ties: bool = False) -> tuple[list[Truth], list[Scored]]:
    """Films with every class in the truth of the first, and answers that are now near and now far."""
    rng = np.random.default_rng(seed)
    truths, answers = [], []
    for place in range(n):
        names = [*(CLASSES if place == 0 else ()), *rng.choice(CLASSES, rng.integers(4))]
        starts = rng.choice(200, len(names), replace=False)
        truth = tuple(Span(s / 2, s / 2 + float(rng.integers(2, 12)), c) for s, c in zip(starts, names, strict=True))
        near = [one for one in truth if rng.random() < 0.8]
        moved = [Span(max(0.0, one.start_s + rng.integers(-4, 5) / 2), one.end_s + 0.5, one.label) for one in near]
        false = rng.integers(95, size=rng.integers(4))
        moved += [Span(float(start), float(start) + 5, str(rng.choice(CLASSES))) for start in false]
        scores = rng.integers(3, size=len(moved)) / 2 if ties else rng.random(len(moved))
        truths.append(truth)
        answers.append(Scored(tuple(moved), tuple(map(float, scores))))
    return truths, answers


def plain_ap(truths: Sequence[Truth], answers: Sequence[Scored], label: str, at: float) -> float:
    """ActivityNet's average precision of a class as its paper and its toolkit describe it, an answer at a time."""
    films = [(film, zip(one.spans, one.scores, strict=True)) for film, one in enumerate(answers)]
    every = [(score, film, span) for film, told in films for span, score in told if span.label == label]
    said = sorted(every, key=lambda one: -one[0])
    true = {(f, k): t for f, truth in enumerate(truths) for k, t in enumerate(truth) if t.label == label}
    free, right, curve = set(true), 0, [(0.0, 1.0)]
    for rank, (_, film, span) in enumerate(said, start=1):
        mine = sorted((key for key in free if key[0] == film), key=lambda key: -tiou(true[key], span))
        if mine and tiou(true[mine[0]], span) >= at:
            free.remove(mine[0])
            right += 1
        curve.append((right / len(true), right / rank))
    steps = [
        (after - before) * max(p for r, p in curve[1:] if r >= after) for (before, _), (after, _) in pairwise(curve)
    ]
    return sum(steps)


def repeated(truths: Sequence[Truth], answers: Sequence[Scored], times: Sequence[float]) -> Any:
    places = [place for place, count in enumerate(times) for _ in range(int(count))]
    return [truths[place] for place in places], [answers[place] for place in places]


@pytest.mark.parametrize("seed", range(4))
def test_map_is_what_activitynet_defines(seed: int) -> None:
    truths, answers = case(seed, 6)
    found = tiou_ranks(truths, answers).mean_areas(np.ones((1, 6)))[:, 0]
    for at, value in zip(ACTIVITYNET, found, strict=True):
        assert value == pytest.approx(np.mean([plain_ap(truths, answers, name, at) for name in CLASSES]))
    assert 0.0 <= found[-1] < found[0] < 1.0


@pytest.mark.parametrize("ties", [False, True])
def test_a_film_that_is_drawn_twice_is_two_films(ties: bool) -> None:
    truths, answers = case(7, 5, ties=ties)
    weights = np.random.default_rng(1).integers(3, size=(8, 5)).astype(float)
    tious, spots = tiou_ranks(truths, answers), spotting_ranks(truths, answers)
    for row, areas, spotted in zip(weights, tious.mean_areas(weights).T, spots.mean_eleven(weights), strict=True):
        again = repeated(truths, answers, row)
        ones = np.ones((1, int(row.sum())))
        assert areas == pytest.approx(tiou_ranks(*again).mean_areas(ones)[:, 0], nan_ok=True)
        assert spotted == pytest.approx(spotting_ranks(*again).mean_eleven(ones)[0], nan_ok=True)


def test_the_order_of_films_and_of_equally_sure_ones_among_them_tells_nothing() -> None:
    truths, answers = case(3, 6, ties=True)
    ones = np.ones((1, 6))
    there, back = tiou_ranks(truths, answers), tiou_ranks(truths[::-1], answers[::-1])
    assert there.mean_areas(ones) == pytest.approx(back.mean_areas(ones))


def test_answers_that_are_all_sure_get_precision_times_recall() -> None:
    truth = (Span(0, 10, "a"), Span(20, 30, "a"))
    said = Scored((Span(0, 10, "a"), Span(40, 50, "a"), Span(60, 70, "a"), Span(80, 90, "a")), (1.0,) * 4)
    assert tiou_ranks([truth], [said], (0.5,)).mean_areas(np.ones((1, 1))) == pytest.approx(0.25 * 0.5)


@cache
def soccernet() -> Any:
    """Its module; it silences numpy's warnings for everybody, which is taken back."""
    with np.errstate():
        from SoccerNet.Evaluation import ActionSpotting
    return ActionSpotting


def theirs(truths: Sequence[Truth], answers: Sequence[Scored], widths: Sequence[float], rate: int) -> float:
    frames = 120 * rate
    targets, detections = [], []
    for truth, answer in zip(truths, answers, strict=True):
        target, detection = np.zeros((frames, len(CLASSES))), np.zeros((frames, len(CLASSES))) - 1
        for span in truth:
            target[int(rate * span.start_s), CLASSES.index(span.label)] = 1
        for span, score in zip(answer.spans, answer.scores, strict=True):
            detection[int(rate * span.start_s), CLASSES.index(span.label)] = score
        targets.append(target)
        detections.append(detection)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(soccernet().average_mAP(targets, detections, targets, rate, np.array(widths).astype(int))[0])


@pytest.mark.parametrize("widths", [TIGHT, LOOSE, (3.0,)])
@pytest.mark.parametrize(("seed", "ties", "rate"), [(0, False, 2), (1, True, 1)])
def test_average_map_equals_soccernet(widths: tuple[float, ...], seed: int, ties: bool, rate: int) -> None:
    truths, answers = case(seed, 5, ties=ties)
    found = spotting_ranks(truths, answers, widths, rate=rate).mean_eleven(np.ones((1, 5)))[0]
    assert found == pytest.approx(theirs(truths, answers, widths, rate), abs=1e-12)
    assert 0.0 < found < 1.0


def test_a_class_that_is_never_true_is_left_out() -> None:
    truths, answers = [(Span(0, 5, "a"),)], [Scored((Span(0, 5, "a"), Span(9, 12, "b")), (0.9, 0.8))]
    assert theirs(truths, answers, TIGHT, 2) == pytest.approx(1 / 3)  # SoccerNet counts b and c as 0
    assert spotting_ranks(truths, answers).mean_eleven(np.ones((1, 1))) == pytest.approx(1.0)


def test_nothing_true_is_undefined() -> None:
    found = tiou_ranks([()], [Scored((Span(0, 5, "a"),), (1.0,))])
    assert np.isnan(found.mean_areas(np.ones((3, 1)))).all()
    assert np.isnan(spotting_ranks([()], [Scored((), ())]).mean_eleven(np.ones((2, 1)))).all()
    drawn = tiou_ranks([(Span(0, 5, "a"),), ()], [Scored((), ())] * 2).mean_areas(np.array([[0.0, 2.0], [1.0, 1.0]]))
    assert np.isnan(drawn[:, 0]).all()
    assert (drawn[:, 1] == 0.0).all()


def test_scores_belong_to_events_and_answers_to_truths() -> None:
    with pytest.raises(DataError, match="given 0 scores for 1 events"):
        Scored((Span(0, 1, "a"),), ())
    with pytest.raises(DataError, match="given 0 answers and 1 truths"):
        tiou_ranks([()], [])


@pytest.mark.parametrize("seed", range(5))
def test_medians_equal_those_of_repeated_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 12
    owners = rng.integers(n, size=20)
    values = rng.integers(6, size=20) / 2
    weights = rng.integers(4, size=(50, n)).astype(float)
    found = drawn_medians(values.tolist(), owners.tolist(), weights)
    for row, median in zip(weights, found, strict=True):
        assert median == np.median(np.repeat(values, row[owners].astype(int)))


def test_a_median_of_nothing_is_undefined() -> None:
    assert np.isnan(drawn_medians([], [], np.ones((3, 2)))).all()
    found = drawn_medians([1.0, 3.0], [0, 1], np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 2.0]]))
    assert np.isnan(found[0])
    assert found[1:].tolist() == [2.0, 3.0]
