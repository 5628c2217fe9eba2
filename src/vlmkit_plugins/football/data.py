"""A data folder to samples: `manifest.jsonl` beside `videos/`, a folder of plain films, or one of annotation files.

A manifest line is `{"id", "video", "truth"?, "source"?, "meta"?}`; `video` is a path inside the folder, `truth` the
array of events that the task promises, empty where nothing happens and left out where nobody knows. `source` names the
match or the longer film that a clip is cut from; with `meta["offset_s"]` its seconds into that. Nothing is skipped: a
bad line stops the reading, and says where. Annotation files of other programs are read as annotations.py says, which
lists what cannot be used; the log has the counts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vlmkit.errors import DataError, MediaError
from vlmkit.manifest import inside, read_rows, write_rows
from vlmkit.types import Clip, Sample
from vlmkit_plugins.football.annotations import load
from vlmkit_plugins.football.films import FILMS, files_below
from vlmkit_plugins.football.schema import Events, parse_events, sieve

MANIFEST = "manifest.jsonl"
_NAMED = 5  # folders that a message names
_KEYS = frozenset({"id", "video", "truth", "source", "meta"})


def read(folder: Path) -> Iterator[Sample]:
    """The samples of a folder, in the manifest's order; of plain films, by name and without truth.

    The manifest is checked as a whole before the first sample comes. Its films are not opened: the sample of one that
    is missing comes like any other, and whoever decodes it is told. Films of annotation files are measured.

    Raises `MediaError` for a folder that is missing, no folder, or empty; `DataError` naming file and line for a bad
    line, or an event that ends after the clip's `meta["video_s"]`, for a folder of data folders, whose splits would be
    one then, and where annotations leave no sample.
    """
    folder = Path(folder)
    if not folder.exists():
        raise MediaError(str(folder), "missing", "no such folder; draw one with: vlmkit synth football -o FOLDER")
    if not folder.is_dir():
        raise MediaError(str(folder), "unreadable", f"a data folder was wanted: {MANIFEST} beside films, or films")
    manifest = folder / MANIFEST
    if manifest.is_file():
        return iter(read_manifest(manifest, folder))
    if below := [file.parent for file in files_below(folder, frozenset({".jsonl"})) if file.name == MANIFEST]:
        names = ", ".join(sorted(parent.relative_to(folder).as_posix() for parent in below[:_NAMED]))
        raise DataError(f"{folder}: {len(below)} data folders are in it ({names}), and are not read as one; give one")
    loaded = load(folder)
    if not loaded.annotated:
        return iter(_plain(folder))
    if not loaded.samples:
        raise DataError(f"{loaded.summary}; see annotations.load({str(folder)!r}).report()")
    return iter(loaded.samples)


def read_manifest(manifest: Path, folder: Path) -> list[Sample]:
    """The samples of one manifest, whatever it is called, about films in `folder`. Raises `DataError`, as `read`."""
    first: dict[str, str] = {}
    samples = []
    for where, row in read_rows(manifest):
        sample = _sample(folder, row, where)
        if sample.id in first:
            raise DataError(f"{where}: id {sample.id!r} already stands in line {first[sample.id].rpartition(':')[2]}")
        first[sample.id] = where
        samples.append(sample)
    if not samples:
        raise DataError(f"{manifest}: holds no line; draw a folder with: vlmkit synth football -o FOLDER")
    return samples


def write_manifest(folder: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write the manifest whole or not at all, and return its path; rows as `read` takes them."""
    return write_rows(Path(folder) / MANIFEST, rows)


def _plain(folder: Path) -> list[Sample]:
    films = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in FILMS)
    if not films:
        raise MediaError(str(folder), "empty", f"neither {MANIFEST} nor a film ({', '.join(sorted(FILMS))}) in it")
    stems = Counter(path.stem for path in films)
    return [Sample(path.stem if stems[path.stem] == 1 else path.name, {"video": Clip(path)}) for path in films]


def _sample(folder: Path, row: Mapping[str, Any], where: str) -> Sample:
    if extra := sorted(set(row) - _KEYS):
        raise DataError(f"{where}: unknown keys {extra}; known: {', '.join(sorted(_KEYS))}")
    for key in ("id", "video"):
        if not isinstance(row.get(key), str) or not row[key]:
            raise DataError(f"{where}: {key}: wanted a non-empty string; given {row.get(key)!r}")
    film = inside(folder, row["video"], f"{where}: video")
    truth = None if row.get("truth") is None else parse_events(row["truth"], f"{where}: truth")
    sample = Sample(row["id"], {"video": Clip(film)}, truth=truth, meta=_meta(row, where))
    if isinstance(truth, Events):
        for problem in sieve(truth, sample).problems:
            raise DataError(f"{where}: truth: {problem.message.removesuffix('; it was left out')}")
    return sample


def _meta(row: Mapping[str, Any], where: str) -> dict[str, Any]:
    meta, source = row.get("meta") or {}, row.get("source")
    if not isinstance(meta, dict):
        raise DataError(f"{where}: meta: wanted an object; given {type(meta).__name__}")
    if source is not None and (not isinstance(source, str) or not source):
        raise DataError(f"{where}: source: wanted a non-empty string; given {source!r}")
    if source is not None and meta.get("source", source) != source:
        raise DataError(f"{where}: source is {source!r}, and meta.source {meta['source']!r}; wanted one of them")
    for key in ("video_s", "offset_s"):
        value = meta.get(key, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            raise DataError(f"{where}: meta.{key}: wanted seconds of 0 or more; given {value!r}")
    return meta if source is None else {**meta, "source": source}
