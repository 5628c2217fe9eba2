"""The tolerant reader: replies of engines that cannot be constrained, with a log of every repair.

It removes, reorders and respells; it never writes a field, a value or a default that the reply does not hold.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from vlmkit.decoders.closing import UnclosableError, close_piece
from vlmkit.decoders.fit import build, faults, trimmed
from vlmkit.decoders.scan import MalformedError, Piece, Scanner, piece_of
from vlmkit.decoders.schema import shape_of
from vlmkit.decoders.shape import Many, Record
from vlmkit.types import Problem

M = TypeVar("M", bound=BaseModel)

MAX_STARTS = 256  # brackets tried as the start of a document; a hostile reply is all brackets
MAX_WRAPPERS = 4

Mend = Callable[[Any], tuple[Any, Sequence[str]]]
"""A document as plain data to the same with values respelled as the schema has them, and a phrase for each."""

_THOUGHT = re.compile(r"<(think|thinking)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_THOUGHT_END = re.compile(r"\A.*</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_ANSWER = re.compile(r"<answer>(.*?)(?:</answer>|\Z)", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"```[\w+-]*[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_BRACKET = re.compile(r"[{\[]")


@dataclass(frozen=True)
class Reading(Generic[M]):
    """What was read: the value, or one fatal problem. `repairs` is empty where nothing had to be done."""

    outcome: M | Problem
    repairs: tuple[str, ...] = ()

    @property
    def value(self) -> M | None:
        """The document, if there is one."""
        return None if isinstance(self.outcome, Problem) else self.outcome

    @property
    def problem(self) -> Problem | None:
        """Why there is none."""
        return self.outcome if isinstance(self.outcome, Problem) else None


def read(text: str, result: type[M], mend: Mend | None = None) -> Reading[M]:
    """The document of `result` in a reply with code fences, thoughts, tags, prose, wrappers or loose JSON around it.

    Of several documents that fit, the last is taken; where a list is wanted and the reply ends in items without one,
    all of these. A truncated one is closed as `close` does. Total on any text, as far as `mend` is.

    Args:
        mend: knows other spellings of the task's values; asked about a document with all fields that the schema knows.
    """
    shape = shape_of(result)
    readings: list[tuple[int, Reading[M]]] = []
    for window, stripped in _windows(text):
        documents = _strung(_documents(window), shape)
        for found in reversed(documents):
            around = window[: found.piece.start].strip() or window[found.end :].strip()
            repairs = [*stripped, *(["ignored the text around the document"] if around else [])]
            alike = sum(other.piece.kind == found.piece.kind for other in documents)
            repairs += [f"took one of {alike} documents, the last that fits"] if alike > 1 else []
            repairs += found.said
            reading = _fit(found.piece, repairs, result, shape, mend)
            if reading.value is not None:
                return reading
            readings.append((found.piece.end - found.piece.start, reading))
    if not readings:
        return Reading(Problem("not_json", "there is no JSON document in the reply", fatal=True))
    return max(readings, key=lambda sized: sized[0])[1]


def _windows(text: str) -> Iterator[tuple[str, list[str]]]:
    """Where to look for the answer, best first, with what was stripped to get there."""
    if text.lstrip()[:1] in ("{", "["):
        yield text, []  # tags and fences may stand inside its strings
    done: list[str] = []
    for pattern, what in ((_THOUGHT, "removed the model's thoughts"), (_THOUGHT_END, "removed the model's thoughts")):
        without = pattern.sub("", text)
        if without != text:
            text, done = without, [what]
    answers = _ANSWER.findall(text)
    if answers:
        text, done = answers[-1], [*done, "took the contents of <answer>"]
    for fenced in reversed(_FENCE.findall(text)):
        yield fenced, [*done, "removed a code fence"]
    yield text, done


@dataclass(frozen=True)
class _Document:
    """A piece, where the text goes on after it, and what was done to read it."""

    piece: Piece
    end: int
    repairs: Counter[str]
    joined: int = 0  # items that no list held

    @property
    def said(self) -> list[str]:
        done = [what if n == 1 else f"{what} ({n} times)" for what, n in self.repairs.items()]
        return [*done, *([f"put {self.joined} objects into a list"] if self.joined else [])]


def _documents(text: str) -> list[_Document]:
    """Every outermost object or array, in order. Only the last can be partial."""
    found: list[_Document] = []
    at = 0
    for _ in range(MAX_STARTS):
        bracket = _BRACKET.search(text, at)
        if bracket is None:
            break
        scanner = Scanner(text, bracket.start(), tolerant=True)
        try:
            piece = scanner.value()
            at = scanner.at
            found.append(_Document(piece, at, scanner.repairs))
        except MalformedError:
            at = bracket.end()
    return found


def _strung(found: list[_Document], shape: Record | Many) -> list[_Document]:
    """The same, with the items that a reply ends in made one list: to take the last of them would lose the others."""
    if not isinstance(shape, Many) or not isinstance(shape.item, Record):
        return found
    names = {name for name, _ in shape.item.fields}

    def is_item(one: _Document) -> bool:
        return one.piece.kind == "object" and (names <= set(one.piece.value) or not one.piece.whole)

    items = list(takewhile(is_item, reversed(found)))[::-1]
    if len(items) < 2:
        return found
    pieces, last = [one.piece for one in items], items[-1]
    whole = Piece("array", pieces, pieces[0].start, pieces[-1].end, last.piece.whole)
    repairs = sum((one.repairs for one in items), Counter[str]())
    return [*found[: -len(items)], _Document(whole, last.end, repairs, len(items))]


def _fit(piece: Piece, repairs: list[str], result: type[M], shape: Record | Many, mend: Mend | None) -> Reading[M]:
    unknown: list[str] = []
    piece = trimmed(_unwrapped(piece, shape, repairs), shape, unknown)
    repairs.extend(f"ignored the unknown field {path}" for path in unknown)
    try:
        piece, dropped = close_piece(piece, shape)
    except UnclosableError as error:
        return Reading(Problem("truncated", f"the reply was {error}", fatal=True), tuple(repairs))
    if dropped:
        repairs.append(f"closed a truncated document; dropped {dropped}")
    if mend is not None:
        data, respelled = mend(piece.data())
        piece = piece_of(data, piece.start, piece.end)
        repairs.extend(respelled)
    return Reading(next(faults(piece, shape), None) or build(piece.data(), result), tuple(repairs))


def _unwrapped(piece: Piece, shape: Record | Many, repairs: list[str]) -> Piece:
    for _ in range(MAX_WRAPPERS):
        inner = _inside(piece, shape)
        if inner is None:
            break
        what, piece = inner
        repairs.append(what)
    return piece


def _inside(piece: Piece, shape: Record | Many) -> tuple[str, Piece] | None:
    """One wrapper off, where exactly one thing is inside that can be meant."""
    if isinstance(shape, Record) and piece.kind == "array":
        only = piece.value[0] if len(piece.value) == 1 else None
        return ("took the only item of a list", only) if only and only.kind == "object" else None
    if piece.kind != "object":
        return None
    wanted = shape if isinstance(shape, Record) else shape.item
    names = {name for name, _ in wanted.fields} if isinstance(wanted, Record) else set()
    if isinstance(shape, Many) and names and names <= set(piece.value):
        return "put the only object into a list", Piece("array", [piece], piece.start, piece.end, piece.whole)
    if isinstance(shape, Record) and names & set(piece.value):
        return None
    inside = [(name, value) for name, value in piece.value.items() if value.kind in ("object", "array")]
    if len(inside) != 1:
        return None
    return f"took the contents of the wrapper {inside[0][0][:40]!r}", inside[0][1]
