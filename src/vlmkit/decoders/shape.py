"""Bounded JSON shapes. Each knows its schema, its longest text and how little of it can still be closed.

All sizes are bytes of compact UTF-8. The grammar writes no white space, one fixed order of fields, and of escapes only
the two-byte ones, so a character takes at most four bytes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

BYTES_A_CHARACTER = 4  # the longest UTF-8 sequence; an escape such as \n takes two
BYTES_AN_ASCII_CHARACTER = 2  # one, or two where it has to be escaped


@dataclass(frozen=True)
class Choice:
    """One of a few scalars, each written as it is."""

    values: tuple[str | int | bool | None, ...]

    def holds(self, value: object) -> bool:
        """Whether it is one of them. Types count: true is not 1."""
        return any(type(known) is type(value) and known == value for known in self.values)

    @property
    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""
        return {"enum": list(self.values)}

    @property
    def longest(self) -> int:
        """Bytes of the longest legal text, or more."""
        return max(size(value) for value in self.values)

    minimum = longest


@dataclass(frozen=True)
class Number:
    """An integer, or with `places` a decimal of at most so many places after its point, in `[low, high]`."""

    low: float
    high: float
    places: int = 0
    step: float | None = None

    @property
    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""
        kind = "number" if self.places else "integer"
        bounds: dict[str, Any] = {"type": kind, "minimum": self.low, "maximum": self.high}
        return bounds if self.step is None else {**bounds, "multipleOf": self.step}

    @property
    def longest(self) -> int:
        """Bytes of the longest legal text, or more."""
        digits = max(len(str(int(abs(self.low)))), len(str(int(abs(self.high)))))
        return (self.low < 0) + digits + (1 + self.places if self.places else 0)

    minimum = longest


@dataclass(frozen=True)
class Text:
    """A free string of `fewest` to `most` characters. One with a `pattern` has no meaning when cut."""

    fewest: int
    most: int
    pattern: str | None = None

    @property
    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""
        bounds: dict[str, Any] = {"type": "string", "minLength": self.fewest, "maxLength": self.most}
        return bounds if self.pattern is None else {**bounds, "pattern": self.pattern}

    @property
    def longest(self) -> int:
        """Bytes of the longest legal text, or more."""
        return 2 + self.most * (BYTES_A_CHARACTER if self.pattern is None else BYTES_AN_ASCII_CHARACTER)

    @property
    def minimum(self) -> int:
        """Bytes after which every cut text can be closed."""
        return self.longest if self.pattern is not None else 2 + self.fewest * BYTES_A_CHARACTER


@dataclass(frozen=True)
class Many:
    """A list of `fewest` to `most` items. Cut, it keeps its whole items."""

    item: Shape
    fewest: int
    most: int

    @property
    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""
        return {"type": "array", "items": self.item.schema, "minItems": self.fewest, "maxItems": self.most}

    @property
    def longest(self) -> int:
        """Bytes of the longest legal text, or more."""
        return self._of(self.most)

    @property
    def minimum(self) -> int:
        """Bytes after which every cut text can be closed."""
        return self._of(self.fewest)

    def _of(self, n: int) -> int:
        return 2 + n * self.item.longest + max(0, n - 1)


@dataclass(frozen=True)
class Record:
    """Named fields, all required, in one order. Cut, it can be closed only inside its last field.

    `cases` hold a rule between fields: each is the same record with some of its choices narrowed, and a legal document
    fits one of them. Without cases any combination is legal.
    """

    fields: tuple[tuple[str, Shape], ...]
    cases: tuple[Record, ...] = ()

    @property
    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""
        if self.cases:
            return {"anyOf": [case.schema for case in self.cases]}
        return {
            "type": "object",
            "properties": {name: shape.schema for name, shape in self.fields},
            "required": [name for name, _ in self.fields],
            "additionalProperties": False,
        }

    @property
    def longest(self) -> int:
        """Bytes of the longest legal text, or more."""
        if self.cases:
            return max(case.longest for case in self.cases)
        names = sum(size(name) + 1 for name, _ in self.fields)
        return 2 + names + sum(shape.longest for _, shape in self.fields) + max(0, len(self.fields) - 1)

    @property
    def minimum(self) -> int:
        """Bytes after which every cut text can be closed."""
        if self.cases:
            return max(case.minimum for case in self.cases)
        if not self.fields:
            return self.longest
        last = self.fields[-1][1]
        return self.longest - last.longest + last.minimum


@dataclass(frozen=True)
class Maybe:
    """A shape, or null."""

    shape: Shape

    @property
    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""
        return {"anyOf": [self.shape.schema, {"type": "null"}]}

    @property
    def longest(self) -> int:
        """Bytes of the longest legal text, or more."""
        return max(len("null"), self.shape.longest)

    @property
    def minimum(self) -> int:
        """Bytes after which every cut text can be closed."""
        return max(len("null"), self.shape.minimum)


Shape = Choice | Number | Text | Many | Record | Maybe


def size(value: object) -> int:
    """Bytes of a scalar's JSON text."""
    return len(json.dumps(value, ensure_ascii=False).encode())
