"""A pydantic model to its bounded shape, and the shape to a `Constraint`. What cannot be bounded is refused by name."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema

from vlmkit.decoders.shape import Choice, Many, Maybe, Number, Record, Shape, Text
from vlmkit.errors import BudgetError, WiringError
from vlmkit.types import Constraint

_NOTES = frozenset({"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"})
# One atom of a pattern whose matches are ASCII for certain: no '.', no negated or named class, no flags.
_ASCII_ATOM = re.compile(
    r"\\[d^$.|?*+()\[\]{}/-]"  # \d (ASCII in the grammar) or an escaped sign
    r"|\[(?:\\[d\]\[^\\-]|[ -Z_-~])+\]"  # a class of printable ASCII
    r"|\((?!\?)|\(\?:"  # a group
    r"|[A-Za-z0-9 _`~!#%&,\-/:;<=>@'\"*+?{}|)]"  # itself, or a quantifier
)
_UNWRITABLE = re.compile("[\x00-\x07\x0b\x0e-\x1f\x7f\ud800-\udfff]")  # no two-byte escape, or no UTF-8


@functools.lru_cache(maxsize=256)  # asked once a sample where a length narrows it
def bounded(result: type[BaseModel]) -> Constraint:
    """What the grammar of `result`'s replies is made from, with its sizes in bytes.

    `longest` bounds the tokens of any legal reply, since a token is at least one byte. `minimum` is the longest reply
    with its truncatable end emptied: lists and free strings that stand last at every level. Where a field that has to
    be read whole stands after them, nothing can be closed and `minimum == longest`.

    Raises `BudgetError` for a field without bounds and `WiringError` for a type that JSON replies cannot have.
    """
    shape = shape_of(result)
    text = json.dumps(shape.schema, ensure_ascii=False, separators=(",", ":"))
    return Constraint(schema=text, longest=shape.longest, minimum=shape.minimum)


@functools.cache
def shape_of(result: type[BaseModel]) -> Record | Many:
    """The shape of a model, in the declared order of its fields, all of them required. Raises like `bounded`."""
    try:
        reading, writing = (result.model_json_schema(mode=mode) for mode in ("validation", "serialization"))
    except PydanticInvalidForJsonSchema:
        raise WiringError(f"{result.__name__}: a field has a type that JSON does not know; write plain types") from None
    for name, fields in _names(reading).items():
        if fields != [field for field in _names(writing).get(name, ()) if field in fields]:
            raise WiringError(
                f"{result.__name__}: {name or 'it'} reads and writes a field under two names; use `alias`"
            )
    shape = _Walk(reading.get("$defs", {})).shape(reading, result.__name__)
    if not isinstance(shape, Record | Many):
        raise WiringError(f"{result.__name__}: a reply is an object or an array; given {shape.schema}")
    return shape


def _names(schema: Mapping[str, Any]) -> dict[str, list[str]]:
    models = {"": schema, **schema.get("$defs", {})}
    return {name: list(model.get("properties", ())) for name, model in models.items()}


class _Walk:
    """From pydantic's JSON Schema, which has already resolved annotations, to shapes."""

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._open: list[str] = []  # names on the way down, to see recursion

    def shape(self, schema: Mapping[str, Any], where: str) -> Shape:
        node = {key: value for key, value in schema.items() if key not in _NOTES and key != "$defs"}
        if "$ref" in node:
            return self._reference(node, where)
        if "const" in node or "enum" in node:
            return _choice(node, where)
        if "anyOf" in node and node.get("type") != "object":  # on an object it is a rule between its fields
            return self._optional(node["anyOf"], where)
        builders: Mapping[str, Callable[[dict[str, Any], str], Shape]] = {
            "object": self._record,
            "array": self._many,
            "string": _text,
            "integer": _integer,
            "number": _decimal,
            "boolean": lambda _, __: Choice((True, False)),
            "null": lambda _, __: Choice((None,)),
        }
        kind = node.pop("type", None)
        if kind not in builders:
            raise BudgetError(f"{where}: any value at all is unbounded; write a type, a Literal or a nested model")
        return builders[kind](node, where)

    def _reference(self, node: Mapping[str, Any], where: str) -> Shape:
        name = str(node["$ref"]).rpartition("/")[2]
        if name in self._open:
            raise BudgetError(f"{where}: {name} contains itself, which is unbounded; write the levels as own models")
        self._open.append(name)
        shape = self.shape(self._definitions[name], where)
        self._open.pop()
        return shape

    def _optional(self, parts: Sequence[Mapping[str, Any]], where: str) -> Shape:
        some = [part for part in parts if part.get("type") != "null"]
        if len(some) != 1 or len(parts) != 2:
            raise WiringError(f"{where}: a union of several types; write one type, or one type and None")
        return Maybe(self.shape(some[0], where))

    def _record(self, node: dict[str, Any], where: str) -> Shape:
        if node.pop("additionalProperties", False) is not False:
            raise BudgetError(f"{where}: free fields are unbounded; write a nested model with named fields")
        fields: Mapping[str, Any] = node.get("properties", {})
        cases = node.pop("anyOf", None)
        _only(node, {"properties", "required"}, where)
        shapes = tuple((name, self.shape(field, f"{where}.{name}")) for name, field in fields.items())
        return Record(shapes, () if cases is None else _cases(cases, dict(shapes), where))

    def _many(self, node: dict[str, Any], where: str) -> Shape:
        _only(node, {"items", "minItems", "maxItems"}, where)
        if "maxItems" not in node:
            raise BudgetError(f"{where}: a list without an end; write Annotated[list[...], Field(max_length=...)]")
        return Many(self.shape(node["items"], f"{where}[]"), node.get("minItems", 0), node["maxItems"])


