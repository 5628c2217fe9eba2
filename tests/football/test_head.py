from __future__ import annotations

import hashlib
import json

import pytest

from vlmkit.types import Generation, Sample, Slot
from vlmkit_plugins.football.head import QUESTION, decoder, narrow, prompt, task
from vlmkit_plugins.football.schema import CLASSES, Event, Events, events_of, reply_of

GOAL = Event(description="Player #10 in blue scores.", start_time="0:0:3", end_time="0:0:9", event="Goal")


def reply(*events: dict[str, str], stop: str = "end") -> Generation:
    return Generation(json.dumps(events, separators=(",", ":")), stop, 1, 1)  # type: ignore[arg-type]


def raw(**changes: str) -> dict[str, str]:
    return {**GOAL.model_dump(), **changes}


def test_the_question_is_word_for_word_the_trained_one() -> None:
    # The digest of the sentence in the original project's inference script.
    digest = hashlib.sha256(QUESTION.encode()).hexdigest()
    assert digest == "43ed41b0a699fb849f65a080dd8d75415d9029e28a5676a3bbd58379f731459c"
    (turn,) = prompt(Sample("x")).messages
    assert turn.role == "user" and turn.parts == (Slot("video"), QUESTION)


def test_what_is_written_is_read() -> None:
    answer = events_of([GOAL, GOAL.shifted(60)])
    assert answer[1].start_time == "0:1:3"
    assert list(answer) == [GOAL, GOAL.shifted(60)]
    found = decoder().decode(Generation(decoder().encode(answer), "end", 1, 1), Sample("x"))
    assert found.value == answer and not found.problems
    assert decoder().decode(reply(), Sample("x")).value == events_of([])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"end_time": "0:0:3"}, "event_order"),
        ({"start_time": "0:0:9", "end_time": "0:0:3"}, "event_order"),
        ({"end_time": "0:0:11"}, "event_outside"),
        ({"start_time": "1:30:0", "end_time": "1:30:5"}, "event_outside"),
    ],
)
def test_a_bad_event_is_left_out_by_name_and_the_others_stay(changes: dict[str, str], code: str) -> None:
    evidence = reply(raw(**changes), raw())
    found = decoder().decode(evidence, Sample("x", meta={"video_s": 10.0}))
    assert found.value == events_of([GOAL])
    assert [(p.code, p.fatal, p.where) for p in found.problems] == [(code, False, "0.end_time")]


def test_where_no_event_stays_there_is_no_answer() -> None:
    """An empty list would say that nothing happens; the reply said that something does."""
    sample = Sample("x", meta={"video_s": 10.0})
    found = decoder().decode(reply(raw(end_time="0:0:3"), raw(end_time="0:0:11")), sample)
    assert found.value is None
    assert [(p.code, p.fatal) for p in found.problems] == [
        ("event_order", False),
        ("event_outside", False),
        ("nothing_left", True),
    ]
    assert decoder().decode(reply(), sample).value == events_of([])


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"event": "Handball"}, "not_schema"), ({"start_time": "soon"}, "not_schema"), ({"reason": "x"}, "unknown_field")],
)
def test_what_no_grammar_would_write_is_no_answer(changes: dict[str, str], code: str) -> None:
    found = decoder().decode(reply(raw(**changes)), Sample("x"))
    assert found.value is None and [p.code for p in found.problems] == [code]


def test_a_cut_reply_keeps_its_whole_events() -> None:
    text = decoder().encode(events_of([GOAL, GOAL]))
    found = decoder().decode(Generation(text[: len(text) - 30], "length", 1, 1), Sample("x"))
    assert found.value == events_of([GOAL])
    assert [p.code for p in found.problems] == ["truncated"]


def test_confidence_follows_the_events_that_stay() -> None:
    text = decoder().encode(events_of([GOAL, GOAL]))
    first = text.index("0:0:9")
    broken = text[:first] + "0:0:2" + text[first + 5 :]
    spans = tuple((i, i + 1) for i in range(len(broken)))
    places = [at for at in range(len(broken)) if broken.startswith("Goal", at)]
    logprobs = tuple(-1.0 if places[1] <= at < places[1] + 4 else 0.0 for at in range(len(broken)))
    found = decoder().decode(Generation(broken, "end", 1, len(broken), logprobs, spans), Sample("x"))
    assert found.value is not None and len(found.value) == 1
    assert found.confidence["0.event"] == pytest.approx(2.718281828**-4)
    assert "1.event" not in found.confidence


def test_the_grammar_ends_with_the_film() -> None:
    short = narrow(Sample("x", meta={"video_s": 9.2}))
    assert short is reply_of(10)
    times = short.model_json_schema()["$defs"]["Event"]["properties"]["end_time"]["enum"]
    assert times[-1] == "0:0:10" and len(times) == 11
    assert narrow(Sample("x")) is reply_of(30)


def test_prose_around_the_answer_is_an_engine_without_a_grammar() -> None:
    text = f"<think>hm</think>Here:\n```json\n{json.dumps({'all_events': [raw()]})}\n```"
    strict, lenient = decoder(), decoder(lenient=True)
    assert strict.decode(Generation(text, "end", 1, 1), Sample("x")).value is None
    found = lenient.decode(Generation(text, "end", 1, 1), Sample("x"))
    assert found.value == events_of([GOAL])
    assert {p.code for p in found.problems} == {"repaired"}


def test_the_task_is_registered_and_plans() -> None:
    known = task()
    assert known.result is Events and known.default_preset == "cosmos-reason1-7b"
    text = "\n".join(known.plan("cosmos-reason1-7b") if known.plan else ())
    assert "8,292,166,656 parameters" in text
    assert "60 x 8 x 12 = 5760 visual tokens" in text
    assert len(CLASSES) == 12
