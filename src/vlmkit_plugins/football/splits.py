"""Who belongs to which split: planned by seed, what belongs together on one side; and what leaks between splits.

Clips belong together that are equal byte for byte, whatever they are called, that were cut from one source, or that
share a subject (a match, a team, a player, as the data say) or a group. Dealt out one by one, clips of few films have
most of these on both sides, and what is measured then is memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from vlmkit import grouping
from vlmkit.errors import DataError
from vlmkit.grouping import Leak, Mark
from vlmkit.types import Sample
from vlmkit_plugins.football.annotations import conflicts
from vlmkit_plugins.football.exports import write_folder

SHARES: Mapping[str, float] = {"train": 0.8, "val": 0.1, "test": 0.1}
_TOGETHER = ("source", "subject", "group")  # names in a sample's meta
_NAMED = 5  # faults that a message spells out


def plan(samples: Iterable[Sample], shares: Mapping[str, float] = SHARES, seed: int = 0) -> dict[str, str]:
    """A split for every sample, by id; who goes where is drawn from the seed and the ids alone.

    Classes of events, and clips without one, are spread as the shares say, as far as what belongs together allows.

    Raises `DataError` for shares that are not positive or do not sum to 1, for an id that comes twice, and where a
    split would be empty; `MediaError` for a film that cannot be read: it cannot be compared.
    """
    samples = list(samples)
    ids = [sample.id for sample in samples]
    return grouping.plan(ids, _marks(samples), [_strata(sample) for sample in samples], shares, seed)


def leaks(by_split: Mapping[str, Iterable[Sample]]) -> tuple[Leak, ...]:
    """What splits share: `id`, `film`, `source`, `subject` or `group`; a pair for each thing shared and two splits.

    Raises `MediaError` for a film that cannot be read.
    """
    placed = [(split, sample) for split, samples in by_split.items() for sample in samples]
    marks = _marks([sample for _, sample in placed])
    return grouping.leaks(
        (split, sample.id, [("id", sample.id), *some]) for (split, sample), some in zip(placed, marks, strict=True)
    )


def leak_check(by_split: Mapping[str, Iterable[Sample]]) -> None:
    """Raise `DataError` where splits share anything, with the pairs, and with equal films whose truths differ."""
    known = {split: list(samples) for split, samples in by_split.items()}
    found = leaks(known)
    if not found:
        return
    differing = conflicts([sample for samples in known.values() for sample in samples])
    told = [*map(str, found[:_NAMED]), *(["…"] if len(found) > _NAMED else [])]
    if differing:
        told.append(f"of equal films with different truths there are {len(differing)}: {', '.join(differing[0])}")
    raise DataError(f"{len(found)} leaks between splits: {'; '.join(told)}")


def write(samples: Sequence[Sample], found: Mapping[str, str], folder: Path) -> dict[str, Path]:
    """A data folder a split, `FOLDER/SPLIT`, and the folders by split; films are linked where that is possible.

    Args:
        found: a split by id, as `plan` gives it.

    Raises `DataError` for a sample without a split, and where splits leak.
    """
    if lacking := [sample.id for sample in samples if sample.id not in found]:
        raise DataError(f"{len(lacking)} samples have no split: {', '.join(map(repr, lacking[:_NAMED]))}; plan again")
    by_split = {split: [one for one in samples if found[one.id] == split] for split in dict.fromkeys(found.values())}
    leak_check(by_split)
    return {split: write_folder(some, Path(folder) / split) for split, some in by_split.items()}


def _marks(samples: Sequence[Sample]) -> list[list[Mark]]:
    films = grouping.contents(samples, strict=True)
    return [[*(("film", film) for film in some), *_named(sample)] for sample, some in zip(samples, films, strict=True)]


def _named(sample: Sample) -> Iterator[Mark]:
    return ((name, str(sample.meta[name])) for name in _TOGETHER if sample.meta.get(name) is not None)


def _strata(sample: Sample) -> list[str]:
    """What a sample counts for: each class that it shows, or that it shows none, or that nobody knows."""
    if sample.truth is None:
        return ["unknown"]
    return sorted({event.event for event in sample.truth.root}) or ["nothing"]
