"""Windows of a match become one list: each event once, whole, on the clock of the match."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vlmkit.errors import DataError
from vlmkit.task import Window
from vlmkit.times import hms
from vlmkit_plugins.football import schema
from vlmkit_plugins.football.merging import merge
from vlmkit_plugins.football.schema import CLASSES, STEP_S, WINDOW_S, Event, EventClass, Events, events_of

_FREELY = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
Timeline = list[tuple[EventClass, int, int]]


def event(name: EventClass, start_s: float, end_s: float, text: str = "seen") -> Event:
    return Event(description=text, start_time=hms(start_s), end_time=hms(end_s), event=name)


def window(start_s: float, end_s: float, *events: Event) -> Window[Events]:
    return Window(start_s, end_s, events_of(events))


def told(found: Events) -> Timeline:
    return [(one.event, round(one.start_s), round(one.end_s)) for one in found.root]


def starts(length_s: float) -> list[float]:
    """Of the windows of a film, as they are cut: a last one that shows nothing new is none."""
    n = 1 + max(0, math.ceil((length_s - WINDOW_S) / STEP_S))
    return [number * STEP_S for number in range(n)]


def cut(timeline: Timeline, length_s: float) -> list[Window[Events]]:
    """What a perfect model says about each window, with a word of which window it is."""
    found = []
    for start_s in starts(length_s):
        end_s = min(start_s + WINDOW_S, length_s)
        inside = [
            event(name, max(first, start_s) - start_s, min(last, end_s) - start_s, f"{name} {first} at {start_s:g}")
            for name, first, last in timeline
            if first < end_s and last > start_s
        ]
        found.append(window(start_s, end_s, *inside))
    return found


@st.composite
def timelines(draw: st.DrawFn) -> tuple[Timeline, int]:
    """A film of up to five minutes. Events of one class do not overlap; of different classes they may."""
    length_s = draw(st.integers(1, 300))
    found: Timeline = []
    for name in draw(st.lists(st.sampled_from(CLASSES), min_size=1, max_size=4, unique=True)):
        at = 0
        for gap, lasts in draw(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 45)), max_size=8)):
            if at + gap + lasts > length_s:
                break
            found.append((name, at + gap, at + gap + lasts))
            at += gap + lasts
    return sorted(found, key=lambda one: (one[1], one[2], CLASSES.index(one[0]))), length_s


@_FREELY
@given(timelines())
def test_cutting_and_merging_gives_the_timeline_back(case: tuple[Timeline, int]) -> None:
    """Events that follow at once touch at a border, and are joined by none."""
    timeline, length_s = case
    windows = cut(timeline, length_s)
    found = merge(windows)
    assert told(found.value) == timeline
    for one, (place, index) in zip(found.value.root, found.origins, strict=True):
        assert windows[place].value[index].description == one.description
        assert one.description.startswith(f"{one.event} {one.start_s:g} at ")
        # No other window shows more of it.
        shown = [
            min(w.end_s, one.end_s) - max(w.start_s, one.start_s)
            for w in windows
            if any(e.description.startswith(f"{one.event} {one.start_s:g} at ") for e in w.value.root)
        ]
        window = windows[place]
        assert min(window.end_s, one.end_s) - max(window.start_s, one.start_s) == max(shown)


@_FREELY
@given(timelines(), st.integers(0, 2**32 - 1))
def test_nothing_is_made_up_and_no_window_loses_one_of_two(case: tuple[Timeline, int], seed: int) -> None:
    """Whatever windows say: as many of a class as the window that tells most apart, and no more than all together."""
    draw = random.Random(seed)
    windows = []
    for one in cut(*case):
        noisy = []
        for item in one.value.root:
            start_s = max(0, item.start_s + draw.randint(-2, 2))
            noisy.append(event(item.event, start_s, start_s + draw.randint(1, 12)))
        windows.append(window(one.start_s, one.end_s, *noisy))
    found = merge(windows)
    for name in CLASSES:
        counts = [sum(item.event == name for item in one.value.root) for one in windows]
        n = sum(item.event == name for item in found.value.root)
        assert max(counts, default=0) <= n <= sum(counts)
    assert len(set(found.origins)) == len(found.origins) == len(found.value)
    assert [one.start_s for one in found.value.root] == sorted(one.start_s for one in found.value.root)
    assert all(one.start_s < one.end_s for one in found.value.root)


def test_an_event_at_a_border_is_taken_from_the_window_that_has_it_whole() -> None:
    first = window(0, 30, event("Goal", 26, 30, "a shot"))
    second = window(20, 50, event("Goal", 6, 13, "a shot, and it is in"))
    found = merge([first, second])
    assert told(found.value) == [("Goal", 26, 33)]
    assert (found.value[0].description, found.origins) == ("a shot, and it is in", ((1, 0),))
    # Only a second of it is in the other window, which tells its start as its own border.
    found = merge([window(0, 30, event("Goal", 14, 21, "whole")), window(20, 50, event("Goal", 0, 1, "its end"))])
    assert (told(found.value), found.value[0].description) == ([("Goal", 14, 21)], "whole")


def test_an_event_longer_than_any_window_lasts_from_its_start_to_its_end() -> None:
    parts = [(10.0, 30.0), (0.0, 30.0), (0.0, 30.0), (0.0, 5.0)]
    windows = [window(20 * i, 20 * i + 30, event("Offside", *part, f"part {i}")) for i, part in enumerate(parts)]
    found = merge(windows)
    assert told(found.value) == [("Offside", 10, 65)]
    assert found.value[0].description == "part 1"  # the longest


def test_two_of_a_class_in_one_window_stay_two() -> None:
    """Also where they overlap in time, and the other window saw them a second off."""
    first = window(0, 30, event("Yellow Card", 21, 25, "one"), event("Yellow Card", 24, 29, "two"))
    second = window(20, 50, event("Yellow Card", 2, 5, "one"), event("Yellow Card", 5, 9, "two"))
    found = merge([first, second])
    assert [(one.description, one.start_s) for one in found.value.root] == [("one", 21), ("two", 25)]
    alone = merge([first, window(20, 50, event("Yellow Card", 4, 9, "two"))])
    assert [one.description for one in alone.value.root] == ["one", "two"]


@pytest.mark.parametrize(
    ("first", "second", "n"),
    [
        (event("Goal", 22, 26), event("Penalty Shot", 2, 6), 2),  # another class
        (event("Goal", 22, 25), event("Goal", 5, 9), 2),  # touches, and does not overlap
        (event("Goal", 22, 25), event("Goal", 4, 9), 1),
        (event("Goal", 14, 20), event("Goal", 0, 6), 2),  # before what both show
    ],
)
def test_what_is_one_event(first: Event, second: Event, n: int) -> None:
    assert len(merge([window(0, 30, first), window(20, 50, second)]).value) == n


def test_windows_that_do_not_overlap_are_not_joined() -> None:
    """A gap, or a window without an answer, lies between them."""
    found = merge([window(0, 30, event("Goal", 25, 30)), window(30, 60, event("Goal", 0, 4))])
    assert told(found.value) == [("Goal", 25, 30), ("Goal", 30, 34)]


def test_times_stay_whole_and_in_the_film() -> None:
    """Windows behind a gap start at fractions, and the last one ends at one."""
    found = merge([window(47.36, 70.0, event("Corner Kick", 1, 4)), window(60, 81.4, event("Goal", 18, 22))])
    assert told(found.value) == [("Corner Kick", 48, 51), ("Goal", 78, 82)]
    assert told(merge([window(0, 9.4, event("Goal", 9, 10))]).value) == [("Goal", 9, 10)]
    assert told(merge([window(0, 30, event("Goal", 25, 33)), window(20, 50)]).value) == [("Goal", 25, 30)]


def test_no_windows_and_too_many_events(monkeypatch: pytest.MonkeyPatch) -> None:
    empty: Sequence[Window[Events]] = []
    assert merge(empty).value == events_of([])
    assert told(merge([window(0, 30), window(20, 50)]).value) == []
    most = schema.MOST_IN_SESSION // 2 + 1
    many = [window(100 * i, 100 * i + 30, event("Goal", 1, 3), event("Goal", 5, 6)) for i in range(most)]
    with pytest.raises(DataError, match="more than the 4096"):
        merge(many)
