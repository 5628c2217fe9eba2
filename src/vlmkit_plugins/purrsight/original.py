"""The two listings of the first PurrSight: instructions with an answer as a JSON string, and captions for alignment.

- `train.jsonl`: `{"instruction", "response", "image"?, "audio"?, "video"?}`. With media the instruction is a question,
  and kept in `meta`; without any it is all that there is to go by, and the sample's text.
- `align*.jsonl`: `{"text", "image"?, "audio"?, "video"?}`; no truth.

Those answers had no `not_observed`: a row with a picture alone still had to state a vocalization. Such a marker is a
guess; it is read as `not_observed`, listed in the sample's `meta["guesses"]`, and counted in a warning. Everything
else that breaks the schema is refused as in any other listing. A film may bring its sound, so there no vocalization
counts as a guess.

Paths are relative to the file itself, and may go up from there as long as they stay in the data folder.
"""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from vlmkit.errors import DataError
from vlmkit.manifest import inside
from vlmkit.types import Modality, Sample
from vlmkit_plugins.purrsight.rows import Row, check_keys, media, report, samples_of, words
from vlmkit_plugins.purrsight.schema import CatReport, masked

_NAMES = ("train.jsonl", "align*.jsonl")
_FILES = ("image", "audio", "video")
log = logging.getLogger("vlmkit")


def listings(folder: Path) -> list[Path]:
    """The original's files in a folder, or else one folder further down."""
    for depth in ("", "*/"):
        if found := sorted(path for name in _NAMES for path in folder.glob(depth + name) if path.is_file()):
            return found
    return []


def samples(root: Path, listing: Path, rows: list[tuple[str, Row]]) -> list[Sample]:
    """The samples of one file, whose paths stay inside `root`; ids are the file's name with the row's number."""
    path = partial(_path, root, listing)
    named = {where: f"{listing.stem}-{number:06d}" for number, (where, _) in enumerate(rows, 1)}

    def make(row: Row, where: str, unknown: Counter[str]) -> Sample:
        if "response" in row or "instruction" in row:
            return _instruction(named[where], row, where, unknown, path)
        check_keys(row, ("text", *_FILES), where)
        return Sample(named[where], media(row, where, path), text=words(row, "text", where))

    found = samples_of(listing, rows, make)
    guesses = Counter(marker for sample in found for marker in sample.meta.get("guesses", ()))
    for marker, n in guesses.items():
        log.warning("%s: %s is a guess in %d of %d rows; read as not_observed", listing, marker, n, len(found))
    return found


def _instruction(name: str, row: Row, where: str, unknown: Counter[str], path: Callable[[str, str], Path]) -> Sample:
    check_keys(row, ("instruction", "response", *_FILES), where)
    asked, files = words(row, "instruction", where), media(row, where, path)
    place = f"{where}: response"
    stated = report(_parsed(words(row, "response", where), place), place, unknown)
    if not files:
        return Sample(name, text=asked, truth=stated)
    truth, guesses = (None, ()) if stated is None else _without_guesses(stated, set(files))
    return Sample(name, files, truth=truth, meta={"instruction": asked, "guesses": guesses})


def _without_guesses(stated: CatReport, given: set[Modality]) -> tuple[CatReport, tuple[str, ...]]:
    truth = masked(stated, given | ({"audio"} if "video" in given else set()))
    left = truth.fields
    return truth, tuple(name for name, value in stated.fields.items() if value != left[name])


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise DataError(f"{where}: wanted the answer as a JSON text; given {text[:60]!r}") from None


def _path(root: Path, listing: Path, name: str, where: str) -> Path:
    """A path beside the listing. `..` is followed, for these files were written so, but not out of the root."""
    beside = os.path.relpath(os.path.normpath(listing.parent / name.replace("\\", "/")), root)
    if beside.split(os.sep)[0] == os.pardir or os.path.isabs(name):
        raise DataError(
            f"{where}: {name!r} leaves {root}; give the folder that holds both (--data {root.resolve().parent}), or "
            "move the file inside"
        )
    return inside(root, Path(beside).as_posix(), where)
