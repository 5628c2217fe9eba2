"""Forced closing: a reply that its budget cut is rolled back to its last whole element. Text only, nothing invented."""

from __future__ import annotations

import codecs
import json
from dataclasses import replace
from typing import NamedTuple

from pydantic import BaseModel

from vlmkit.decoders.scan import MalformedError, Piece, scan
from vlmkit.decoders.schema import shape_of
from vlmkit.decoders.shape import Many, Maybe, Record, Shape, Text


class Closed(NamedTuple):
    """A closed reply, or None where nothing can be closed; and what had to go, as a phrase."""

    text: str | None
    dropped: str


class UnclosableError(Exception):
    """A cut inside something that has no meaning unless whole."""


def close(text: str | bytes, result: type[BaseModel]) -> Closed:
    """The longest part of a cut reply that is a whole document of `result`.

    Lists keep their whole items; a free string outside lists keeps its whole characters; an object is kept when its
    last field is reached and can be closed itself. Every legal reply cut at `Constraint.minimum` bytes or later closes.

    Bytes may end inside a character. In a str such an end shows as U+FFFD, which is dropped from the end of a cut
    string, as are half an escape and half a surrogate pair. Raises nothing for any text.
    """
    try:
        piece, dropped = close_piece(scan(_decoded(text)), shape_of(result))
    except (MalformedError, UnclosableError) as error:
        return Closed(None, str(error))
    return Closed(json.dumps(piece.data(), ensure_ascii=False, separators=(",", ":")), dropped)


def close_piece(piece: Piece, shape: Shape, where: str = "") -> tuple[Piece, str]:
    """The same on a scanned reply: what is left of it, and what was dropped. Raises `UnclosableError`."""
    if piece.whole:
        return piece, ""
    if isinstance(shape, Maybe):
        return close_piece(piece, shape.shape, where)
    if isinstance(shape, Many) and piece.kind == "array":
        return _close_many(piece, shape, where)
    if isinstance(shape, Record) and piece.kind == "object":
        return _close_record(piece, shape, where)
    if (
        isinstance(shape, Text)
        and piece.kind == "string"
        and shape.pattern is None
        and len(piece.value) >= shape.fewest
    ):
        return replace(piece, whole=True), f"the end of {where or 'the text'} after {len(piece.value)} characters"
    raise UnclosableError(f"cut inside {where or 'the reply'}, which has no meaning unless whole")


def _close_many(piece: Piece, shape: Many, where: str) -> tuple[Piece, str]:
    kept = [item for item in piece.value if item.whole]
    if len(kept) < shape.fewest:
        raise UnclosableError(f"cut after {len(kept)} of at least {shape.fewest} items of {where or 'the list'}")
    return replace(piece, value=kept, whole=True), f"everything in {where or 'the list'} after {len(kept)} whole items"


def _close_record(piece: Piece, shape: Record, where: str) -> tuple[Piece, str]:
    fields, dropped = {}, ""
    for name, field in shape.fields:
        path = f"{where}.{name}" if where else name
        if name not in piece.value:
            raise UnclosableError(f"cut before {path}")
        fields[name], said = close_piece(piece.value[name], field, path)
        dropped = said or dropped
    return replace(piece, value=fields, whole=True), dropped or f"the end of {where or 'the object'}"


def _decoded(text: str | bytes) -> str:
    if isinstance(text, str):
        return text
    # final=False holds back an unfinished last character instead of replacing it.
    return codecs.getincrementaldecoder("utf-8")(errors="replace").decode(text, final=False)
