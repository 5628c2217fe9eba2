"""Samples to validate on: held out by name, together with all that belongs to them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from vlmkit.errors import DataError, VlmkitError
from vlmkit.grouping import contents, linked
from vlmkit.types import Sample

_TOGETHER = ("group", "source", "subject")  # names in a sample's meta; samples that share one stay on one side
_LEAST = 2  # one sample alone has nothing to be told apart from


def hold_out(samples: Sequence[Sample], share: float) -> tuple[list[Sample], list[Sample]]:
    """Samples to learn from, and about `share` of them to validate on.

    Samples that share a group, a source, a subject or a medium's content are one set, also by way of others. The
    SHA-256 of a set's first name decides, whatever other sets there are; only where that holds out fewer than two
    samples, the sets with the lowest numbers are taken. Raises `DataError` where nothing would be left to learn from.
    """
    if not 0 < share < 1:
        raise VlmkitError(f"val_share lies between 0 and 1; given {share}")
    places = _places(samples)
    held = {place for place in places if place < share}
    for place in sorted(set(places)):
        if sum(one in held for one in places) >= _LEAST:
            break
        held.add(place)
    learned = [sample for sample, place in zip(samples, places, strict=True) if place not in held]
    if not learned:
        raise DataError(f"{len(samples)} samples are too few to hold some out; bring more, or give val (--val DIR)")
    return learned, [sample for sample, place in zip(samples, places, strict=True) if place in held]


def _places(samples: Sequence[Sample]) -> list[float]:
    """A number from 0 to 1 a sample, the same for all that belong together."""
    names = [[f"{name} {one.meta[name]}" for name in _TOGETHER if one.meta.get(name) is not None] for one in samples]
    ids = [f"id {sample.id}" for sample in samples]
    sets = linked([[*some, *more, own] for some, more, own in zip(names, contents(samples), ids, strict=True)])
    # A set is called by what its samples share, in the order of _TOGETHER; by an id only where they share no name.
    called: dict[int, tuple[bool, str]] = {}
    for number, some, own in zip(sets, names, ids, strict=True):
        name = (False, min(some)) if some else (True, own)
        called[number] = min(called.get(number, name), name)
    return [_number(called[number][1]) for number in sets]


def _number(name: str) -> float:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64
