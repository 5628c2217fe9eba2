from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, RootModel

from tests.decoders.shapes import MODELS, SAMPLE, Event, Hint, Match, Span, documents, fixed, reply
from vlmkit.decoders.confidence import token_confidence
from vlmkit.decoders.json import JsonDecoder
from vlmkit.decoders.scan import scan
from vlmkit.decoders.schema import shape_of
from vlmkit.decoders.shape import Choice, Many, Number, Record
from vlmkit.protocols import Decoder
from vlmkit.types import Generation, Problem, Sample

SPAN = '{"operation":"Pack","segment":{"start_frame":5,"end_frame":20},"following":null}'


class Listing(RootModel[tuple[Event, ...]]):
    root: Annotated[tuple[Event, ...], Field(max_length=3)]


@pytest.mark.parametrize("result", MODELS)
@pytest.mark.parametrize("lenient", [False, True])
def test_decode_of_encode_is_the_value(result: type[BaseModel], lenient: bool) -> None:
    decoder = JsonDecoder(result, lenient=lenient)

    @fixed
    @given(documents(shape_of(result)))
    def check(data: Any) -> None:
        value = result.model_validate(data)
        prediction = decoder.decode(reply(decoder.encode(value)), SAMPLE)
        assert (prediction.value, prediction.problems) == (value, ())

    check()


@fixed
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=5))
def test_decode_of_encode_also_for_strings_that_no_grammar_writes(words: str) -> None:
    decoder = JsonDecoder(Hint)
    value = Hint(code=1, words=words)
    assert decoder.decode(reply(decoder.encode(value)), SAMPLE).value == value


@pytest.mark.parametrize("lenient", [False, True])
def test_an_engine_that_gave_no_reply_says_why(lenient: bool) -> None:
    why = Problem("engine_failed", "HTTP 500", "engine")
    failed = Generation("", "failed", n_prompt=0, n_new=0, problem=why)
    prediction = JsonDecoder(Hint, lenient=lenient).decode(failed, SAMPLE)
    assert prediction.value is None
    assert prediction.problems == (replace(why, fatal=True),)


@fixed
@given(
    st.text() | st.text('{}[]",:\\tru e0') | st.from_regex(r'\{"code":(1|22|3),"words":("[^"]{0,7}"|null)\}?'),
    st.sampled_from(["end", "length"]),
    st.booleans(),
)
def test_decode_is_total(text: str, stop: Any, lenient: bool) -> None:
    prediction = JsonDecoder(Hint, lenient=lenient).decode(reply(text, stop), SAMPLE)
    assert prediction.raw == text
    assert (prediction.value is None) == any(problem.fatal for problem in prediction.problems)


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        ("", "not_json", None),
        ("Label", "not_json", None),
        (f"{SPAN} {SPAN}", "not_json", None),
        (SPAN[:-1], "not_json", None),
        ("{" * 500, "not_json", None),
        ('{"operation":"\ud800"}', "missing_field", "segment"),
        (SPAN.replace("Pack", "\\ud800"), "not_schema", "operation"),
        (SPAN.replace("Pack", "pack"), "not_schema", "operation"),
        (SPAN.replace("20", '"20"'), "not_schema", "segment.end_frame"),
        (SPAN.replace("20", "126"), "not_schema", "segment.end_frame"),
        (SPAN.replace("20", "20.0"), "not_schema", "segment.end_frame"),
        (SPAN.replace("20", "true"), "not_schema", "segment.end_frame"),
        (SPAN.replace(',"following":null', ""), "missing_field", "following"),  # its default is not filled in
        (SPAN.replace(',"end_frame":20', ""), "missing_field", "segment.end_frame"),
        (SPAN.replace("20}", '20,"why":1}'), "unknown_field", "segment.why"),
        ("[]", "not_schema", None),
    ],
)
def test_strict_reading_says_what_is_wrong_and_where(text: str, code: str, where: str | None) -> None:
    prediction = JsonDecoder(Span).decode(reply(text), SAMPLE)
    (problem,) = prediction.problems
    assert (problem.code, problem.where, problem.fatal) == (code, where, True)


def test_a_cut_reply_is_closed_and_says_so() -> None:
    prediction = JsonDecoder(Match).decode(reply('{"halves":2,"events":[{"kind":"go', "length"), SAMPLE)
    assert prediction.value == Match(halves=2, events=[])
    assert [(p.code, p.fatal) for p in prediction.problems] == [("truncated", False)]


def test_a_cut_reply_that_cannot_be_closed_has_no_value() -> None:
    prediction = JsonDecoder(Span).decode(reply(SPAN[:-9], "length"), SAMPLE)
    assert [(p.code, p.fatal) for p in prediction.problems] == [("truncated", True)]


@pytest.mark.parametrize("lenient", [False, True])
def test_a_list_that_is_cut_before_its_first_item_is_no_empty_list(lenient: bool) -> None:
    decoder = JsonDecoder(Listing, lenient=lenient)
    prediction = decoder.decode(reply('[{"kind":"go', "length"), SAMPLE)
    assert prediction.value is None
    (problem,) = [problem for problem in prediction.problems if problem.fatal]
    assert (problem.code, problem.message) == (
        "truncated",
        "the reply hit its token budget before anything in its list was whole",
    )
    assert decoder.decode(reply("[]"), SAMPLE).value == Listing(())


