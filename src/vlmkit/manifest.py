"""JSON files: Lines that list the samples of a folder, read by line; written whole, and never reaching outside."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from vlmkit.errors import DataError


def read_rows(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Every row with its place (`FILE:LINE`); empty lines are stepped over.

    Raises `DataError` naming the line for text that is not UTF-8, not JSON, or no object.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # splitlines also cuts at U+2028, which JSON allows
    except (OSError, UnicodeDecodeError):
        raise DataError(f"{path}: cannot be read as UTF-8 text") from None
    return [
        (f"{path}:{number}", _row(line, f"{path}:{number}")) for number, line in enumerate(lines, 1) if line.strip()
    ]


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write a file whole or not at all, and return its path."""
    return _replaced(path, "".join(json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rows))


def write_document(path: Path, document: Any) -> Path:
    """Write one JSON document, indented, whole or not at all, and return its path."""
    return _replaced(path, json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def inside(folder: Path, name: str, where: str) -> Path:
    """The path of a file in `folder`. A manifest is somebody else's text: it must not reach outside its folder.

    Raises `DataError`, which begins with `where`, for a path that leaves it, also by a link.
    """
    pure = PurePosixPath(name.replace("\\", "/"))
    is_drive = len(name) > 1 and name[1] == ":"
    if pure.is_absolute() or is_drive or ".." in pure.parts:
        raise DataError(f"{where}: wanted a path inside {folder}; given {name!r}")
    path = folder.joinpath(*pure.parts)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{where}: {name!r} is a link that leaves {folder}")
    return path


def _replaced(path: Path, text: str) -> Path:
    draft = path.with_name(f".{path.name}.part")
    # A name that is no UTF-8 has half a surrogate pair; written out, it is the escape that JSON has for it.
    draft.write_text(text, encoding="utf-8", errors="backslashreplace")
    os.replace(draft, path)
    return path


def _row(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise DataError(f"{where}: not JSON: nested too deep") from None
    if not isinstance(row, dict):
        raise DataError(f"{where}: wanted an object; given {type(row).__name__}")
    return row
