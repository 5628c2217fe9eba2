from __future__ import annotations

from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, RootModel

from tests.decoders.shapes import MODELS, Frames, Match, Note, Segment, Span, compact, documents, fixed
from vlmkit.decoders.reader import read
from vlmkit.decoders.schema import shape_of

SPAN = '{"operation":"Pack","segment":{"start_frame":5,"end_frame":20},"following":null}'
VALUE = Span(operation="Pack", segment=Segment(start_frame=5, end_frame=20), following=None)
PROSE = "ignored the text around the document"
THOUGHT = "removed the model's thoughts"
QUOTES = "replaced quotes that JSON does not know (6 times)"


def curly(text: str) -> str:
    return text.replace('"', "\N{RIGHT DOUBLE QUOTATION MARK}")


@pytest.mark.parametrize(
    ("text", "repairs"),
    [
        (SPAN, []),
        (f"\n {SPAN}\n", []),
        (f"```json\n{SPAN}\n```", ["removed a code fence"]),
        (f"```\n{SPAN}", ["removed a code fence"]),
        (f"Sure:\n```json\n{SPAN}\n```\nAnything else?", ["removed a code fence"]),
        (f"<think>{SPAN.replace('Pack', 'Wrap')}</think>{SPAN}", [THOUGHT]),
        (f"it may be {{}} </think>{SPAN}", [THOUGHT]),
        (f"<think>hm</think><answer>{SPAN}</answer> bye", [THOUGHT, "took the contents of <answer>"]),
        (f"<answer>\n{SPAN}", ["took the contents of <answer>"]),
        (f"See [1] and {{this}}: {SPAN} Done.", [PROSE]),
        (f'{{"result":{SPAN}}}', ["took the contents of the wrapper 'result'"]),
        (
            f'{{"ok":true,"result":[{SPAN}]}}',
            ["took the contents of the wrapper 'result'", "took the only item of a list"],
        ),
        (f"[{SPAN}]", ["took the only item of a list"]),
        (curly(SPAN), [QUOTES]),
        (SPAN.replace('"', "'"), [QUOTES]),
        (SPAN.replace(",", " "), ["added a missing comma (3 times)"]),
        (SPAN.replace("}", ",}"), ["removed a trailing comma (2 times)"]),
        (SPAN.replace("null", "None"), ["read None as JSON"]),
        (SPAN.replace("5,", '5,"why":"so",'), ["ignored the unknown field segment.why"]),
        (SPAN.replace("5,", '5,"start_frame":5,'), ["kept the last of a repeated field"]),
        (SPAN[:-1], ["closed a truncated document; dropped the end of the object"]),
    ],
)
def test_reads_and_says_what_it_repaired(text: str, repairs: list[str]) -> None:
    reading = read(text, Span)
    assert (reading.value, list(reading.repairs)) == (VALUE, repairs)


@pytest.mark.parametrize(
    ("text", "value", "n_repairs"),
    [
        ('{"frames":[1,2]}', [1, 2], 1),
        ('{"result":{"frames":[1,2]}}', [1, 2], 2),
        ("[1,2,12", [1, 2], 1),
        ('{"frames":[1,2,', [1, 2], 2),
        ("```json\n[1,2,\n```", [1, 2], 2),
    ],
)
def test_an_array_in_a_wrapper_or_cut(text: str, value: list[int], n_repairs: int) -> None:
    reading = read(text, Frames)
    assert reading.value is not None
    assert (reading.value.root, len(reading.repairs)) == (value, n_repairs)


def test_one_object_where_an_array_is_wanted() -> None:
    segments = RootModel[Annotated[list[Segment], Field(max_length=2)]]
    reading = read('{"start_frame":1,"end_frame":2}', segments)
    assert reading.value == segments([Segment(start_frame=1, end_frame=2)])
    assert reading.repairs == ("put the only object into a list",)


ONE, TWO = '{"start_frame":1,"end_frame":2}', '{"start_frame":3,"end_frame":4}'
FRAMES = [(1, 2), (3, 4)]
LAST = "took one of 2 documents, the last that fits"


@pytest.mark.parametrize(
    ("text", "repairs"),
    [
        (f"{ONE}\n{TWO}", []),
        (f"{ONE},{TWO}", []),
        (f'In [1], {{"note":1}} and: {ONE} and then {TWO}.', [PROSE, LAST]),
        (f"```json\n{ONE}\n{TWO}\n```", ["removed a code fence"]),
    ],
)
def test_objects_that_no_array_holds_are_all_kept(text: str, repairs: list[str]) -> None:
    reading = read(text, RootModel[Annotated[list[Segment], Field(max_length=2)]])
    assert reading.value is not None
    assert [(one.start_frame, one.end_frame) for one in reading.value.root] == FRAMES
    assert list(reading.repairs) == [*repairs, "put 2 objects into a list"]


