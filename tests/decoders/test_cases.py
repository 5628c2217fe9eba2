"""A rule between fields of one record: held by the grammar, counted in the sizes, checked on reading."""

from __future__ import annotations

import json
from itertools import product
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from tests.decoders.replies import random_replies, takes
from tests.decoders.shapes import SAMPLE, Alarm, Verdict, compact, reply
from vlmkit.decoders.json import JsonDecoder
from vlmkit.decoders.reader import read
from vlmkit.decoders.schema import bounded, shape_of
from vlmkit.decoders.shape import Record
from vlmkit.errors import WiringError

MOODS = ("fire", "flood", "calm", "unknown")
LEGAL = {("fire", 2), ("fire", 3), ("flood", 2), ("flood", 3), ("calm", 1), ("unknown", None)}


def verdict(mood: str, level: Any, *, seen: bool = True) -> str:
    return compact({"mood": mood, "seen": seen, "level": level})


def test_each_case_is_the_whole_record_in_its_order() -> None:
    cases = json.loads(bounded(Verdict).schema)["anyOf"]
    assert len(cases) == 3
    for case in cases:
        assert list(case["properties"]) == case["required"] == ["mood", "seen", "level"]
        assert case["additionalProperties"] is False
        assert case["properties"]["seen"] == {"enum": [True, False]}
    assert [case["properties"]["level"]["enum"] for case in cases] == [[2, 3], [1], [None]]


def test_the_sizes_are_those_of_the_longest_case() -> None:
    assert bounded(Verdict).longest == bounded(Verdict).minimum == len(verdict("unknown", None, seen=False))
    empty = compact({"verdict": json.loads(verdict("unknown", None, seen=False)), "words": ""})
    assert bounded(Alarm).minimum == len(empty)
    assert bounded(Alarm).longest == len(empty) + 4 * 6


@pytest.mark.parametrize(("mood", "level"), list(product(MOODS, (1, 2, 3, None))))
def test_grammar_and_reader_take_the_same_pairs(mood: str, level: int | None) -> None:
    text, legal = verdict(mood, level), (mood, level) in LEGAL
    assert takes(bounded(Verdict), text) is legal
    for lenient in (False, True):
        prediction = JsonDecoder(Verdict, lenient=lenient).decode(reply(text), SAMPLE)
        assert (prediction.value is not None) is legal
    assert (read(f"```json\n{text}\n```", Verdict).value is not None) is legal


def test_a_contradiction_names_the_fields_and_where_they_stand() -> None:
    text = f'{{"verdict":{verdict("calm", 3)},"words":""}}'
    (problem,) = JsonDecoder(Alarm).decode(reply(text), SAMPLE).problems
    assert (problem.code, problem.where, problem.fatal) == ("not_schema", "verdict", True)
    assert problem.message == 'verdict: mood "calm", level 3 do not go together'


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        (verdict("storm", 3), "not_schema", "mood"),
        (verdict("fire", "2"), "not_schema", "level"),
        (verdict("calm", True), "not_schema", "level"),  # true is not 1
        ('{"mood":"calm","seen":true}', "missing_field", "level"),
        (verdict("calm", 1).replace("}", ',"why":3}'), "unknown_field", "why"),
    ],
)
def test_a_fault_of_one_field_is_said_of_that_field(text: str, code: str, where: str) -> None:
    (problem,) = JsonDecoder(Verdict).decode(reply(text), SAMPLE).problems
    assert (problem.code, problem.where) == (code, where)


def test_500_random_replies_obey_the_rule() -> None:
    decoder, met = JsonDecoder(Verdict), set()
    for generation in random_replies(decoder.bounds, 500, seed=0):
        value = decoder.decode(generation, SAMPLE).value
        assert value is not None, generation.text
        met.add((value.mood, value.level))
    assert met == LEGAL


def test_cut_replies_close_from_the_minimum_on() -> None:
    decoder = JsonDecoder(Alarm)
    lengths = set()
    for generation in random_replies(decoder.bounds, 100, seed=1, closing=0.02):
        raw = generation.text.encode()
        lengths.add(len(raw))
        for cut in range(len(raw)):
            prediction = decoder.decode(reply(raw[:cut].decode(errors="ignore"), "length"), SAMPLE)
            assert prediction.value is not None or cut < decoder.bounds.minimum
    assert max(lengths) > decoder.bounds.minimum


def answer(*cases: Any, **fields: Any) -> type[BaseModel]:
    """A model with the fields `a` and `b`, `more`, and these cases."""

    class Answer(BaseModel):
        model_config = ConfigDict(json_schema_extra={"anyOf": list(cases)})

        a: Literal["x", "y"]
        b: Literal[1, 2] | None
        words: Annotated[str, Field(max_length=3)]

    return Answer


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ({"properties": {"c": {"enum": ["x"]}}}, r"Answer: anyOf\[1\]\.c: no such field; known here: a, b, words"),
        ({"properties": {"a": {"enum": ["x", "z"]}}}, r"anyOf\[1\]\.a: \['z'\] are no choices of the field"),
        ({"properties": {"a": {"enum": []}}}, r"anyOf\[1\]\.a: choices are"),
        ({"properties": {"a": {"enum": [True]}}}, r"anyOf\[1\]\.a: \[True\] are no choices"),
        ({"properties": {"words": {"enum": ["x"]}}}, r"anyOf\[1\]\.words: a case narrows choices only"),
        ({"properties": {"b": {"enum": [1]}}}, r"anyOf\[1\]\.b: a case narrows choices only"),
        ({"properties": {"a": {"pattern": "^x$"}}}, r"anyOf\[1\]\.a: wanted \{'enum'"),
        ({"properties": {"a": "x"}}, r"anyOf\[1\]\.a: wanted \{'enum'"),
        ({"properties": {"a": {"enum": ["x"], "minLength": 1}}}, r"anyOf\[1\]\.a: the grammar cannot hold minLength"),
        ({"properties": {"a": {"const": "x"}}, "required": ["a"]}, r"anyOf\[1\]: the grammar cannot hold required"),
        ({"a": {"enum": ["x"]}}, r"anyOf\[1\]: wanted \{'properties'"),
        ("x", r"anyOf\[1\]: wanted \{'properties'"),
    ],
)
def test_a_case_that_does_not_fit_its_record_is_refused_by_name(case: Any, says: str) -> None:
    with pytest.raises(WiringError, match=says):
        bounded(answer({"properties": {"a": {"const": "x"}}}, case))


def test_no_case_at_all_is_refused() -> None:
    with pytest.raises(WiringError, match="lists the cases"):
        bounded(answer())


def test_a_case_may_leave_every_field_as_it_is() -> None:
    shape = shape_of(answer({"properties": {}}, {"title": "y only", "properties": {"a": {"const": "y"}}}))
    assert isinstance(shape, Record)
    assert shape.cases[0].fields == shape.fields
    assert shape.cases[1].fields[1:] == shape.fields[1:]