def _cases(parts: Any, fields: Mapping[str, Shape], where: str) -> tuple[Record, ...]:
    """The record once for each alternative of its `anyOf`, with the choices that the alternative leaves."""
    if not isinstance(parts, list) or not parts:
        raise WiringError(f"{where}: anyOf lists the cases of a rule between fields; given {parts!r}")
    cases = []
    for index, part in enumerate(parts):
        place = f"{where}: anyOf[{index}]"
        if not isinstance(part, Mapping) or not isinstance(part.get("properties"), Mapping):
            raise WiringError(f"{place}: wanted {{'properties': {{FIELD: {{'enum': [...]}}}}}}; given {part!r}")
        _only({key: value for key, value in part.items() if key not in _NOTES}, {"properties"}, place)
        narrowed = {name: _narrowed(fields, name, node, place) for name, node in part["properties"].items()}
        cases.append(Record(tuple({**fields, **narrowed}.items())))
    return tuple(cases)


def _narrowed(fields: Mapping[str, Shape], name: str, node: Any, where: str) -> Choice:
    known, place = fields.get(name), f"{where}.{name}"
    if known is None:
        raise WiringError(f"{place}: no such field; known here: {', '.join(fields)}")
    if not isinstance(known, Choice):
        raise WiringError(f"{place}: a case narrows choices only; make it a Literal, or leave it out of the case")
    if not isinstance(node, Mapping) or not (isinstance(node.get("enum"), list) or "const" in node):
        raise WiringError(f"{place}: wanted {{'enum': [...]}} or {{'const': ...}}; given {node!r}")
    _only(node, {"enum"} if "enum" in node else {"const"}, place)
    left = _choice(node, place)
    if others := [value for value in left.values if not known.holds(value)]:
        raise WiringError(f"{place}: {others} are no choices of the field; known: {list(known.values)}")
    return left


def _choice(node: Mapping[str, Any], where: str) -> Choice:
    values = tuple(node["enum"]) if "enum" in node else (node["const"],)
    if not values or not all(value is None or isinstance(value, str | int) for value in values):
        raise WiringError(f"{where}: choices are strings, integers, booleans or None; given {list(values)}")
    if any(isinstance(value, str) and _UNWRITABLE.search(value) for value in values):
        raise WiringError(f"{where}: a choice holds a control character or half a surrogate pair; write it without")
    return Choice(values)


def _text(node: dict[str, Any], where: str) -> Shape:
    _only(node, {"minLength", "maxLength", "pattern"}, where)
    if "maxLength" not in node:
        raise BudgetError(
            f"{where}: a string without an end; write Annotated[str, Field(max_length=...)], or a Literal"
        )
    pattern = node.get("pattern")
    if pattern is not None and not _is_ascii(pattern):
        raise WiringError(
            f"{where}: pattern {pattern!r} may match more than ASCII; write '^...$' with plain characters, [a-z0-9] "
            "classes, (?:a|b) groups, and no '.', '[^...]', \\w or \\s"
        )
    return Text(node.get("minLength", 0), node["maxLength"], pattern)


def _is_ascii(pattern: str) -> bool:
    """Whether it is anchored at both ends and every match of it is ASCII. Says no when in doubt."""
    if not (pattern.startswith("^") and pattern.endswith("$") and not pattern.endswith("\\$")):
        return False
    at, depth = 1, 0
    while at < len(pattern) - 1:
        atom = _ASCII_ATOM.match(pattern, at, len(pattern) - 1)
        if atom is None:
            return False
        depth += {"(": 1, "(?:": 1, ")": -1}.get(atom.group(), 0)
        if depth < 0 or (depth == 0 and atom.group() == "|"):  # '^a|b$' is anchored at one end only
            return False
        at = atom.end()
    return True


def _integer(node: dict[str, Any], where: str) -> Shape:
    _only(node, {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}, where)
    low = max(node.get("minimum", -math.inf), node.get("exclusiveMinimum", -math.inf) + 1)
    high = min(node.get("maximum", math.inf), node.get("exclusiveMaximum", math.inf) - 1)
    if math.isinf(low) or math.isinf(high):
        raise BudgetError(f"{where}: an int without bounds; write Annotated[int, Field(ge=..., le=...)]")
    return Number(int(low), int(high), step=node.get("multipleOf"))


def _decimal(node: dict[str, Any], where: str) -> Shape:
    _only(node, {"minimum", "maximum", "multipleOf"}, where)
    step = node.get("multipleOf", 0.0)
    places = round(-math.log10(step)) if step > 0 else 0
    if "minimum" not in node or "maximum" not in node or places < 1 or not math.isclose(step, 10.0**-places):
        raise BudgetError(
            f"{where}: a float without bounds; write Annotated[float, Field(ge=..., le=..., multiple_of=0.01)] "
            "with one tenth, hundredth … as the step"
        )
    return Number(node["minimum"], node["maximum"], places=places, step=step)


def _only(node: Mapping[str, Any], known: set[str], where: str) -> None:
    others = sorted(set(node) - known)
    if others:
        raise WiringError(
            f"{where}: the grammar cannot hold {', '.join(others)}; known here: {', '.join(sorted(known))}"
        )
