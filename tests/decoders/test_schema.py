from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, RootModel, computed_field, create_model

from tests.decoders.shapes import MODELS, Hint, Match, Note, Span, compact, documents, fixed
from vlmkit.decoders.json import JsonDecoder
from vlmkit.decoders.schema import bounded, shape_of
from vlmkit.errors import BudgetError, WiringError


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


def model(annotation: Any) -> type[BaseModel]:
    return create_model("Answer", field=(annotation, ...))


def test_schema_is_compact_and_keeps_the_declared_order() -> None:
    text = bounded(Span).schema
    assert list(json.loads(text)["properties"]) == ["operation", "segment", "following"]
    assert json.loads(text)["required"] == ["operation", "segment", "following"]
    assert text == compact(json.loads(text))


def test_sizes_by_hand() -> None:
    flat = len(
        compact({"operation": "포장", "segment": {"start_frame": 125, "end_frame": 125}, "following": "Pack"}).encode()
    )
    assert (bounded(Span).longest, bounded(Span).minimum) == (flat, flat)
    clock, words = 2 + 2 * 7, 2 + 4 * 6  # an ASCII character is at most two bytes, any other four
    event = len('{"kind":"goal","clock":,"words":}') + clock + words
    empty = len('{"halves":-20,"events":[]}')
    assert bounded(Match).minimum == empty
    assert bounded(Match).longest == empty + 2 * event + 1
    assert bounded(Note).minimum == len('{"sure":false,"share":0.25,"at":{"frame":125,"words":"😀"}}'.encode())
    assert bounded(Hint).minimum == len('{"code":22,"words":null}')


@pytest.mark.parametrize("result", MODELS)
def test_no_legal_document_is_longer_than_longest(result: type[BaseModel]) -> None:
    bounds = bounded(result)

    @fixed
    @given(documents(shape_of(result)))
    def check(data: Any) -> None:
        text = JsonDecoder(result).encode(result.model_validate(data))
        assert len(text.encode()) <= bounds.longest

    check()


def test_what_follows_a_list_makes_it_unclosable() -> None:
    class Late(BaseModel):
        frames: Annotated[list[Literal[1, 2]], Field(max_length=9)]
        label: Literal["a"]

    assert bounded(Late).minimum == bounded(Late).longest


@pytest.mark.parametrize(
    ("annotation", "says"),
    [
        (int, "ge=..., le=..."),
        (Annotated[int, Field(ge=0)], "ge=..., le=..."),
        (str, "Field(max_length=...)"),
        (list[Literal[1]], "Field(max_length=...)"),
        (float, "multiple_of=0.01"),
        (Annotated[float, Field(ge=0, le=1)], "multiple_of=0.01"),
        (Annotated[float, Field(ge=0, le=1, multiple_of=0.3)], "multiple_of=0.01"),
        (dict[str, bool], "nested model"),
        (Any, "Literal"),
    ],
)
def test_unbounded_fields_are_refused_by_name(annotation: Any, says: str) -> None:
    with pytest.raises(BudgetError) as error:
        bounded(model(annotation))
    assert "Answer.field" in str(error.value)
    assert says in str(error.value)


class Loop(BaseModel):
    inner: Loop | None


class TwoNames(BaseModel):
    field: bool = Field(validation_alias="a", serialization_alias="b")


class Choices(BaseModel):
    field: bool = Field(validation_alias=AliasChoices("a", "b"))


class Free(BaseModel):
    model_config = ConfigDict(extra="allow")
    field: bool


@pytest.mark.parametrize(
    "result",
    [
        model(tuple[bool, bool]),
        model(Annotated[set[bool], Field(max_length=2)]),
        model(bool | Annotated[int, Field(ge=0, le=1)]),
        model(datetime),
        model(Callable[[], None]),
        model(Literal["\x01"]),
        model(Annotated[str, Field(max_length=4, pattern="^a|b$")]),
        model(Annotated[str, Field(max_length=4, pattern="^.$")]),
        model(Annotated[str, Field(max_length=4, pattern="^[^a]$")]),
        model(Annotated[str, Field(max_length=4, pattern="^é$")]),
        model(Annotated[str, Field(max_length=4, pattern=r"^\w$")]),
        model(Annotated[str, Field(max_length=4, pattern="^(?i:k)$")]),
        model(Annotated[str, Field(max_length=4, pattern="a")]),
        RootModel[bool],
        Loop,
        TwoNames,
        Choices,
        Free,
    ],
)
def test_what_the_grammar_cannot_hold_is_refused(result: type[BaseModel]) -> None:
    with pytest.raises(WiringError):
        bounded(result)


def test_aliases_enums_defaults_and_computed_fields_round_trip() -> None:
    class Answer(BaseModel):
        first: bool = Field(alias="图片_1")
        colour: Colour = Colour.RED

        @computed_field
        def double(self) -> int:
            return 2

    decoder = JsonDecoder(Answer)
    answer = Answer.model_validate({"图片_1": True, "colour": "blue"})
    assert decoder.encode(answer) == '{"图片_1":true,"colour":"blue"}'
    assert list(json.loads(decoder.bounds.schema)["properties"]) == ["图片_1", "colour"]


@fixed
@given(st.text(max_size=12))
def test_any_pattern_is_taken_or_refused(pattern: str) -> None:
    from vlmkit.decoders.schema import _is_ascii

    assert _is_ascii(f"^{pattern}$") in (True, False)
    assert not (pattern and not pattern.isascii() and _is_ascii(f"^{pattern}$"))
