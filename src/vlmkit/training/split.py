"""Samples to validate on: held out by the sample's name, so that a name is always on the same side."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from vlmkit.errors import DataError, VlmkitError
from vlmkit.types import Sample

_TOGETHER = ("group", "source", "subject")  # names in a sample's meta; samples that share one stay on one side
_LEAST = 2  # one sample alone has nothing to be told apart from


def hold_out(samples: Sequence[Sample], share: float) -> tuple[list[Sample], list[Sample]]:
    """Samples to learn from, and about `share` of them to validate on.

    A name's SHA-256 decides, whatever other samples there are; only where that holds out fewer than two samples,
    those with the lowest numbers are taken. Raises `DataError` where nothing would be left to learn from.
    """
    if not 0 < share < 1:
        raise VlmkitError(f"val_share lies between 0 and 1; given {share}")
    places = [_place(sample) for sample in samples]
    held = {place for place in places if place < share}
    for place in sorted(set(places)):
        if sum(one in held for one in places) >= _LEAST:
            break
        held.add(place)
    learned = [sample for sample, place in zip(samples, places, strict=True) if place not in held]
    if not learned:
        raise DataError(f"{len(samples)} samples are too few to hold some out; bring more, or give val (--val DIR)")
    return learned, [sample for sample, place in zip(samples, places, strict=True) if place in held]


def _place(sample: Sample) -> float:
    together = next((f"{name} {sample.meta[name]}" for name in _TOGETHER if sample.meta.get(name) is not None), None)
    digest = hashlib.sha256((together or f"id {sample.id}").encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
