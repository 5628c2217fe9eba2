"""A data folder to samples with truth: `manifest.jsonl` beside `videos/`, or a folder of plain films without truth.

A manifest line is `{"id", "video", "truth"?, "subject"?, "meta"?}`; `video` is a path inside the folder, `truth` an
`OperationSpan`. Operation names may be aliases or OpenPack ids (ontology.json). Nothing is skipped: a bad line and
an unknown label stop the reading, and say where.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vlmkit.errors import DataError, MediaError
from vlmkit.manifest import inside, read_rows, write_rows
from vlmkit.types import Clip, Sample
from vlmkit_plugins.warehouse.ontology import load
from vlmkit_plugins.warehouse.schema import OPERATIONS, parse_span, rules

MANIFEST = "manifest.jsonl"
FILMS = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v"})
_LABELS = ("dominant_operation", "anticipated_next_operation")
_KEYS = frozenset({"id", "video", "truth", "subject", "meta"})


def read(folder: Path) -> Iterator[Sample]:
    """The samples of a folder, in the manifest's order; of plain films, by name and without truth.

    The manifest is checked as a whole before the first sample comes. Raises `MediaError` for a folder that is
    missing, no folder, or empty; `DataError` naming file and line for a bad line or a truth that ends after the clip's
    `meta["n_frames"]`, and with counts for unknown labels. Films are not opened: the sample of one that is missing
    comes like any other, and whoever decodes it is told.
    """
    folder = Path(folder)
    if not folder.exists():
        raise MediaError(str(folder), "missing", "no such folder; draw one with: vlmkit synth warehouse -o FOLDER")
    if not folder.is_dir():
        raise MediaError(str(folder), "unreadable", f"a data folder was wanted: {MANIFEST} beside films, or films")
    manifest = folder / MANIFEST
    return iter(_from_manifest(folder, manifest) if manifest.is_file() else _plain(folder))


def write_manifest(folder: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write the manifest whole or not at all, and return its path; rows as `read` takes them."""
    return write_rows(Path(folder) / MANIFEST, rows)


def _plain(folder: Path) -> list[Sample]:
    films = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in FILMS)
    if not films:
        raise MediaError(str(folder), "empty", f"neither {MANIFEST} nor a film ({', '.join(sorted(FILMS))}) in it")
    stems = Counter(path.stem for path in films)
    return [Sample(path.stem if stems[path.stem] == 1 else path.name, {"video": Clip(path)}) for path in films]


def _from_manifest(folder: Path, manifest: Path) -> list[Sample]:
    unknown: Counter[str] = Counter()
    first: dict[str, str] = {}
    samples = []
    for where, row in read_rows(manifest):
        _check(row, where, unknown)
        if row["id"] in first:
            raise DataError(f"{where}: id {row['id']!r} already stands in line {first[row['id']].rpartition(':')[2]}")
        first[row["id"]] = where
        if not unknown:  # else go on only to count them all
            samples.append(_sample(folder, row, where))
    if unknown:
        counts = ", ".join(f"{label!r} x{n}" for label, n in sorted(unknown.items()))
        raise DataError(
            f"{manifest}: unknown labels: {counts}; known: {', '.join(OPERATIONS)}, and aliases in ontology.json"
        )
    if not samples:
        raise DataError(f"{manifest}: holds no line; draw a folder with: vlmkit synth warehouse -o FOLDER")
    return samples


def _check(row: dict[str, Any], where: str, unknown: Counter[str]) -> None:
    """Keys and labels; names take the place of aliases, and labels that are none are counted."""
    extra = sorted(set(row) - _KEYS)
    if extra:
        raise DataError(f"{where}: unknown keys {extra}; known: {', '.join(sorted(_KEYS))}")
    for key in ("id", "video"):
        if not isinstance(row.get(key), str) or not row[key]:
            raise DataError(f"{where}: {key}: wanted a non-empty string; given {row.get(key)!r}")
    truth = row.get("truth")
    if isinstance(truth, dict):
        row["truth"] = dict(truth)
        for field in _LABELS:
            label = truth.get(field)
            if isinstance(label, str | int):
                name = load().resolve(label)
                unknown.update([str(label)] if name is None else [])
                row["truth"][field] = name


def _sample(folder: Path, row: dict[str, Any], where: str) -> Sample:
    meta = row.get("meta") or {}
    if not isinstance(meta, dict):
        raise DataError(f"{where}: meta: wanted an object; given {type(meta).__name__}")
    if row.get("subject") is not None:
        meta = {**meta, "subject": str(row["subject"])}
    truth = parse_span(row["truth"], where) if row.get("truth") is not None else None
    n_frames = meta.get("n_frames")
    if n_frames is not None and (isinstance(n_frames, bool) or not isinstance(n_frames, int) or n_frames < 1):
        raise DataError(f"{where}: meta.n_frames: wanted a whole number from 1; given {n_frames!r}")
    sample = Sample(row["id"], {"video": Clip(inside(folder, row["video"], f"{where}: video"))}, truth=truth, meta=meta)
    for problem in rules(truth, sample) if truth is not None else ():
        raise DataError(f"{where}: truth: {problem.where}: {problem.message}")
    return sample
