"""Replies of engines that no grammar holds: times and names of classes as the schema spells them."""

from __future__ import annotations

from typing import Any

from vlmkit.errors import DataError
from vlmkit.times import parse_time
from vlmkit_plugins.football.ontology import resolve
from vlmkit_plugins.football.written import clocks

_TIMES = ("start_time", "end_time")


def mend(reply: Any) -> tuple[Any, list[str]]:
    """The same reply, and a phrase for each value that has another spelling now.

    Times of every form that `vlmkit.times` reads become `H:M:S`, to the nearest second; a class that the ontology knows
    by another name gets its own. What cannot be read stays as it is, for the schema to refuse.
    """
    if not isinstance(reply, list):
        return reply, []
    said: list[str] = []
    return [
        _mended(event, f"{place}.", said) if isinstance(event, dict) else event for place, event in enumerate(reply)
    ], said


def _mended(event: dict[str, Any], where: str, said: list[str]) -> dict[str, Any]:
    known = dict(zip(_TIMES, _clocks(event), strict=False))
    if isinstance(event.get("event"), str) and (name := resolve(event["event"])) is not None:
        known["event"] = name
    changed = {key: value for key, value in known.items() if value != event[key]}
    said += [f"read {where}{key} {str(event[key])[:40]!r} as {value!r}" for key, value in changed.items()]
    return {**event, **changed}


def _clocks(event: dict[str, Any]) -> tuple[str, ...]:
    """Start and end; nothing where one of them cannot be read."""
    try:
        start_s, end_s = (parse_time(event.get(key), key) for key in _TIMES)
        return clocks(start_s, end_s)
    except DataError:
        return ()
