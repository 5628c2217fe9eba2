"""What a server can do wrong, each of it done by a real one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from tests.llms.openai.heads import GOOD, Seen, engine, model, picture
from tests.llms.openai.loopback import Answer, chat, error, serving
from vlmkit.types import Prediction


def ask(answer: Any, **server: Any) -> tuple[Prediction[Seen], int]:
    with serving(answer) as told:
        (found,) = model(told.url, **server).predict([picture()])
        return found, len(told.asked)


def problem(found: Prediction[Seen]) -> tuple[str, str]:
    (only,) = found.problems
    assert found.value is None and only.fatal and only.where == "engine"
    return only.code, only.message


def test_a_good_reply() -> None:
    found, attempts = ask(chat(GOOD))
    assert found.value == Seen(colour="red", words="a ball")
    assert (found.problems, found.used, found.raw, attempts) == ((), ("image",), GOOD, 1)


@pytest.mark.parametrize(
    ("reply", "repair"),
    [
        (f"```json\n{GOOD}\n```", "removed a code fence"),
        (f"Of course! Here it is: {GOOD} Anything else?", "ignored the text around the document"),
        (f"<think>a ball?</think>{GOOD}", "removed the model's thoughts"),
    ],
)
def test_prose_is_read_tolerantly_and_says_so(reply: str, repair: str) -> None:
    found, _ = ask(chat(reply))
    assert found.value == Seen(colour="red", words="a ball")
    assert [(one.code, one.message) for one in found.problems] == [("repaired", repair)]


def test_prose_without_a_document_is_no_answer() -> None:
    found, _ = ask(chat("I cannot see any ball."))
    assert found.value is None
    assert [one.code for one in found.problems] == ["not_json"]


def test_a_truncated_reply_says_so() -> None:
    found, _ = ask(chat('{"colour":"red","wor', "length"))
    assert found.value is None
    assert [one.code for one in found.problems] == ["truncated"]


def test_a_busy_server_is_asked_again_when_it_says() -> None:
    def busy(number: int, body: Mapping[str, Any]) -> Answer:
        return error(429, "slow down", retry_after_ms="300") if number == 0 else chat(GOOD)

    start = time.monotonic()
    found, attempts = ask(busy)
    assert (found.value, attempts) == (Seen(colour="red", words="a ball"), 2)
    assert time.monotonic() - start >= 0.3


def test_a_server_that_stays_busy_is_a_problem() -> None:
    found, attempts = ask(error(429, "slow down"), retries=2)
    assert attempts == 3
    assert problem(found) == ("engine_failed", "the server answered HTTP 429: slow down")


def test_a_broken_server_is_a_problem_after_the_last_retry() -> None:
    found, attempts = ask(error(500, "out of memory"), retries=3)
    assert attempts == 4
    assert problem(found) == ("engine_failed", "the server answered HTTP 500: out of memory")


def test_a_dropped_connection_is_tried_again() -> None:
    def dropping(number: int, body: Mapping[str, Any]) -> Answer:
        return Answer(drop=True) if number == 0 else chat(GOOD)

    found, attempts = ask(dropping)
    assert (found.value, attempts) == (Seen(colour="red", words="a ball"), 2)


def test_a_connection_that_is_always_dropped_is_a_problem() -> None:
    found, attempts = ask(Answer(drop=True), retries=0)
    code, message = problem(found)
    assert (code, attempts) == ("engine_failed", 1)
    assert message.startswith("the connection to the server failed (") and message.endswith(", in 1 attempts")


def test_a_slow_server_is_a_problem() -> None:
    slow = Answer(chat(GOOD).body, delay_s=5.0)
    with serving(slow) as told:
        made = model(told.url, retries=0, timeout_s=0.5)
        start = time.monotonic()
        (found,) = made.predict([picture()])
        assert time.monotonic() - start < 4
    assert problem(found) == ("engine_failed", "no response within 0.5 s, in 1 attempts")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_a_retry_cannot_help_is_not_tried_again(status: int) -> None:
    found, attempts = ask(error(status, "go away"), retries=3)
    assert attempts == 1
    assert problem(found) == ("engine_refused", f"the server answered HTTP {status}: go away")


def test_a_bad_request_is_said_in_the_servers_words() -> None:
    # the second attempt is the bare question, as the refusal does not say what it is about
    found, attempts = ask(error(400, "the picture is\n\x1b[2Jtoo large " + "!" * 400))
    code, message = problem(found)
    assert (code, attempts) == ("engine_refused", 2)
    assert message.startswith("the server answered HTTP 400: the picture is [2Jtoo large !!!")
    assert message.endswith("!…") and len(message) < 340


@pytest.mark.parametrize(
    "answer",
    [
        Answer("<html>Welcome</html>"),
        Answer({"object": "chat.completion"}),
        Answer({"choices": []}),
        Answer({"choices": "none"}),
        Answer({"choices": [7]}),
        Answer([1, 2]),
        Answer("{", headers={"content-type": "application/json"}),
        Answer("[" * 100_000, headers={"content-type": "application/json"}),
    ],
)
def test_what_is_no_completion_is_a_problem(answer: Answer) -> None:
    found, _ = ask(answer)
    code, message = problem(found)
    assert code == "engine_failed"
    assert message.startswith("the server answered something that is no ")


@pytest.mark.parametrize("message", [None, "text", {"content": 7}, {"content": None}, {}])
def test_a_reply_without_text_is_a_problem(message: Any) -> None:
    found, _ = ask(Answer({"choices": [{"message": message, "finish_reason": "tool_calls"}]}))
    assert problem(found) == ("engine_failed", "the server's reply holds no text (finish_reason 'tool_calls')")


def test_a_failure_with_status_200_is_said_in_the_servers_words() -> None:
    found, _ = ask(Answer({"error": {"message": "upstream is\noverloaded", "code": 502}}))
    told = "the server answered something that is no chat completion: upstream is overloaded"
    assert problem(found) == ("engine_failed", told)


@pytest.mark.parametrize("end", ["abort", "error", "cancelled"])
def test_a_reply_that_the_server_broke_off_is_no_answer(end: str) -> None:
    for text in (GOOD, GOOD[:-3]):  # the tolerant reader would close it
        found, _ = ask(chat(text, end))
        assert problem(found) == ("engine_failed", f"the server broke off its reply (finish_reason {end!r})")


def test_an_end_that_is_no_word_harms_nothing() -> None:
    found, _ = ask(chat(GOOD, ["stop"]))  # type: ignore[arg-type]
    assert found.value is not None


def test_halves_of_characters_spoil_one_reply_only() -> None:
    def half(number: int, body: Mapping[str, Any]) -> Answer:
        bad = "bad" in body["messages"][1]["content"][-1]["text"]
        return chat(GOOD.replace("ball", "\ud83d") if bad else GOOD)

    with serving(half) as told:
        first, second = model(told.url).predict([picture("a", "bad"), picture("b", "good")])
    assert problem(first) == ("engine_failed", "the server's reply holds halves of characters, which are no text")
    assert second.value is not None


def test_a_refusal_of_the_model_is_a_problem() -> None:
    body = chat(None).body
    body["choices"][0]["message"]["refusal"] = "I will not."
    found, _ = ask(Answer(body))
    assert problem(found) == ("engine_refused", "the server declined to answer: I will not.")


def test_a_filtered_reply_is_a_problem() -> None:
    found, _ = ask(chat("", "content_filter"))
    assert problem(found) == ("engine_refused", "the server declined to answer: content filter")


def test_one_bad_request_spoils_nothing_and_order_is_kept() -> None:
    def by_text(number: int, body: Mapping[str, Any]) -> Answer:
        words = body["messages"][1]["content"][-1]["text"]
        if "bad" in words:
            return error(400, "nothing but trouble")
        delay = 0.2 if "first" in words else 0.0
        return Answer(chat(GOOD.replace("a ball", words[-6:])).body, delay_s=delay)

    with serving(by_text) as told:
        made = model(told.url)
        given = [picture("a", "first "), picture("b", "bad   "), picture("c", "third ")]
        found = made.predict(given)
    assert [one.sample_id for one in found] == ["a", "b", "c"]
    assert [one.value and one.value.words for one in found] == ["first ", None, "third "]
    assert problem(found[1])[0] == "engine_refused"


@pytest.mark.parametrize("concurrency", [1, 3])
def test_no_more_requests_than_allowed_are_under_way(concurrency: int) -> None:
    slow = Answer(chat(GOOD).body, delay_s=0.05)
    with serving(slow) as told:
        made = model(told.url, concurrency=concurrency)
        found = made.predict([picture(str(i)) for i in range(9)])
        assert all(one.value for one in found)
        assert engine(made).server.concurrency == concurrency
        assert told.at_once == concurrency
