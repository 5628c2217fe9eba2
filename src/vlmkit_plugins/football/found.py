"""Which answered event is which true one."""

from __future__ import annotations

from functools import lru_cache

from vlmkit.evaluate.matching import Matched, Overlaps
from vlmkit.task import Span
from vlmkit_plugins.football.schema import Events

HIT = 0.5
"""The tIoU from which an event counts as found where no other is named."""
_CACHED = 1 << 15  # pairs of answers: baselines compare the same ones again and again


@lru_cache(_CACHED)
def stretches(events: Events) -> tuple[Span, ...]:
    """The events as labelled stretches in seconds, in the order of the answer."""
    return tuple(Span(event.start_s, event.end_s, event.event) for event in events.root)


@lru_cache(_CACHED)
def overlaps(truth: Events, answer: Events) -> Overlaps:
    """The events of one class that touch."""
    return Overlaps.of(stretches(truth), stretches(answer))


@lru_cache(_CACHED)
def matched(truth: Events, answer: Events, at: float = HIT) -> Matched:
    """One to one, class by class, at a tIoU of at least `at`."""
    return overlaps(truth, answer).match(at)
