"""Which stretches belong together, against every assignment there is."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmkit.errors import DataError
from vlmkit.evaluate.matching import Overlaps
from vlmkit.task import Span
from vlmkit.times import tiou


@st.composite
def stretches(draw: st.DrawFn) -> Span:
    start = draw(st.integers(0, 20))
    return Span(start, draw(st.integers(start + 1, 25)), draw(st.sampled_from("ab")))


lists = st.lists(stretches(), max_size=4)


@given(stretches(), stretches())
def test_tiou_is_the_share_of_seconds(one: Span, two: Span) -> None:
    first, second = (set(range(int(span.start_s), int(span.end_s))) for span in (one, two))
    assert tiou(one, two) == tiou(two, one) == pytest.approx(len(first & second) / len(first | second))


def assignments(n: int, m: int) -> list[list[tuple[int, int]]]:
    """Every one-to-one assignment that uses all of the shorter side."""
    if n > m:
        return [[(j, i) for i, j in one] for one in assignments(m, n)]
    return [list(zip(range(n), order, strict=True)) for order in permutations(range(m), n)]


@settings(max_examples=200)
@given(lists, lists, st.sampled_from([0.3, 0.5, 0.7]), st.booleans())
def test_no_assignment_is_better(truths: list[Span], answers: list[Span], at: float, by_class: bool) -> None:
    def worth(i: int, j: int) -> float:
        same = truths[i].label == answers[j].label or not by_class
        return tiou(truths[i], answers[j]) if same else 0.0

    every = assignments(len(truths), len(answers))
    kept = [[ratio for i, j in one if (ratio := worth(i, j)) >= at] for one in every]
    best = max(((len(one), round(sum(one), 9)) for one in kept), default=(0, 0))
    overlaps = Overlaps.of(truths, answers, by_class=by_class)
    found = overlaps.match(at)
    assert (len(found.pairs), round(sum(pair.tiou for pair in found.pairs), 9)) == best
    assert overlaps.best() == pytest.approx(max(sum(worth(i, j) for i, j in one) for one in every))
    true, said = [pair.truth for pair in found.pairs], [pair.answer for pair in found.pairs]
    assert true == sorted(true)
    assert sorted([*true, *found.misses]) == list(range(len(truths)))
    assert sorted([*said, *found.false_alarms]) == list(range(len(answers)))


@given(st.lists(stretches(), max_size=12), st.lists(stretches(), max_size=12), st.booleans())
def test_neighbours_are_all_that_touch(truths: list[Span], answers: list[Span], by_class: bool) -> None:
    wanted = [
        (place, other, tiou(one, two))
        for place, one in enumerate(truths)
        for other, two in enumerate(answers)
        if tiou(one, two) > 0 and (one.label == two.label or not by_class)
    ]
    found = Overlaps.of(truths, answers, by_class=by_class).pairs
    assert [(pair.truth, pair.answer, pair.tiou) for pair in found] == wanted


def test_a_long_film_is_not_compared_event_by_event(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Span] = []

    def compared(one: Span, other: Span) -> float:
        asked.append(one)
        return tiou(one, other)

    monkeypatch.setattr("vlmkit.evaluate.matching.tiou", compared)
    film = [Span(at, at + 5, "a") for at in range(0, 20_000, 10)]
    assert len(Overlaps.of(film, film).pairs) == len(film)
    assert len(asked) <= 2 * len(film)


def test_the_best_pair_first_would_lose_one() -> None:
    truths = [Span(0, 10, "a"), Span(8, 20, "a")]
    answers = [Span(0, 16, "a"), Span(8, 14, "a")]  # the first lies best on the first truth, the second on the second
    found = Overlaps.of(truths, answers).match(0.5)
    assert [(pair.truth, pair.answer) for pair in found.pairs] == [(0, 0), (1, 1)]
    greedy = Overlaps.of([Span(0, 10, "a"), Span(4, 14, "a")], [Span(3, 11, "a"), Span(0, 5, "a")]).match(0.3)
    assert [(pair.truth, pair.answer) for pair in greedy.pairs] == [
        (0, 1),
        (1, 0),
    ]  # (0, 0) has more


def test_exactly_the_threshold_is_a_hit_unless_strictly_more_is_wanted() -> None:
    half = Overlaps.of([Span(0, 10, "a")], [Span(0, 5, "a")])
    assert len(half.match(0.5).pairs) == 1
    assert not half.match(0.5, strict=True).pairs
    assert len(Overlaps.of([Span(0, 10, "a")], [Span(0, 3, "a")]).match(0.3).pairs) == 1
    assert len(Overlaps.of([Span(0, 10, "a")], [Span(0, 7, "a")]).match(0.7).pairs) == 1


def test_stretches_that_do_not_touch_never_belong_together() -> None:
    assert not Overlaps.of([Span(0, 10, "a")], [Span(10, 20, "a")]).match(0.0).pairs


def test_an_empty_stretch_overlaps_nothing() -> None:
    assert tiou(Span(5, 5, "a"), Span(0, 10, "a")) == tiou(Span(5, 5, "a"), Span(5, 5, "a")) == 0.0


@pytest.mark.parametrize("at", [-0.1, 1.1, float("nan")])
def test_a_threshold_that_is_none(at: float) -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        Overlaps(0, 0, ()).match(at)
