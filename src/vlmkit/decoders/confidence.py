"""Token probabilities as confidence, by field."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import accumulate

from vlmkit.decoders.fit import join
from vlmkit.decoders.scan import Piece
from vlmkit.decoders.shape import Choice, Many, Maybe, Record, Shape
from vlmkit.types import Generation


def token_confidence(generation: Generation, piece: Piece | None, shape: Shape | None = None) -> dict[str, float]:
    """`{"reply": p, "<dotted.field>": p}`, each `p` in `[0, 1]`; empty without log-probabilities.

    `p = exp(sum of the log-probabilities of the tokens that overlap the field's value in the text)`, `reply` that of
    all tokens. It is the model's own probability of having written just this, under its grammar: forced tokens
    count 1, a longer answer is less probable, and nothing here is calibrated against truth. A field that `shape` leaves
    one value only has no entry: nothing was judged there.

    Args:
        piece: the scanned reply whose fields are asked for; None for `reply` alone.
        shape: what the reply was constrained to.
    """
    if not generation.logprobs:
        return {}
    found = {"reply": _probability(generation.logprobs)}
    if piece is None or len(generation.spans) != len(generation.logprobs):
        return found
    offsets = [0, *accumulate(len(char.encode("utf-8", "surrogatepass")) for char in generation.text)]
    tokens = list(zip(generation.spans, generation.logprobs, strict=True))
    for path, field in _judged(piece, shape):
        # A number has no closing sign of its own: that it ends here, and 1 is not 12, is said by what comes after.
        start, end = offsets[field.start], offsets[field.end] + (field.kind == "number")
        found[path] = _probability([logprob for (a, b), logprob in tokens if a < end and b > start])
    return found


def renumbered(confidence: Mapping[str, float], places: Mapping[int, int]) -> dict[str, float]:
    """The same by the new places of a list's elements (`0.event`); those without one are left out."""
    found = {}
    for path, value in confidence.items():
        first, dot, rest = path.partition(".")
        if not first.isdecimal():
            found[path] = value
        elif int(first) in places:
            found[f"{places[int(first)]}{dot}{rest}"] = value
    return found


def _probability(logprobs: tuple[float, ...] | list[float]) -> float:
    return min(1.0, math.exp(min(0.0, math.fsum(logprobs))))  # rounding may leave a sum just above 0


def _judged(piece: Piece, shape: Shape | None, where: str = "") -> Iterator[tuple[str, Piece]]:
    """Every field at any depth but those that were forced."""
    if isinstance(shape, Maybe):
        shape = shape.shape
    children: dict[str, Piece] | dict[int, Piece] = {}
    if piece.kind == "object":
        children = piece.value
    elif piece.kind == "array":
        children = dict(enumerate(piece.value))
    known: dict[str, Shape] = dict(shape.fields) if isinstance(shape, Record) else {}
    for name, child in children.items():
        inner = shape.item if isinstance(shape, Many) else known.get(str(name))
        if isinstance(inner, Choice) and len(inner.values) == 1:
            continue
        path = join(where, name)
        yield path, child
        yield from _judged(child, inner, path)
