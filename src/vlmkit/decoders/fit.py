"""Does a document have exactly the fields of its shape, and is it a value? Each answer names the field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from vlmkit.decoders.scan import Piece
from vlmkit.decoders.shape import Choice, Many, Maybe, Record, Shape
from vlmkit.types import Problem

M = TypeVar("M", bound=BaseModel)


def faults(piece: Piece, shape: Shape, where: str = "") -> Iterator[Problem]:
    """Fields that are missing, unknown, none of their choices, or of choices that do not go together.

    Missing ones also where pydantic would fill in a default, and true for 1, which it would take: nothing is invented.
    """
    if isinstance(shape, Maybe):
        if piece.kind != "word" or piece.value is not None:
            yield from faults(piece, shape.shape, where)
    elif isinstance(shape, Choice):
        if not shape.holds(piece.data()):
            given, known = json.dumps(piece.data()), json.dumps(shape.values, ensure_ascii=False)
            yield Problem("not_schema", f"{where}: {given[:80]} is none of {known}", where, fatal=True)
    elif isinstance(shape, Many) and piece.kind == "array":
        for index, item in enumerate(piece.value):
            yield from faults(item, shape.item, join(where, index))
    elif isinstance(shape, Record) and piece.kind == "object":
        found = list(_field_faults(piece, shape, where))
        yield from found or _contradiction(piece, shape, where)


def _field_faults(piece: Piece, shape: Record, where: str) -> Iterator[Problem]:
    known = dict(shape.fields)
    for name in piece.value:
        if name not in known:
            path = join(where, name)
            yield Problem("unknown_field", f"{path} is no field of the answer", path, fatal=True)
    for name in known:
        if name not in piece.value:
            path = join(where, name)
            yield Problem("missing_field", f"{path} is missing from the reply", path, fatal=True)
    for name, value in piece.value.items():
        if name in known:
            yield from faults(value, known[name], join(where, name))


def _contradiction(piece: Piece, shape: Record, where: str) -> Iterator[Problem]:
    """Choices that are legal each, and together fit no case of the record."""
    given, known = piece.data(), dict(shape.fields)
    narrowed = [{n: s for n, s in case.fields if isinstance(s, Choice) and s != known[n]} for case in shape.cases]
    if narrowed and not any(all(choice.holds(given[name]) for name, choice in case.items()) for case in narrowed):
        names = [name for name in known if any(name in case for case in narrowed)]
        values = ", ".join(f"{name} {json.dumps(given[name], ensure_ascii=False)}" for name in names)
        yield Problem("not_schema", f"{where or 'the reply'}: {values} do not go together", where or None, fatal=True)


def trimmed(piece: Piece, shape: Shape, unknown: list[str], where: str = "") -> Piece:
    """The document without the fields that its shape does not know; their paths are added to `unknown`."""
    if isinstance(shape, Maybe):
        return trimmed(piece, shape.shape, unknown, where)
    if isinstance(shape, Many) and piece.kind == "array":
        items = [trimmed(item, shape.item, unknown, join(where, i)) for i, item in enumerate(piece.value)]
        return replace(piece, value=items)
    if isinstance(shape, Record) and piece.kind == "object":
        fields = dict(shape.fields)
        unknown.extend(join(where, name) for name in piece.value if name not in fields)
        known = {n: trimmed(p, fields[n], unknown, join(where, n)) for n, p in piece.value.items() if n in fields}
        return replace(piece, value=known)
    return piece


def build(data: Any, result: type[M]) -> M | Problem:
    """The value, types taken strictly (`"5"` is no integer), or the fatal problem that names the first wrong field."""
    try:
        return result.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or None
        return Problem("not_schema", f"{where or 'the reply'}: {first['msg']}", where, fatal=True)


def join(where: str, name: str | int) -> str:
    """A dotted path: `events.0.label`."""
    return f"{where}.{name}" if where else str(name)
