"""What windows of a match show, as one list on the clock of the match.

Windows overlap, so that an event near the border of one lies well inside another. What two windows say of one event
is joined; two events that one window tells apart stay two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from vlmkit.errors import DataError
from vlmkit.task import Merged, Window, Windowing
from vlmkit.times import Stretch, hms
from vlmkit_plugins.football.schema import CLASSES, MOST_IN_SESSION, STEP_S, WINDOW_S, Event, Events, events_of

_SAME_S = 1e-6  # what float seconds of a long match lose is far less


@dataclass(frozen=True)
class _Sighting:
    """One window's event on the clock of the match.

    Attributes:
        origin: place of the window, and place in its answer.
        when: from when to when, as the window has it. seen: what the window shows.
        before_s, after_s: seconds of the window around the event. 0: the border may have cut it. The film's own start
            and end cut nothing, and count as infinitely far.
    """

    event: Event
    origin: tuple[int, int]
    when: Stretch
    seen: Stretch
    before_s: float
    after_s: float

    @property
    def room_s(self) -> float:
        """To the nearer border: more room is a more complete view."""
        return min(self.before_s, self.after_s)


def merge(windows: Sequence[Window[Events]]) -> Merged[Events]:
    """The events of all windows in the order of their starts, each once.

    Two windows saw one event where they name one class, and what they say of the stretch that both of them show
    overlaps in time. Each event of one window is joined with at most one of another, the best overlap first. Start,
    end and description are those of the window that has most room around the event, which `origins` names. Where no
    window has any, the event lasts from the start that no border cut to the end that none did.

    Args:
        windows: in the order of their starts, with times in whole seconds on their own clocks.

    Raises `DataError` for more events than an answer holds.
    """
    groups: list[list[_Sighting]] = []
    for place, window in enumerate(windows):
        recent = [group for group in groups if any(one.seen.end_s > window.start_s for one in group)]
        groups += _join(recent, _sightings(window, place, first=place == 0, last=place == len(windows) - 1))
    found = sorted((_whole(group) for group in groups), key=_order)
    if len(found) > MOST_IN_SESSION:
        raise DataError(f"{len(found)} events are more than the {MOST_IN_SESSION} that one answer holds; cut the film")
    return Merged(events_of([_placed(one) for one in found]), tuple(one.origin for one in found))


WINDOWING: Windowing[Events] = Windowing(window_s=WINDOW_S, step_s=STEP_S, merge=merge)
"""How football asks about a match."""


def _sightings(window: Window[Events], place: int, *, first: bool, last: bool) -> list[_Sighting]:
    seen = Stretch(window.start_s, window.end_s)
    # Replies count whole seconds: one about 9.4 s may say that an event ends at 10.
    whole_s = math.ceil(seen.length_s - _SAME_S)
    found = []
    for index, event in enumerate(window.value.root):
        start_s, end_s = event.start_s, event.end_s
        end_s = min(end_s, whole_s) if start_s < whole_s else end_s
        when = Stretch(start_s, end_s).to_session(window.start_s)
        before_s = math.inf if first else start_s
        after_s = math.inf if last else max(0.0, seen.end_s - when.end_s)
        found.append(_Sighting(event, (place, index), when, seen, before_s, after_s))
    return found


def _join(groups: Sequence[list[_Sighting]], sightings: Sequence[_Sighting]) -> list[list[_Sighting]]:
    """Add each of one window's sightings to the group of its event; returns the groups of those that have none yet."""
    pairs = [(_alike(group, one), g, s) for g, group in enumerate(groups) for s, one in enumerate(sightings)]
    joined: dict[int, int] = {}
    for alike, g, s in sorted(pairs, key=lambda pair: (-pair[0], *pair[1:])):
        if alike > 0 and s not in joined and g not in joined.values():
            joined[s] = g
    for s, g in joined.items():
        groups[g].append(sightings[s])
    return [[one] for s, one in enumerate(sightings) if s not in joined]


def _alike(group: Sequence[_Sighting], one: _Sighting) -> float:
    """tIoU within what both windows show, the best of the group's; 0 for another event."""
    if group[0].event.event != one.event.event:
        return 0.0
    best = 0.0
    for other in group:
        common = other.seen.clamped(one.seen)
        if common is None:
            continue
        part, whole = one.when.clamped(common), other.when.clamped(common)
        if part is not None and whole is not None:
            best = max(best, part.tiou(whole))
    return best


def _whole(group: Sequence[_Sighting]) -> _Sighting:
    """One event out of its sightings."""
    best = max(group, key=lambda one: (one.room_s, one.when.length_s, -one.origin[0]))
    if best.room_s > _SAME_S or len(group) == 1:
        return best
    begun = max(group, key=lambda one: (one.before_s > _SAME_S, -one.when.start_s))
    ended = max(group, key=lambda one: (one.after_s > _SAME_S, one.when.end_s))
    if begun.when.start_s >= ended.when.end_s:
        return best
    return replace(best, when=Stretch(begun.when.start_s, ended.when.end_s))


def _placed(one: _Sighting) -> Event:
    """In whole seconds: a window behind a gap may start at any fraction of one."""
    start_s = math.floor(one.when.start_s + 0.5)
    end_s = max(start_s + 1, math.floor(one.when.end_s + 0.5))
    return one.event.model_copy(update={"start_time": hms(start_s), "end_time": hms(end_s)})


def _order(one: _Sighting) -> tuple[float, float, int, tuple[int, int]]:
    return one.when.start_s, one.when.end_s, CLASSES.index(one.event.event), one.origin
