"""What requests ask of a server beyond the bare question, and what is left out where it refuses that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from vlmkit.types import Constraint

Schema = Literal["full", "plain", "none"]

# Bounds that some servers refuse in a schema (OpenAI's own did for long); types, fields and choices stay.
_BOUNDS = frozenset(
    {"minLength", "maxLength", "pattern", "format", "minItems", "maxItems", "minimum", "maximum", "multipleOf"}
)
_SCHEMA_WORDS = ("response_format", "schema", "structured", "grammar", "guided")
_PIXEL_WORDS = ("mm_processor_kwargs",)


@dataclass(frozen=True)
class Way:
    """How a server is asked.

    Attributes:
        schema: whether replies are held to the decoder's schema, to one without bounds, or to none.
        logprobs: whether the probabilities of its tokens are asked for.
        pixels: whether a vLLM is told to leave pictures at the size that they come in.
    """

    schema: Schema = "full"
    logprobs: bool = True
    pixels: bool = True

    def without(self, refusal: str) -> Way:
        """One step down from what a refusal speaks of; the same where it speaks of none of these."""
        words = refusal.lower()
        way = self
        if "logprobs" in words:
            way = replace(way, logprobs=False)
        if any(word in words for word in _PIXEL_WORDS):
            way = replace(way, pixels=False)
        if any(word in words for word in _SCHEMA_WORDS):
            way = replace(way, schema="plain" if way.schema == "full" else "none")
        return way

    def lost(self) -> tuple[str, ...]:
        """What this way does without, for people."""
        found = []
        if self.schema == "plain":
            found.append("bounds in its schema: replies may be longer than the task allows")
        if self.schema == "none":
            found.append("a schema: replies are read tolerantly, and what cannot be read is a problem")
        if not self.logprobs:
            found.append("the probabilities of tokens: answers have no confidence")
        if not self.pixels:
            found.append("pictures at their own size: it scales them by its own rule (--trust-request-mm-kwargs)")
        return tuple(found)


BAREST = Way("none", logprobs=False, pixels=False)


def response_format(constraint: Constraint, way: Way, *, guidance: Mapping[str, Any] | None = None) -> Any:
    """The `response_format` of a request.

    Args:
        guidance: what a vLLM that compiles grammars with llguidance is told of how to write JSON.
    """
    schema = json.loads(constraint.schema)
    if way.schema == "plain":
        schema = _unbounded(schema)
    if guidance:
        schema = {**schema, "x-guidance": dict(guidance)}
    return {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": schema}}


def _unbounded(schema: Any) -> Any:
    """Without keywords of bounds; names of fields are left alone, whatever they are called."""
    if isinstance(schema, list):
        return [_unbounded(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {}
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            made[key] = {name: _unbounded(part) for name, part in value.items()}
        elif key in ("enum", "const", "required"):
            made[key] = value
        elif key not in _BOUNDS:
            made[key] = _unbounded(value)
    return made
