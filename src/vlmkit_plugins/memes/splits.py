"""Who belongs to which split: planned by seed, stratified, duplicates on one side; and what leaks between splits."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmkit.errors import DataError, MediaError
from vlmkit.types import Sample
from vlmkit_plugins.memes.fingerprints import Fingerprint, fingerprint, near
from vlmkit_plugins.memes.letters import visible

FILE = "splits.json"
SPLITS = ("train", "val", "test")
SHARES: Mapping[str, float] = {"train": 0.8, "val": 0.1, "test": 0.1}
_NAMES = {
    **{name: name for name in (*SPLITS, "all", "unsplit")},
    **dict.fromkeys(("dev", "dev_seen", "dev_unseen", "valid", "validation"), "val"),
    **dict.fromkeys(("test_seen", "test_unseen"), "test"),
    **dict.fromkeys(("training",), "train"),
}

Stratum = tuple[str, str]
"""Data set and label."""


@dataclass(frozen=True)
class Leak:
    """Two samples of different splits that share something: `what` is id, picture, near_picture, group or text."""

    what: str
    first: str
    first_split: str
    second: str
    second_split: str

    def __str__(self) -> str:
        return f"same {self.what}: {self.first!r} ({self.first_split}) and {self.second!r} ({self.second_split})"


def split_name(given: Any) -> str | None:
    """The split that a data set's own word stands for, `dev` being `val`; None for a word that is not known."""
    return _NAMES.get(given.strip().casefold()) if isinstance(given, str) else None


def plan(samples: Iterable[Sample], shares: Mapping[str, float] = SHARES, seed: int = 0) -> dict[str, str]:
    """A split for every sample, by id.

    Samples that share a picture (fingerprints.py), a `meta["group"]`, or, without pictures, their words go to one side,
    so that of one picture with several captions none is learned and another asked about. Data sets and labels are
    spread as the shares say, as far as such groups allow; who goes where is drawn from the seed and the ids alone.

    A picture that cannot be read counts as equal to none; packing it fails, and is counted there.

    Raises `DataError` for shares that are not positive or do not sum to 1, for an id that comes twice, and where a
    split would be empty.
    """
    samples = list(samples)
    if not shares or min(shares.values()) <= 0 or not math.isclose(sum(shares.values()), 1.0):
        raise DataError(f"shares: wanted positive shares that sum to 1; given {dict(shares)}")
    if twice := [key for key, n in Counter(sample.id for sample in samples).items() if n > 1]:
        raise DataError(f"{len(twice)} ids come more than once: {', '.join(map(repr, twice[:5]))}")
    groups = _groups(samples)
    totals = Counter(_stratum(sample) for sample in samples)
    left = {split: {stratum: share * n for stratum, n in totals.items()} for split, share in shares.items()}
    found: dict[str, str] = {}
    for group in sorted(groups, key=lambda group: (-len(group), _drawn(group, seed))):
        counts = Counter(_stratum(sample) for sample in group)
        split = max(left, key=lambda name: sum(n * left[name][stratum] for stratum, n in counts.items()))
        for stratum, n in counts.items():
            left[split][stratum] -= n
        found |= dict.fromkeys((sample.id for sample in group), split)
    if empty := sorted(set(shares) - set(found.values())):
        largest = max(map(len, groups), default=0)
        raise DataError(
            f"{', '.join(empty)}: no sample is left for it: {len(samples)} samples in {len(groups)} groups, the "
            f"largest of {largest}; give more samples or fewer splits"
        )
    return {sample.id: found[sample.id] for sample in samples}


def write_plan(found: Mapping[str, str], folder: Path) -> Path:
    """Write a plan beside the manifest that it is about (`splits.json`), whole or not at all, and return its path."""
    path, draft = Path(folder) / FILE, Path(folder) / f".{FILE}.part"
    draft.write_text(json.dumps(dict(found), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)
    return path


def leaks(by_split: Mapping[str, Iterable[Sample]]) -> tuple[Leak, ...]:
    """What splits share: ids, pictures, near pictures, groups, and words that stand without a picture.

    One pair is named for each thing shared and each two splits. Raises `MediaError` for a picture that cannot be read:
    it cannot be compared.
    """
    placed = [(split, sample) for split, samples in by_split.items() for sample in samples]
    prints = [fingerprint(sample) for _, sample in placed]
    owners: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)  # what is shared -> split -> first sample's id
    for (split, sample), seen in zip(placed, prints, strict=True):
        for mark in (("id", sample.id), *_marks(sample, seen)):
            owners[mark].setdefault(split, sample.id)
    found = [
        Leak(what, ids[first], first, ids[second], second)
        for (what, _), ids in owners.items()
        for first, second in _pairs(list(ids))
    ]
    known = {frozenset({leak.first, leak.second}) for leak in found}
    for places in _near(prints):
        split_ids: dict[str, str] = {}
        for place in places:
            split_ids.setdefault(placed[place][0], placed[place][1].id)
        for first, second in _pairs(list(split_ids)):
            ids = frozenset({split_ids[first], split_ids[second]})
            if ids not in known:
                known.add(ids)
                found.append(Leak("near_picture", split_ids[first], first, split_ids[second], second))
    return tuple(found)


def _pairs(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    return ((first, second) for k, first in enumerate(names) for second in names[k + 1 :])


def _groups(samples: Sequence[Sample]) -> list[list[Sample]]:
    prints = [_print_or_none(sample) for sample in samples]
    roots = list(range(len(samples)))

    def root(place: int) -> int:
        while roots[place] != place:
            roots[place] = place = roots[roots[place]]
        return place

    first: dict[tuple[str, str], int] = {}
    for place, (sample, seen) in enumerate(zip(samples, prints, strict=True)):
        for mark in _marks(sample, seen):
            roots[root(place)] = root(first.setdefault(mark, place))
    for places in _near(prints):
        for place in places[1:]:
            roots[root(place)] = root(places[0])
    found: dict[int, list[Sample]] = defaultdict(list)
    for place, sample in enumerate(samples):
        found[root(place)].append(sample)
    return list(found.values())


def _near(prints: Sequence[Fingerprint | None]) -> Iterator[list[int]]:
    """Places of samples with near pictures: all of one hash, and all of each two hashes that are near."""
    places: dict[int, list[int]] = defaultdict(list)
    for place, seen in enumerate(prints):
        if seen is not None:
            places[seen.phash].append(place)
    yield from places.values()
    hashes = list(places)
    for one, two, _ in near(hashes):
        yield places[hashes[one]] + places[hashes[two]]


def _marks(sample: Sample, seen: Fingerprint | None) -> Iterator[tuple[str, str]]:
    if seen is not None:
        yield "picture", seen.sha256
    if (group := sample.meta.get("group")) is not None:
        yield "group", str(group)
    if not sample.media and sample.text:
        yield "text", visible(sample.text)[0].casefold()


def _print_or_none(sample: Sample) -> Fingerprint | None:
    try:
        return fingerprint(sample)
    except MediaError:
        return None


def _stratum(sample: Sample) -> Stratum:
    label = getattr(sample.truth, "label", None)
    return str(sample.meta.get("dataset")), str(label)


def _drawn(group: Sequence[Sample], seed: int) -> str:
    first = min(sample.id for sample in group)
    return hashlib.sha256(f"{seed}:{first}".encode()).hexdigest()
