"""Who belongs to which split, and a check that nothing leaks from one into another."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from pathlib import Path

import numpy as np

from vlmkit.errors import DataError, MediaError
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
    owners: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)  # what is shared -> split -> first sample id
    digests: dict[Path, str] = {}
    for split, samples in splits.items():
        for sample in samples:
            for mark in _marks(sample, digests, by_subject):
                owners[mark].setdefault(split, sample.id)
    pairs = [
        f"{kind}: {ids[a]!r} ({a}) and {ids[b]!r} ({b})"
        for (kind, _), ids in owners.items()
        for a, b in combinations(ids, 2)
    ]
    if pairs:
        raise DataError(f"{len(pairs)} leaks between splits: " + "; ".join(pairs))


def _marks(sample: Sample, digests: dict[Path, str], by_subject: bool) -> Iterator[tuple[str, str]]:
    yield "same id", sample.id
    yield "same film", _content(sample, digests)
    subject, session = sample.meta.get("subject"), sample.meta.get("session")
    if by_subject and subject is not None:
        yield "same subject", str(subject)
    if subject is not None and session is not None:
        yield "same session", f"{subject}/{session}"


def _content(sample: Sample, digests: dict[Path, str]) -> str:
    clip = sample.media.get("video")
    source = None if clip is None else clip.source
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    if isinstance(source, np.ndarray):
        digest = hashlib.sha256(f"{source.dtype.str} {source.shape} ".encode())  # the bytes alone do not say the shape
        digest.update(source.tobytes())
        return digest.hexdigest()
    if isinstance(source, str | Path):
        path = Path(source)
        if path not in digests:
            digests[path] = _digest(path)
        return digests[path]
    given = "none" if clip is None else type(source).__name__
    raise DataError(f"{sample.id}: wanted a film to compare between splits (a file, bytes, or an array); given {given}")


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as film:
            return hashlib.file_digest(film, "sha256").hexdigest()
    except FileNotFoundError:
        raise MediaError(str(path), "missing", "no such file, so it cannot be compared between splits") from None
    except OSError:
        raise MediaError(str(path), "unreadable", "cannot be read, so it cannot be compared between splits") from None
