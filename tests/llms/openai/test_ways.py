"""Servers that can do less: what they refuse is left out, once, and said."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.llms.openai.heads import GOOD, film, model, picture
from tests.llms.openai.loopback import Answer, chat, error, serving
from vlmkit.decoders.schema import bounded
from vlmkit.llms.openai.ways import BAREST, Way, response_format

VLLM = ({"id": "base", "owned_by": "vllm"},)
Refusal = Callable[[Mapping[str, Any]], str | None]


def refusing(why: Refusal, status: int = 400) -> Callable[[int, Mapping[str, Any]], Answer]:
    def answer(number: int, body: Mapping[str, Any]) -> Answer:
        refusal = why(body)
        return chat(GOOD) if refusal is None else error(status, refusal)

    return answer


def schema_of(body: Mapping[str, Any]) -> dict[str, Any] | None:
    found = body.get("response_format")
    assert found is None or (found["type"] == "json_schema" and found["json_schema"]["strict"] is True)
    return None if found is None else found["json_schema"]["schema"]


def run(why: Refusal, status: int = 400, **told: Any) -> list[dict[str, Any]]:
    """Bodies of what a server like that is asked about two samples, one after the other; both are answered."""
    with serving(refusing(why, status), **told) as server:
        made = model(server.url)
        for name in ("a", "b"):
            (found,) = made.predict([picture(name)])
            assert found.value is not None
        return server.asked


def test_a_server_that_can_is_held_to_the_decoders_schema() -> None:
    first, second = run(lambda body: None)
    assert schema_of(first) == schema_of(second) == json.loads(model_schema())
    assert first["logprobs"] is True


def model_schema() -> str:
    from tests.llms.openai.heads import Seen

    return bounded(Seen).schema


def test_a_server_without_schemas_is_asked_without(caplog: pytest.LogCaptureFixture) -> None:
    bodies = run(lambda body: "response_format is not supported here" if "response_format" in body else None)
    assert [schema_of(body) is None for body in bodies] == [False, False, True, True]
    assert all(body["logprobs"] for body in bodies)
    assert [record.message.partition(" does ")[2] for record in caplog.records] == [
        "without a schema: replies are read tolerantly, and what cannot be read is a problem"
    ]


def test_a_server_that_refuses_bounds_gets_the_schema_without(caplog: pytest.LogCaptureFixture) -> None:
    def why(body: Mapping[str, Any]) -> str | None:
        return "Invalid schema: 'maxLength' is not permitted" if "maxLength" in json.dumps(schema_of(body)) else None

    bodies = run(why)
    assert len(bodies) == 3
    assert schema_of(bodies[1]) == schema_of(bodies[2])
    kept = schema_of(bodies[1])
    assert kept is not None
    assert kept["properties"]["colour"] == {"enum": ["red", "blue"]}
    assert kept["properties"]["words"] == {"type": "string"}
    assert kept["required"] == ["colour", "words"] and kept["additionalProperties"] is False
    assert "bounds in its schema" in caplog.text


def test_a_server_may_refuse_two_fields_in_one_sentence() -> None:
    def why(body: Mapping[str, Any]) -> str | None:
        unknown = {"response_format", "logprobs"} & set(body)
        return f"Unsupported fields in the request: {unknown}" if unknown else None

    bodies = run(why, status=422)
    assert [("response_format" in body, "logprobs" in body) for body in bodies] == [
        (True, True), (True, False), (False, False), (False, False)
    ]  # fmt: skip


def test_a_refusal_without_a_reason_is_tried_with_the_bare_question() -> None:
    bodies = run(lambda body: "Bad Request" if "response_format" in body else None)
    assert [("response_format" in body, "logprobs" in body) for body in bodies] == [
        (True, True), (False, False), (False, False)
    ]  # fmt: skip


def test_a_vllm_that_trusts_no_request_scales_pictures_itself(caplog: pytest.LogCaptureFixture) -> None:
    def why(body: Mapping[str, Any]) -> str | None:
        return "Per-request mm_processor_kwargs are disabled" if "mm_processor_kwargs" in body else None

    bodies = run(why, models=VLLM, version="0.33.0")
    assert ["mm_processor_kwargs" in body for body in bodies] == [True, False, False]
    assert "--trust-request-mm-kwargs" in caplog.text


def test_a_vllm_that_does_not_hear_times_is_not_sent_films() -> None:
    def why(body: Mapping[str, Any]) -> str | None:
        for name in ("mm_processor_kwargs", "media_io_kwargs"):
            if name in body:
                return f"Per-request {name} are disabled by default"
        return None

    with serving(refusing(why), VLLM, "0.33.0") as told:
        (found,) = model(told.url).predict([film()])
        (still,) = model(told.url, film="frames").predict([film()])
    assert found.value is None
    assert [one.code for one in found.problems] == ["engine_refused"]
    assert "start vLLM with --trust-request-mm-kwargs" in found.problems[0].message
    assert still.value is not None


def test_once_a_way_is_known_a_bad_request_takes_nothing_away() -> None:
    def why(body: Mapping[str, Any]) -> str | None:
        return "too bad" if "bad" in body["messages"][1]["content"][-1]["text"] else None

    with serving(refusing(why)) as told:
        made = model(told.url)
        found = [made.predict([picture(name, name)])[0] for name in ("good", "bad", "well")]
        assert [one.value is not None for one in found] == [True, False, True]
        assert ["response_format" in body for body in told.asked] == [True, True, True]


def test_a_schema_that_one_sample_cannot_have_is_given_up_for_that_sample_only() -> None:
    def why(body: Mapping[str, Any]) -> str | None:
        hard = "hard" in body["messages"][1]["content"][-1]["text"]
        return "the schema is too complex" if hard and "response_format" in body else None

    with serving(refusing(why)) as told:
        made = model(told.url)
        for name in ("good", "hard", "well"):
            assert made.predict([picture(name, name)])[0].value is not None
        assert ["response_format" in body for body in told.asked] == [True, True, True, False, True]


def test_a_schema_ends_where_nothing_is_left_to_leave_out() -> None:
    assert BAREST.without("response_format, logprobs and mm_processor_kwargs") == BAREST
    assert Way().without("no such picture") == Way()


def test_fields_that_are_called_like_bounds_stay() -> None:
    from pydantic import BaseModel, Field

    class Odd(BaseModel):
        maximum: int = Field(ge=0, le=9)
        pattern: str = Field(max_length=4)

    made = response_format(bounded(Odd), Way("plain"))["json_schema"]["schema"]
    assert made["properties"] == {"maximum": {"type": "integer"}, "pattern": {"type": "string"}}
    assert made["required"] == ["maximum", "pattern"]


def test_a_vllm_is_told_how_json_is_written_here() -> None:
    (first, _) = run(lambda body: None, models=VLLM, version="0.33.0")
    schema = schema_of(first)
    assert schema is not None
    assert schema.pop("x-guidance")["whitespace_flexible"] is False
    assert schema == json.loads(model_schema())
