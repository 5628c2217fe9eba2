"""Who belongs to which split: planned by seed, stratified, duplicates on one side; and what leaks between splits."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from vlmkit import grouping
from vlmkit.errors import MediaError
from vlmkit.grouping import Leak, Mark
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
    strata = [[_stratum(sample)] for sample in samples]
    return grouping.plan([sample.id for sample in samples], _together(samples), strata, shares, seed)


def write_plan(found: Mapping[str, str], folder: Path) -> Path:
    """Write a plan beside the manifest that it is about (`splits.json`), whole or not at all, and return its path."""
    path, draft = Path(folder) / FILE, Path(folder) / f".{FILE}.part"
    draft.write_text(json.dumps(dict(found), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)
    return path


def leaks(by_split: Mapping[str, Iterable[Sample]]) -> tuple[Leak, ...]:
    """What splits share: `id`, `picture`, `near_picture`, `group`, and `text`, words that stand without a picture.

    One pair is named for each thing shared and each two splits. Raises `MediaError` for a picture that cannot be read:
    it cannot be compared.
    """
    placed = [(split, sample) for split, samples in by_split.items() for sample in samples]
    prints = [fingerprint(sample) for _, sample in placed]
    found = [
        *grouping.leaks(
            (split, sample.id, (("id", sample.id), *_marks(sample, seen)))
            for (split, sample), seen in zip(placed, prints, strict=True)
        )
    ]
    known = {frozenset({leak.first, leak.second}) for leak in found}
    for places in _near(prints):
        split_ids: dict[str, str] = {}
        for place in places:
            split_ids.setdefault(placed[place][0], placed[place][1].id)
        for first, second in combinations(split_ids, 2):
            ids = frozenset({split_ids[first], split_ids[second]})
            if ids not in known:
                known.add(ids)
                found.append(Leak("near_picture", split_ids[first], first, split_ids[second], second))
    return tuple(found)


def _together(samples: Sequence[Sample]) -> list[list[Mark]]:
    """What each sample may share: its marks, and one for every set of near pictures that it is in."""
    prints = [_print_or_none(sample) for sample in samples]
    marks = [list(_marks(sample, seen)) for sample, seen in zip(samples, prints, strict=True)]
    for number, places in enumerate(_near(prints)):
        for place in places:
            marks[place].append(("near_picture", str(number)))
    return marks


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


def _marks(sample: Sample, seen: Fingerprint | None) -> Iterator[Mark]:
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
