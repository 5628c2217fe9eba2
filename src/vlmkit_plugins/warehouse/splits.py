"""Who belongs to which split, and a check that nothing leaks from one into another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from vlmkit.errors import DataError
from vlmkit.grouping import Mark, contents, leaks
from vlmkit.types import Sample

SPLITS: Mapping[str, frozenset[str]] = {
    "train": frozenset({"U0101", "U0102", "U0103", "U0104", "U0105", "U0106"}),
    "val": frozenset({"U0107"}),
    "test": frozenset({"U0108"}),
}
"""The brief's subjects by split; give another mapping to `split_of` for other data."""


def split_of(subject: str, splits: Mapping[str, frozenset[str]] = SPLITS) -> str:
    """The split of a subject. Raises `DataError` for one that is in none, or in more than one."""
    found = [name for name, subjects in splits.items() if subject in subjects]
    if len(found) != 1:
        what = "in no split" if not found else f"in {' and '.join(found)}"
        raise DataError(f"subject {subject!r} is {what}; give a mapping that holds every subject once")
    return found[0]


def leak_check(splits: Mapping[str, Iterable[Sample]], by_subject: bool = True) -> None:
    """Raise `DataError` with the pairs when two splits share an id, a film, a session, or (`by_subject`) a subject.

    Films are compared by sha256 of the file, the bytes, or the array's frames, so that a renamed copy is found, but not
    a file against its own decoded frames; a session by `meta["subject"]` with `meta["session"]`, where both are known.
    Also raises `DataError` for a sample without a film, and `MediaError` for a film that cannot be read: neither can be
    compared.
    """
    placed = [(split, sample) for split, samples in splits.items() for sample in samples]
    films = contents([_film(sample) for _, sample in placed], strict=True)
    found = leaks(
        (split, sample.id, _marks(sample, film, by_subject))
        for (split, sample), (film,) in zip(placed, films, strict=True)
    )
    if found:
        raise DataError(f"{len(found)} leaks between splits: " + "; ".join(map(str, found)))


def _marks(sample: Sample, film: str, by_subject: bool) -> Iterator[Mark]:
    yield "id", sample.id
    yield "film", film
    subject, session = sample.meta.get("subject"), sample.meta.get("session")
    if by_subject and subject is not None:
        yield "subject", str(subject)
    if subject is not None and session is not None:
        yield "session", f"{subject}/{session}"


def _film(sample: Sample) -> Sample:
    """The sample with its film alone. Raises `DataError` where there is none that can be compared."""
    clip = sample.media.get("video")
    if clip is None or not isinstance(clip.source, str | Path | bytes | np.ndarray):
        given = "none" if clip is None else type(clip.source).__name__
        raise DataError(
            f"{sample.id}: wanted a film to compare between splits (a file, bytes, or an array); given {given}"
        )
    return replace(sample, media={"video": clip})
