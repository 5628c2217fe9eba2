"""JSON text to pieces: values that know where they stand and whether they are whole. Strict, or tolerant with a log."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

MAX_DEPTH = 64  # far deeper than any bounded schema, far from Python's own limit

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NUMBER_START = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?(?:[eE][+-]?[0-9]*)?)?")
_ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})')
_ESCAPE_START = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?")
_HIGH_SURROGATE_END = re.compile("[\ud800-\udbff]\\Z")
_WORDS = {"true": True, "false": False, "null": None}
_PYTHON_WORDS = {"True": True, "False": False, "None": None}
# An opening quote, and what closes it. Other than '"', a closer counts only before a delimiter: it's, for one.
_DOUBLE, _SINGLE = '\u201d\u201c"', "\u2019\u2018'"  # typographic quotes, and the plain one they may end in
_QUOTES = {'"': '"', "'": "'"} | dict.fromkeys("\u201c\u201d\u201e", _DOUBLE) | dict.fromkeys("\u2018\u2019", _SINGLE)
_AFTER_CLOSER = re.compile(r"\s*(?:[,:}\]]|\Z)")
_BLANK = {False: re.compile(r"[ \t\n\r]*"), True: re.compile(r"[\s\ufeff]*")}


class MalformedError(Exception):
    """Text that is neither a JSON document nor the beginning of one."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One JSON value in a text.

    Attributes:
        value: `dict[str, Piece]`, `list[Piece]`, or a scalar. A partial string holds its whole characters.
        start: first character of the value in the text; `end` is one after its last.
        whole: False where the text ended before the value did; a number needs a delimiter after it.
    """

    kind: Literal["object", "array", "string", "number", "word"]
    value: Any
    start: int
    end: int
    whole: bool

    def data(self) -> Any:
        """Plain Python data."""
        if self.kind == "object":
            return {key: piece.data() for key, piece in self.value.items()}
        return [piece.data() for piece in self.value] if self.kind == "array" else self.value


def piece_of(data: Any, start: int, end: int) -> Piece:
    """Plain data as a whole piece, every part of which stands at the same characters."""
    if isinstance(data, dict):
        return Piece("object", {key: piece_of(item, start, end) for key, item in data.items()}, start, end, True)
    if isinstance(data, list):
        return Piece("array", [piece_of(item, start, end) for item in data], start, end, True)
    if isinstance(data, str):
        return Piece("string", data, start, end, True)
    return Piece("word" if data is None or isinstance(data, bool) else "number", data, start, end, True)


class Scanner:
    """Reads one value from `text[at:end]`; `at` then stands after it.

    Args:
        tolerant: also read single and typographic quotes, missing and trailing commas, raw line breaks in
            strings, repeated fields and Python's words. `repairs` counts what was done.
    """

    def __init__(self, text: str, at: int = 0, end: int | None = None, *, tolerant: bool = False) -> None:
        self.text = text
        self.at = at
        self.end = len(text) if end is None else end
        self.tolerant = tolerant
        self.repairs: Counter[str] = Counter()

    def value(self, depth: int = 0) -> Piece:
        """The value that starts at `at`. Raises `MalformedError`."""
        if depth > MAX_DEPTH:
            raise MalformedError(f"nested deeper than {MAX_DEPTH}")
        self.skip_blank()
        char = self._peek()
        if char == "{":
            return self._object(depth)
        if char == "[":
            return self._array(depth)
        if self._is_quote(char):
            return self._string()
        if char == "-" or char in set("0123456789"):
            return self._number()
        return self._word()

    def skip_blank(self) -> None:
        """Step over white space."""
        match = _BLANK[self.tolerant].match(self.text, self.at, self.end)
        self.at = match.end() if match else self.at

    def _peek(self) -> str:
        return self.text[self.at] if self.at < self.end else ""

    def _is_quote(self, char: str) -> bool:
        return char == '"' or (self.tolerant and char in _QUOTES)

    def _array(self, depth: int) -> Piece:
        start, items, whole = self.at, list[Piece](), False
        self.at += 1
        while (step := self._step("]", first=not items)) == "item":
            items.append(self.value(depth + 1))
            if not items[-1].whole:
                break
        else:
            whole = step == "close"
        return Piece("array", items, start, self.at, whole)

    def _object(self, depth: int) -> Piece:
        start, fields, whole = self.at, dict[str, Piece](), False
        self.at += 1
        while (step := self._step("}", first=not fields)) == "item":
            name = self._name()
            if name is None:
                break
            if name in fields:
                self._repair("kept the last of a repeated field")
                del fields[name]
            fields[name] = self.value(depth + 1)
            if not fields[name].whole:
                break
        else:
            whole = step == "close"
        return Piece("object", fields, start, self.at, whole)

    def _name(self) -> str | None:
        """A field's name with its colon, or None where the text ends before the value."""
        if not self._is_quote(self._peek()):
            raise MalformedError(f"character {self.at}: a field's name was expected")
        name = self._string()
        self.skip_blank()
        if not name.whole or self.at == self.end:
            return None
        if self._peek() != ":":
            raise MalformedError(f"character {self.at}: ':' was expected")
        self.at += 1
        self.skip_blank()
        return None if self.at == self.end else str(name.value)

    def _step(self, closer: str, *, first: bool) -> Literal["item", "close", "cut"]:
        self.skip_blank()
        char = self._peek()
        if char == "":
            return "cut"
        if char == closer:
            self.at += 1
            return "close"
        if first:
            return "item"
        if char != ",":
            self._repair("added a missing comma")
            return "item"
        self.at += 1
        self.skip_blank()
        if self._peek() == closer:
            self._repair("removed a trailing comma")
            self.at += 1
            return "close"
        return "item" if self.at < self.end else "cut"

    def _string(self) -> Piece:
        start, opener, parts = self.at, self._peek(), list[str]()
        if opener != '"':
            self._repair("replaced quotes that JSON does not know")
        self.at += 1
        while self.at < self.end:
            char = self.text[self.at]
            if self._closes(opener, char):
                self.at += 1
                return Piece("string", _unescape("".join(parts)), start, self.at, True)
            if char == "\\":
                escape = self._escape()
                if escape is None:
                    break
                parts.append(escape)
                continue
            if char < " ":
                self._repair("kept a raw control character in a string")
            parts.append(json.dumps(char)[1:-1] if char in '"\\' or char < " " else char)
            self.at += 1
        # The text ends inside this string. U+FFFD is what a character cut in its bytes becomes when decoded.
        text = _HIGH_SURROGATE_END.sub("", _unescape("".join(parts))).rstrip("\ufffd")
        self.at = self.end
        return Piece("string", text, start, self.at, False)

    def _closes(self, opener: str, char: str) -> bool:
        if char not in _QUOTES[opener]:
            return False
        return opener == '"' or _AFTER_CLOSER.match(self.text, self.at + 1, self.end) is not None

    def _escape(self) -> str | None:
        match = _ESCAPE.match(self.text, self.at, self.end)
        if match:
            self.at = match.end()
            return match.group()
        start = _ESCAPE_START.match(self.text, self.at, self.end)
        if start and start.end() == self.end:
            return None
        if self.text.startswith("\\'", self.at):
            self._repair("removed an escape that JSON does not know")
            self.at += 2
            return "'"
        raise MalformedError(f"character {self.at}: not an escape of JSON")

    def _number(self) -> Piece:
        start = self.at
        match = _NUMBER.match(self.text, start, self.end)
        begun = _NUMBER_START.match(self.text, start, self.end)
        if begun and begun.end() == self.end:
            self.at = self.end
            return Piece("number", None, start, self.end, False)
        if match is None:
            raise MalformedError(f"character {start}: not a number of JSON")
        self.at = match.end()
        try:
            value = json.loads(match.group())
        except ValueError:  # Python refuses integers of more than 4,300 digits
            raise MalformedError(f"character {start}: a number too long to read") from None
        if isinstance(value, float) and not math.isfinite(value):
            raise MalformedError(f"character {start}: a number too large to read")
        return Piece("number", value, start, self.at, True)

    def _word(self) -> Piece:
        start = self.at
        for word, value in (_WORDS | _PYTHON_WORDS if self.tolerant else _WORDS).items():
            given = self.text[start : min(start + len(word), self.end)]
            if given == word:
                if word in _PYTHON_WORDS:
                    self._repair(f"read {word} as JSON")
                self.at = start + len(word)
                return Piece("word", value, start, self.at, True)
            if given and word.startswith(given) and start + len(given) == self.end:
                self.at = self.end
                return Piece("word", None, start, self.end, False)
        raise MalformedError(f"character {start}: a value was expected")

    def _repair(self, what: str) -> None:
        if not self.tolerant:
            raise MalformedError(f"character {self.at}: strict JSON has no room for this ({what})")
        self.repairs[what] += 1


def scan(text: str) -> Piece:
    """The one strict JSON value of a text, or the beginning of one. Raises `MalformedError`."""
    scanner = Scanner(text)
    piece = scanner.value()
    scanner.skip_blank()
    if scanner.at != len(text):
        raise MalformedError(f"character {scanner.at}: text after the document")
    return piece


def _unescape(body: str) -> str:
    # Pairs of \u escapes join into one character here, whichever way they were written.
    return str(json.loads(f'"{body}"', strict=False))
