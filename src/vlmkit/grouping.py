"""What belongs together: samples that share a mark form one group, split as one, and leak where splits share it.

A mark is a pair `(kind, value)`: a film's content, a source, a subject. Two samples that a third one links are in one
group.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from vlmkit.errors import DataError, MediaError
from vlmkit.media.content import content_sha256
from vlmkit.types import Sample

Mark = tuple[str, str]
"""Kind and value of something that samples may share."""


@dataclass(frozen=True)
class Leak:
    """Two samples of different splits that share something: `what` is the kind of the mark."""

    what: str
    first: str
    first_split: str
    second: str
    second_split: str

    def __str__(self) -> str:
        return f"same {self.what}: {self.first!r} ({self.first_split}) and {self.second!r} ({self.second_split})"


def linked(marks: Sequence[Iterable[Hashable]]) -> list[int]:
    """A number an item, equal for all that are in one group: by a mark that they share, or by way of others."""
    parents = list(range(len(marks)))

    def root(item: int) -> int:
        while parents[item] != item:
            parents[item] = item = parents[parents[item]]
        return item

    owners: dict[Hashable, int] = {}
    for item, some in enumerate(marks):
        for mark in some:
            parents[root(item)] = root(owners.setdefault(mark, item))
    return [root(item) for item in range(len(marks))]


def groups(marks: Sequence[Iterable[Hashable]]) -> list[list[int]]:
    """The places of each group's items, groups in the order of their first ones."""
    found: dict[int, list[int]] = defaultdict(list)
    for place, number in enumerate(linked(marks)):
        found[number].append(place)
    return list(found.values())


def leaks(placed: Iterable[tuple[str, str, Iterable[Mark]]]) -> tuple[Leak, ...]:
    """What splits share, out of `(split, id, marks)` a sample: one pair for each mark and each two splits."""
    owners: dict[Mark, dict[str, str]] = defaultdict(dict)  # mark -> split -> first sample's id
    for split, name, marks in placed:
        for mark in marks:
            owners[mark].setdefault(split, name)
    return tuple(
        Leak(what, ids[first], first, ids[second], second)
        for (what, _), ids in owners.items()
        for first, second in combinations(ids, 2)
    )


def plan(
    ids: Sequence[str],
    marks: Sequence[Iterable[Hashable]],
    strata: Sequence[Sequence[Hashable]],
    shares: Mapping[str, float],
    seed: int,
) -> dict[str, str]:
    """A split for every id; groups stay whole, and each stratum is spread as the shares say, as far as groups allow.

    The largest groups go first, each to the split that lacks most of what it holds. Who goes where is drawn from the
    seed and the ids alone, not from their order.

    Args:
        strata: what each sample counts for; a sample may be in several strata.

    Raises `DataError` for shares that are not positive or do not sum to 1, for an id that comes twice, and where a
    split would be empty.
    """
    if not shares or min(shares.values()) <= 0 or not math.isclose(sum(shares.values()), 1.0):
        raise DataError(f"shares: wanted positive shares that sum to 1; given {dict(shares)}")
    if twice := [name for name, n in Counter(ids).items() if n > 1]:
        raise DataError(f"{len(twice)} ids come more than once: {', '.join(map(repr, twice[:5]))}")
    totals = Counter(stratum for some in strata for stratum in some)
    left = {split: {stratum: share * n for stratum, n in totals.items()} for split, share in shares.items()}
    whole = groups(marks)
    found: dict[str, str] = {}
    for group in sorted(whole, key=lambda group: (-len(group), _drawn([ids[place] for place in group], seed))):
        counts = Counter(stratum for place in group for stratum in strata[place])
        split = max(left, key=lambda name: sum(n * left[name][stratum] for stratum, n in counts.items()))
        for stratum, n in counts.items():
            left[split][stratum] -= n
        found |= dict.fromkeys((ids[place] for place in group), split)
    if empty := sorted(set(shares) - set(found.values())):
        raise DataError(
            f"{', '.join(empty)}: no sample is left for it: {len(ids)} samples in {len(whole)} groups, the largest of "
            f"{max(map(len, whole), default=0)}; give more samples or fewer splits"
        )
    return {name: found[name] for name in ids}


def contents(samples: Sequence[Sample], *, strict: bool = False) -> list[list[str]]:
    """What each sample's media hold, whatever window of them is meant and whatever the files are called.

    Files are read only where others, or bytes in memory, are as large; else a file is called by its path. One that is
    not there is called by its path too, unless `strict`: then `MediaError` is raised, as it cannot be compared.
    """
    sources = [[medium.source for medium in sample.media.values()] for sample in samples]
    named = [source for some in sources for source in some if isinstance(source, str | Path)]
    files = {Path(source).resolve(): str(source) for source in named}
    sizes = {file: file.stat().st_size for file in files if file.is_file()}
    alike = Counter(sizes.values())
    alike.update(len(source) for source in (one for some in sources for one in some) if isinstance(source, bytes))
    called: dict[Path, str] = {}
    for file, name in files.items():
        called[file] = f"path {file}"
        if strict and file not in sizes:
            _refuse(file, name)
        if alike[sizes.get(file, -1)] > 1:
            try:
                called[file] = f"content {content_sha256(file)}"
            except OSError:
                if strict:
                    _refuse(file, name)
    return [[_called(source, called) for source in some] for some in sources]


def _called(source: str | Path | bytes | np.ndarray, files: Mapping[Path, str]) -> str:
    if isinstance(source, str | Path):
        return files[Path(source).resolve()]
    return f"content {content_sha256(source)}"


def _refuse(file: Path, name: str) -> None:
    if not file.exists():
        raise MediaError(name, "missing", "no such file, so it cannot be compared between splits")
    raise MediaError(name, "unreadable", "cannot be read, so it cannot be compared between splits")


def _drawn(names: Sequence[str], seed: int) -> str:
    return hashlib.sha256(f"{seed}:{min(names)}".encode()).hexdigest()
