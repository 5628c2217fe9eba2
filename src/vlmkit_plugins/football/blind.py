"""What answers that never look at a film would get."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from vlmkit.errors import DataError
from vlmkit.times import hms
from vlmkit_plugins.football.schema import MOST_IN_WINDOW, Event, Events, events_of

_CANDIDATES = 4096  # events that a constant answer is chosen from, the likeliest first
_ENDS = 256  # starts of a class, and ends, that they are made of; clips have fewer, a match has thousands
_HIT = 0.5


def baselines(truths: Sequence[Events], ids: Sequence[str], seed: int) -> dict[str, list[Events]]:
    """One answer an id, for each of three ways.

    - `empty`: never any event.
    - `constant`: the one list of events with the best F1 at a tIoU of .5 over `truths`, chosen event by event; at least
      one event.
    - `chance`: the number of events, their classes, their times and their words each drawn on its own from `truths`;
      the same for the same seed.

    Raises `DataError` without truths.
    """
    if not truths:
        raise DataError("baselines learn from truths, and none was given")
    rng = np.random.default_rng(seed)
    return {
        "empty": [events_of([])] * len(ids),
        "constant": [constant(tuple(truths))] * len(ids),
        "chance": [_chance(truths, rng) for _ in ids],
    }


@lru_cache(4)
def constant(truths: tuple[Events, ...]) -> Events:
    """The list that is built by taking, again and again, the event that raises F1 most over all clips.

    Each event is of a class that occurs, and begins and ends where true events of that class do. Empty only where no
    truth has any.
    """
    every = [event for truth in truths for event in truth.root]
    if not every:
        return events_of([])
    owners = np.array([place for place, truth in enumerate(truths) for _ in truth.root])
    likely = _likely([_key(event) for event in every])
    hits = _hits(likely, [_key(event) for event in every])
    chosen: list[int] = []
    found, best = 0, 0.0
    free = np.ones(len(every), dtype=bool)
    while len(chosen) < MOST_IN_WINDOW:
        gains = _clips(hits & free, owners, len(truths))
        place = int(np.argmax(gains))
        f1 = 2 * (found + int(gains[place])) / (len(every) + (len(chosen) + 1) * len(truths))
        if f1 <= best and chosen:
            break
        best, found = f1, found + int(gains[place])
        chosen.append(place)
        free[_first(hits[place] & free, owners)] = False
    words: dict[str, Event] = {event.event: event for event in reversed(every)}  # the first of each class
    told = [likely[place].told(words) for place in chosen]
    return events_of(sorted(told, key=lambda event: (event.start_s, event.end_s)))


@dataclass(frozen=True)
class _Key:
    """An event without its words."""

    event: str
    start_s: float
    end_s: float

    def told(self, said: Mapping[str, Event]) -> Event:
        times = {"start_time": hms(self.start_s), "end_time": hms(self.end_s)}
        return said[self.event].model_copy(update=times)


def _key(event: Event) -> _Key:
    return _Key(event.event, event.start_s, event.end_s)


def _likely(events: Sequence[_Key]) -> list[_Key]:
    """Every frequent start of a class with every later such end, the most frequent first."""
    found = {}
    for name in dict.fromkeys(event.event for event in events):
        starts, ends = (
            Counter(getattr(event, end) for event in events if event.event == name).most_common(_ENDS)
            for end in ("start_s", "end_s")
        )
        for (start, one), (end, two) in product(starts, ends):
            if start < end:
                found[_Key(name, start, end)] = one * two
    return sorted(found, key=lambda key: (-found[key], key.start_s, key.end_s))[:_CANDIDATES]


def _hits(candidates: Sequence[_Key], events: Sequence[_Key]) -> NDArray[np.bool_]:
    """Whether a candidate finds an event, `[candidates, events]`."""
    start, end = (np.array([getattr(one, name) for one in events]) for name in ("start_s", "end_s"))
    classes = np.array([one.event for one in events])
    found = np.zeros((len(candidates), len(events)), dtype=bool)
    for place, one in enumerate(candidates):
        both = np.clip(np.minimum(end, one.end_s) - np.maximum(start, one.start_s), 0, None)
        union = end - start + one.end_s - one.start_s - both
        found[place] = (classes == one.event) & (both >= _HIT * union)
    return found


def _clips(hits: NDArray[np.bool_], owners: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    """In how many clips each candidate finds an event: one finds at most one a clip."""
    found = np.zeros((len(hits), n), dtype=bool)
    rows, columns = np.nonzero(hits)
    found[rows, owners[columns]] = True
    counted: NDArray[np.intp] = found.sum(axis=1)
    return counted


def _first(hits: NDArray[np.bool_], owners: NDArray[np.intp]) -> NDArray[np.intp]:
    """The first event of each clip that is found."""
    places = np.flatnonzero(hits)
    return places[np.unique(owners[places], return_index=True)[1]]


def _chance(truths: Sequence[Events], rng: np.random.Generator) -> Events:
    every = [event for truth in truths for event in truth.root]
    n = len(truths[int(rng.integers(len(truths)))])
    drawn = []
    for _ in range(n):
        what, when, who = (every[int(place)] for place in rng.integers(len(every), size=3))
        drawn.append(when.model_copy(update={"event": what.event, "description": who.description}))
    return events_of(sorted(drawn, key=lambda event: event.start_s))
