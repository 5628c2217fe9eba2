"""One annotated event, as somebody wrote it, to the typed one: names and times of every form, or why it is none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from vlmkit.errors import DataError
from vlmkit.times import hms, parse_time
from vlmkit_plugins.football.ontology import resolve
from vlmkit_plugins.football.rows import Excluded
from vlmkit_plugins.football.schema import CLASSES, Event

_CLASS = ("event", "event_type", "event_class", "class", "label")
_DESCRIPTION = ("description",)
_START = ("start_time", "startTime", "start", "start_s")
_END = ("end_time", "endTime", "end", "end_s")
_MOMENT = ("timestamp", "time", "ts", "event_time", "happened_at", "when", "time_happened")
_SAME_S = 1e-6


@dataclass(frozen=True)
class Written:
    """An event, what else was written about it, and whether its times were widened from a single moment."""

    event: Event
    extra: Mapping[str, Any] = field(default_factory=dict)
    widened: bool = False


def read_event(raw: Any, where: str, video_s: float, instant: tuple[float, float] | None = None) -> Written | Excluded:
    """The typed event of a film of `video_s` seconds, or why there is none.

    Args:
        instant: seconds before and after the moment of an event that has one time only, which is none of its own
            otherwise; cut to the film.
    """
    if not isinstance(raw, Mapping):
        return Excluded(where, "not_an_event", f"wanted an object; given {type(raw).__name__}")
    used: set[str] = set()
    name = _class(raw, where, used)
    if isinstance(name, Excluded):
        return name
    key, text = _given(raw, _DESCRIPTION)
    if key is None:
        return Excluded(where, "missing_field", "it has no description")
    used.add(key)
    times = _times(raw, where, used)
    if isinstance(times, Excluded):
        return times
    widened = times[1] is None or times[0] == times[1]
    stretch = _stretch(*times, where, video_s, instant)
    if isinstance(stretch, Excluded):
        return stretch
    start_s, end_s = stretch
    if start_s >= end_s:
        return Excluded(where, "instant_event", f"nothing of the film is left around {start_s:g} s")
    start, end = clocks(start_s, end_s)
    try:
        event = Event.model_validate({"description": text, "start_time": start, "end_time": end, "event": name})
    except ValidationError as error:
        first = error.errors()[0]
        return Excluded(where, "bad_field", f"{first['loc'][0]}: {first['msg']}; given {str(first['input'])[:80]!r}")
    return Written(event, {key: value for key, value in raw.items() if key not in used}, widened)


def clocks(start_s: float, end_s: float) -> tuple[str, str]:
    """Both as the schema has them, to the nearest second; of what lasts, and would not then, the seconds that hold it.

    Raises `DataError` below 0.
    """
    if start_s < end_s and math.floor(start_s + 0.5) >= math.floor(end_s + 0.5):
        start_s, end_s = math.floor(start_s), math.ceil(end_s)
    return hms(start_s), hms(end_s)


def _class(raw: Mapping[str, Any], where: str, used: set[str]) -> str | Excluded:
    key, given = _given(raw, _CLASS)
    if key is None:
        return Excluded(where, "missing_field", "it has no event, the name of its class")
    used.add(key)
    name = resolve(given) if isinstance(given, str) else None
    if name is None:
        return Excluded(where, "unknown_class", f"{str(given)[:80]!r} is none of {', '.join(CLASSES)}")
    for other in _CLASS:
        also = resolve(raw[other]) if isinstance(raw.get(other), str) else None
        if also is not None and also != name:
            return Excluded(where, "contradiction", f"{key} says {name}, and {other} {also}")
    return name


def _times(raw: Mapping[str, Any], where: str, used: set[str]) -> tuple[float, float | None] | Excluded:
    """Start and end in seconds; no end where there is one moment only."""
    start_key, start = _given(raw, (*_START, *_MOMENT))
    end_key, end = _given(raw, _END)
    if start_key is None:
        return Excluded(where, "missing_field", "it has no start_time")
    used |= {start_key} | ({end_key} if end_key else set())
    try:
        start_s = parse_time(start, start_key)
        return start_s, None if end_key is None else parse_time(end, end_key)
    except DataError as error:
        return Excluded(where, "unreadable_time", str(error))


def _stretch(
    start_s: float, end_s: float | None, where: str, video_s: float, instant: tuple[float, float] | None
) -> tuple[float, float] | Excluded:
    film = f"the film lasts {video_s:.3f} s"
    if start_s >= video_s - _SAME_S:
        return Excluded(where, "outside_clip", f"it starts at {start_s:g} s, and {film}")
    if end_s is None or end_s == start_s:
        if instant is None:
            return Excluded(where, "instant_event", f"it has one time, {start_s:g} s, and no length")
        start_s, end_s = max(0.0, start_s - instant[0]), min(video_s, start_s + instant[1])
    if end_s < start_s:
        return Excluded(where, "end_before_start", f"it ends at {end_s:g} s and starts at {start_s:g} s")
    if end_s > math.ceil(video_s - _SAME_S):
        return Excluded(where, "outside_clip", f"it ends at {end_s:g} s, and {film}")
    return start_s, end_s


def _given(raw: Mapping[str, Any], keys: tuple[str, ...]) -> tuple[str | None, Any]:
    """The first of the keys that says something, and what it says."""
    for key in keys:
        value = raw.get(key)
        if value is not None and not (isinstance(value, str) and not value.strip()):
            return key, value
    return None, None