def test_a_reply_that_just_fits_its_budget_is_not_truncated() -> None:
    assert JsonDecoder(Span).decode(reply(SPAN, "length"), SAMPLE).problems == ()


def test_an_engine_that_ended_early_is_not_forgiven() -> None:
    (problem,) = JsonDecoder(Match).decode(reply('{"halves":2,"events":['), SAMPLE).problems
    assert problem.code == "not_json"


def ordered(span: Span, sample: Sample) -> Iterator[Problem]:
    if span.segment.start_frame >= span.segment.end_frame:
        yield Problem("segment_order", f"{sample.id}: starts after its end", "segment", fatal=True)
    if span.segment.end_frame == 125:
        yield Problem("segment_open", "ends with the clip", "segment")


def test_rules_are_asked_after_reading() -> None:
    decoder = JsonDecoder(Span, rules=[ordered])
    broken = decoder.decode(reply(SPAN.replace("20", "5")), SAMPLE)
    assert (broken.value, broken.raw, broken.confidence) == (None, SPAN.replace("20", "5"), {})
    assert [p.code for p in broken.problems] == ["segment_order"]
    noted = decoder.decode(reply(SPAN.replace("20", "125")), SAMPLE)
    assert noted.value is not None
    assert [p.code for p in noted.problems] == ["segment_open"]


def test_lenient_reads_what_strict_refuses_and_reports_each_repair() -> None:
    fenced = f"```json\n{SPAN}\n```"
    assert JsonDecoder(Span).decode(reply(fenced), SAMPLE).value is None
    prediction = JsonDecoder(Span, lenient=True).decode(reply(fenced), SAMPLE)
    assert prediction.value is not None
    assert [(p.code, p.message, p.fatal) for p in prediction.problems] == [("repaired", "removed a code fence", False)]


def test_lenient_reports_truncation_too() -> None:
    text = 'Here: {"halves":2,"events":['
    prediction = JsonDecoder(Match, lenient=True).decode(reply(text, "length"), SAMPLE)
    assert prediction.value == Match(halves=2, events=[])
    assert [p.code for p in prediction.problems] == ["repaired", "repaired", "truncated"]


SCANNED = scan('{"halves":2,"events":[{"kind":"goal"}]}')
FORCED = Record((("halves", Number(0, 2)), ("events", Many(Record((("kind", Choice(("goal",))),)), 0, 2))))


def spoken(text: str, logprob: float, per_token: int = 1) -> Generation:
    n = len(text.encode())
    spans = tuple((at, min(n, at + per_token)) for at in range(0, n, per_token))
    return replace(reply(text), n_new=len(spans), logprobs=(logprob,) * len(spans), spans=spans)


def test_confidence_is_the_probability_of_the_tokens_of_each_field() -> None:
    text = SPAN.replace("Pack", "포장")
    confidence = JsonDecoder(Span).decode(spoken(text, -0.01), SAMPLE).confidence
    sizes = {
        "reply": len(text.encode()),
        "operation": len('"포장"'.encode()),
        "segment": len('{"start_frame":5,"end_frame":20}'),
        "segment.start_frame": len("5,"),  # the comma says that it is 5, and not 50
        "segment.end_frame": len("20}"),
        "following": 4,
    }
    assert confidence == pytest.approx({name: math.exp(-0.01 * n) for name, n in sizes.items()})


def test_confidence_counts_a_token_that_overlaps_a_field() -> None:
    wide = JsonDecoder(Span).decode(spoken(SPAN, -0.5, per_token=1000), SAMPLE).confidence
    assert set(wide.values()) == {math.exp(-0.5)}


def test_confidence_names_only_what_was_kept() -> None:
    text = '{"halves":2,"events":[{"kind":"goal","clock":"0:1:2","words":""},{"kind":"go'
    kept = JsonDecoder(Match).decode(replace(spoken(text, -0.1), stop="length"), SAMPLE).confidence
    assert {name for name in kept if name.startswith("events.")} == {
        "events.0", "events.0.kind", "events.0.clock", "events.0.words",
    }  # fmt: skip


def test_confidence_leaves_out_what_had_one_legal_value_only() -> None:
    class Packing(Span):
        operation: Literal["Pack"]

    found = JsonDecoder(Span, narrow=lambda sample: Packing).decode(spoken(SPAN, -0.1), SAMPLE)
    assert found.value == Span.model_validate_json(SPAN)
    assert list(found.confidence) == ["reply", "segment", "segment.start_frame", "segment.end_frame", "following"]
    items = token_confidence(spoken('{"halves":2,"events":[{"kind":"goal"}]}', -0.1), SCANNED, FORCED)
    assert list(items) == ["reply", "halves", "events", "events.0"]


def test_no_confidence_without_log_probabilities() -> None:
    assert JsonDecoder(Span).decode(reply(SPAN), SAMPLE).confidence == {}
    only = JsonDecoder(Span).decode(replace(reply(SPAN), logprobs=(-1.0,)), SAMPLE).confidence
    assert only == {"reply": math.exp(-1)}


def test_is_a_decoder() -> None:
    decoder: Decoder[Span] = JsonDecoder(Span)
    assert isinstance(decoder, Decoder)
    assert decoder.reads == "generation"
    assert decoder.constraint(SAMPLE) == JsonDecoder(Span).bounds


def test_decoders_import_neither_torch_nor_llguidance() -> None:
    code = "import sys, vlmkit.decoders.json; print({'torch', 'transformers', 'llguidance'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