def test_of_objects_that_no_array_holds_a_cut_one_is_dropped() -> None:
    reading = read(f"{ONE}\n{TWO}\n{ONE[:20]}", RootModel[Annotated[list[Segment], Field(max_length=2)]])
    assert reading.value is not None
    assert [(one.start_frame, one.end_frame) for one in reading.value.root] == FRAMES
    assert reading.repairs[-1] == "closed a truncated document; dropped everything in the list after 2 whole items"


def test_a_task_mends_spellings_before_the_schema_is_asked() -> None:
    def packed(document: Any) -> tuple[Any, list[str]]:
        return {**document, "operation": document["operation"].title()}, ["wrote Pack"]

    reading = read(SPAN.replace("Pack", "pack"), Span, packed)
    assert (reading.value, reading.repairs) == (VALUE, ("wrote Pack",))
    assert read(SPAN.replace("Pack", "pick"), Span, packed).value is None


def test_a_truncated_reply_keeps_whole_events() -> None:
    event = "{'kind': 'goal', 'clock': '0:1:32', 'words': 'it\\'s'}"
    reading = read(f"Well, {{'halves': 2, 'events': [{event}, {event[:20]}", Match)
    assert reading.value is not None
    assert [event.words for event in reading.value.events] == ["it's"]
    assert reading.repairs[-1] == "closed a truncated document; dropped everything in events after 1 whole items"


def test_raw_line_breaks_inside_a_string_stay() -> None:
    reading = read('{"sure":True,"share":0.5,"at":{"frame":1,"words":"a\nb"}}', Note)
    assert reading.value is not None
    assert reading.value.at.words == "a\nb"


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        ("", "not_json", None),
        ("I see a man.", "not_json", None),
        (f"<think>{SPAN}", "not_json", None),
        (SPAN.replace('"operation":"Pack",', ""), "missing_field", "operation"),
        (SPAN.replace('"Pack"', ""), "missing_field", "operation"),
        (SPAN.replace("Pack", "Label"), "not_schema", "operation"),
        (SPAN.replace("20", '"20"'), "not_schema", "segment.end_frame"),
        (f"[{SPAN},{SPAN}]", "not_schema", None),
        (SPAN[:-12], "truncated", None),
        (SPAN[:20], "truncated", None),
    ],
)
def test_what_is_not_there_is_a_problem_and_never_filled_in(text: str, code: str, where: str | None) -> None:
    reading = read(text, Span)
    assert reading.value is None
    assert reading.problem is not None
    assert reading.problem.fatal
    assert (reading.problem.code, reading.problem.where) == (code, where)


def test_of_several_documents_the_last_that_fits_is_taken() -> None:
    other = SPAN.replace("Pack", "Wrap")
    reading = read(f'First {SPAN}, no: {other} {{"note":1}}', Span)
    assert reading.value is not None
    assert reading.value.operation == "Wrap"
    assert "took one of 3 documents, the last that fits" in reading.repairs


@pytest.mark.parametrize("result", MODELS)
def test_clean_documents_are_read_without_repair_and_missing_fields_are_named(result: type[BaseModel]) -> None:
    @fixed
    @given(documents(shape_of(result)), st.data())
    def check(data: Any, draw: st.DataObject) -> None:
        reading = read(compact(data), result)
        assert reading.repairs == ()
        assert reading.value == result.model_validate(data)
        if isinstance(data, dict):
            gone = draw.draw(st.sampled_from(sorted(data)))
            less = read(compact({name: value for name, value in data.items() if name != gone}), result)
            assert less.problem is not None
            assert gone in less.problem.message

    check()


@fixed
@given(
    st.text() | st.text("{}[]\",:\\tru e0'`“”<>/think\n") | st.text().map(lambda t: f'<answer>{{"code":1,"words":"{t}'),
    st.sampled_from(MODELS),
)
def test_total(text: str, result: type[BaseModel]) -> None:
    reading = read(text, result)
    assert (reading.value is None) != (reading.problem is None)


@pytest.mark.parametrize(
    "text", ["[" * 50_000, '{"a":' * 20_000, '["' * 20_000, "'" * 20_000, "```" * 10_000, "<think>" * 5_000]
)
def test_hostile_replies_are_answered(text: str) -> None:
    assert read(text, Span).value is None
