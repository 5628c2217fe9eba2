"""What every listing of samples has in common: files inside the folder, words, labels that are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from vlmkit.errors import DataError
from vlmkit.manifest import inside
from vlmkit.types import Clip, Image, Media, Modality, Sample, Sound
from vlmkit_plugins.purrsight.schema import VOCABULARY, CatReport, parse_report

Row = dict[str, Any]
Make = Callable[[Row, str, Counter[str]], Sample]
"""A row, its place, and where unknown labels are counted, to a sample."""

MEDIA: Mapping[Modality, Callable[[Path], Media]] = {"image": Image, "audio": Sound, "video": Clip}


def samples_of(listing: Path, rows: Iterable[tuple[str, Row]], make: Make) -> list[Sample]:
    """All rows as samples. Raises `DataError` for an id that comes twice, and with counts for unknown labels."""
    unknown: Counter[str] = Counter()
    found: dict[str, Sample] = {}
    places: dict[str, str] = {}
    for where, row in rows:
        sample = make(row, where, unknown)
        if sample.id in found:
            raise DataError(f"{where}: id {sample.id!r} already stands in line {places[sample.id].rpartition(':')[2]}")
        found[sample.id], places[sample.id] = sample, where
    if unknown:
        counts = ", ".join(f"{label} x{n}" for label, n in sorted(unknown.items()))
        fields = {label.split()[0] for label in unknown}
        known = "; ".join(f"{name}: {', '.join(map(str, VOCABULARY[name]))}" for name in VOCABULARY if name in fields)
        raise DataError(f"{listing}: unknown labels: {counts}; known are for {known}")
    return list(found.values())


def check_keys(row: Row, known: Collection[str], where: str) -> None:
    """Raise `DataError` for keys that the format does not have."""
    if extra := sorted(set(row) - set(known)):
        raise DataError(f"{where}: unknown keys {extra}; known: {', '.join(sorted(known))}")


def words(row: Row, key: str, where: str) -> str:
    """A text that has to be there. Raises `DataError`."""
    if not isinstance(row.get(key), str) or not row[key].strip():
        raise DataError(f"{where}: {key}: wanted a non-empty string; given {row.get(key)!r}")
    return str(row[key])


def media(row: Row, where: str, path: Callable[[str, str], Path]) -> dict[Modality, Media]:
    """The files of a row. `path` takes a name and its place, and keeps it inside the folder."""
    given = [modality for modality in MEDIA if row.get(modality) is not None]
    return {modality: MEDIA[modality](path(words(row, modality, where), f"{where}: {modality}")) for modality in given}


def under(folder: Path) -> Callable[[str, str], Path]:
    """Paths as names inside one folder."""
    return lambda name, where: inside(folder, name, where)


def report(fields: Any, where: str, unknown: Counter[str]) -> CatReport | None:
    """The truth of a row; None where it has unknown labels, which are counted. Raises `DataError` for other faults."""
    labels = list(_unknown(fields))
    unknown.update(labels)
    return None if labels else parse_report(fields, where)


def _unknown(fields: Any) -> Iterable[str]:
    diagnostic = fields.get("diagnostic") if isinstance(fields, dict) else None
    for part in diagnostic.values() if isinstance(diagnostic, dict) else ():
        for name, label in part.items() if isinstance(part, dict) else ():
            if name in VOCABULARY and isinstance(label, str) and label not in VOCABULARY[name]:
                yield f"{name} {label!r}"
