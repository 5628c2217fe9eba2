"""Does a document have exactly the fields of its shape, and is it a value? Each answer names the field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from vlmkit.decoders.scan import Piece
from vlmkit.decoders.shape import Many, Maybe, Record, Shape
from vlmkit.types import Problem

M = TypeVar("M", bound=BaseModel)


def faults(piece: Piece, shape: Shape, where: str = "") -> Iterator[Problem]:
    """Fields that are missing or unknown, also those that pydantic would fill with a default: nothing is invented."""
    if isinstance(shape, Maybe):
        yield from faults(piece, shape.shape, where)
    elif isinstance(shape, Many) and piece.kind == "array":
        for index, item in enumerate(piece.value):
            yield from faults(item, shape.item, join(where, index))
    elif isinstance(shape, Record) and piece.kind == "object":
        fields = dict(shape.fields)
        for name, value in piece.value.items():
            path = join(where, name)
            if name in fields:
                yield from faults(value, fields[name], path)
            else:
                yield Problem("unknown_field", f"{path} is no field of the answer", path, fatal=True)
        for name in fields:
            if name not in piece.value:
                path = join(where, name)
                yield Problem("missing_field", f"{path} is missing from the reply", path, fatal=True)


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
