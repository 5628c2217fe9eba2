"""Rows of a manifest to samples, in both of its forms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from vlmkit.errors import DataError, UnknownNameError
from vlmkit.manifest import inside
from vlmkit.media.content import content_sha256
from vlmkit.types import Image, Sample
from vlmkit_plugins.memes.lines import Words, scaled_back
from vlmkit_plugins.memes.schema import Labels, parse_labels, truth
from vlmkit_plugins.memes.splits import split_name
from vlmkit_plugins.memes.taxonomy import labels, load
from vlmkit_plugins.memes.wording import told

Row = dict[str, Any]
Read = Mapping[str, tuple[Words, str]]
"""What was read in pictures (lines.read_lines), by id."""

PLAIN_KEYS = frozenset({"id", "image", "text", "truth", "meta"})
RECORD_KEYS = frozenset({"id", "dataset", "split", "image_path", "text_raw", "labels_raw", "meta"})
_NAMED = 5  # faults that a message spells out


def samples_of(root: Path, rows: Iterable[tuple[str, Row]], read: Read, name: str) -> list[Sample]:
    """All rows as samples; a row with a `dataset` is a record, any other a plain one.

    Raises `DataError` naming the line of a bad row; with counts for labels and splits that are not known; with the ids
    that come more than once; and for words of pictures that no row is about.
    """
    rows = list(rows)
    _check_ids(rows, name)
    unknown: Counter[str] = Counter()
    found = [
        (_record if "dataset" in row else _plain)(root, row, where, unknown, read.get(row["id"])) for where, row in rows
    ]
    if unknown:
        counts = ", ".join(f"{value} x{n}" for value, n in sorted(unknown.items()))
        raise DataError(f"{name}: unknown values: {counts}; the maps in labels/*.json and splits.py say what is known")
    ids = {sample.id for sample in found}
    if strays := [where for key, (_, where) in read.items() if key not in ids]:
        raise DataError(f"{_listed(strays)}: words of pictures that {name} has no row for")
    return found


def with_meta(where: str, picture: Path | None, known: Labels | None, meta: Mapping[str, Any]) -> dict[str, Any]:
    """The meta of a sample: what is given, its labels as JSON data, and what belongs together.

    `group` is the SHA-256 of the picture's bytes, unless the data say: samples of one group share a picture. Raises
    `DataError` for a caption that is no text, or a language that is no code.
    """
    made: dict[str, Any] = dict(meta)
    if known is not None:
        made["labels"] = known.model_dump(mode="json")
    if "group" not in made and picture is not None and picture.is_file():
        with suppress(OSError):  # whoever decodes it is told
            made["group"] = content_sha256(picture)
    try:
        told(made)
    except DataError as error:
        raise DataError(f"{where}: {error}") from None
    return made


def words(row: Row, key: str, where: str) -> str:
    """A text that has to be there, and that a file can hold. Raises `DataError`."""
    if not isinstance(row.get(key), str) or not row[key].strip():
        raise DataError(f"{where}: {key}: wanted a non-empty string; given {str(row.get(key))[:80]!r}")
    if any("\ud800" <= letter <= "\udfff" for letter in row[key]):
        raise DataError(f"{where}: {key}: holds half a character: {row[key][:80]!r}")
    return str(row[key])


def _plain(root: Path, row: Row, where: str, unknown: Counter[str], read: tuple[Words, str] | None) -> Sample:
    _check_keys(row, PLAIN_KEYS, where)
    picture = None if row.get("image") is None else inside(root, words(row, "image", where), f"{where}: image")
    meta = _meta(row, where)
    if "split" in meta:
        meta["split"] = _split(meta["split"], unknown)
    known = None if row.get("truth") is None else parse_labels(row["truth"], f"{where}: truth")
    text = _text(row, "text", where)
    if read is not None:
        seen = scaled_back(read[0], picture)
        meta, text = {**meta, **seen.meta("ocr.jsonl")}, text if _says(text) else seen.text
    return _sample(row["id"], picture, text, known, meta, where)


def _record(root: Path, row: Row, where: str, unknown: Counter[str], read: tuple[Words, str] | None) -> Sample:
    _check_keys(row, RECORD_KEYS, where)
    dataset = words(row, "dataset", where)
    try:
        known, post = labels(dataset, row.get("labels_raw"), where, unknown), load(dataset).text_raw == "post"
    except UnknownNameError as error:
        raise DataError(f"{where}: {error}") from None
    picture = None if row.get("image_path") is None else _path(root, words(row, "image_path", where), where)
    meta = {**_meta(row, where), "dataset": dataset, "split": _split(row.get("split"), unknown)}
    text = _text(row, "text_raw", where)
    if read is not None:
        seen = scaled_back(read[0], picture)
        meta |= seen.meta("ocr.jsonl")
        if post and _says(seen.text):  # a post stands beside the picture, and the words are in it
            meta, text = {"caption": text, **meta}, seen.text
        elif not _says(text):
            text = seen.text
    return _sample(row["id"], picture, text, known, meta, where)


def _sample(name: str, picture: Path | None, text: str | None, known: Labels | None, meta: Row, where: str) -> Sample:
    said = text if _says(text) else None
    if picture is None and said is None:
        raise DataError(f"{where}: nothing to look at; wanted a picture, a text, or both")
    media = {} if picture is None else {"image": Image(picture)}
    answer = None if known is None else truth(known)
    return Sample(name, media, text=said, truth=answer, meta=with_meta(where, picture, known, meta))  # type: ignore[arg-type]


def _check_ids(rows: Iterable[tuple[str, Row]], name: str) -> None:
    lines: dict[str, list[str]] = {}
    for where, row in rows:
        lines.setdefault(words(row, "id", where), []).append(where.rpartition(":")[2])
    if twice := [f"{key!r} (lines {', '.join(places)})" for key, places in lines.items() if len(places) > 1]:
        raise DataError(f"{name}: {len(twice)} ids come more than once: {_listed(twice)}; ids join answers to truth")


def _check_keys(row: Row, known: Collection[str], where: str) -> None:
    if extra := sorted(set(row) - set(known)):
        raise DataError(f"{where}: unknown keys {extra}; known: {', '.join(sorted(known))}")


def _meta(row: Row, where: str) -> Row:
    meta = {} if row.get("meta") is None else row["meta"]
    if not isinstance(meta, dict):
        raise DataError(f"{where}: meta: wanted an object; given {type(meta).__name__}")
    return dict(meta)


def _text(row: Row, key: str, where: str) -> str | None:
    if not isinstance(row.get(key), str | None):
        raise DataError(f"{where}: {key}: wanted a string or null; given {type(row[key]).__name__}")
    return row.get(key)


def _says(text: str | None) -> bool:
    return Sample("", text=text).has_words


def _split(given: Any, unknown: Counter[str]) -> str:
    name = split_name(given)
    if name is None:
        unknown[f"split {given!r}"] += 1
    return name or ""


def _path(root: Path, name: str, where: str) -> Path:
    """A picture of the folder. Absolute paths of the machine that wrote the manifest are taken where they still fit."""
    if not Path(name).is_absolute():
        return inside(root, name, f"{where}: image_path")
    try:
        return inside(root, Path(name).relative_to(root.resolve()).as_posix(), f"{where}: image_path")
    except ValueError:
        raise DataError(f"{where}: image_path: {name!r} is not in {root}; write it relative to that folder") from None


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (" …" if len(names) > _NAMED else "")
