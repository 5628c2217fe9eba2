"""Responses as generations: tokens with their probabilities and places, where a server tells them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.llms.openai.heads import GOOD, model, picture
from tests.llms.openai.loopback import chat, serving
from vlmkit.llms.openai.replied import reply_of


def token(text: str, logprob: float = -0.5, raw: list[int] | None = None) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode()) if raw is None else raw, "top_logprobs": []}


def told(text: str, pieces: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = chat(text, logprobs={"content": pieces}, **more).body
    return body


def test_tokens_have_places_and_probabilities_and_the_end_is_left_out() -> None:
    pieces = [token('{"a"', -0.1), token(":1}", -0.2), token("<|im_end|>", -0.3)]
    found = reply_of({**told('{"a":1}', pieces, token_ids=[4, 5, 2]), "prompt_token_ids": [9, 8, 7]})
    assert (found.text, found.stop, found.n_prompt, found.n_new) == ('{"a":1}', "end", 7, 2)
    assert found.spans == ((0, 4), (4, 7))
    assert found.logprobs == (-0.1, -0.2)
    assert (found.ids, found.prompt_ids) == ((4, 5), (9, 8, 7))


def test_characters_of_several_bytes_are_counted_in_bytes() -> None:
    found = reply_of(told("né", [token("n"), token("é")]))
    assert found.spans == ((0, 1), (1, 3))


def test_a_character_in_two_tokens_has_places_where_its_bytes_are_told() -> None:
    first, second = "é".encode()
    found = reply_of(told("é", [token("\ufffd", raw=[first]), token("\ufffd", raw=[second])]))
    assert found.spans == ((0, 1), (1, 2))


def test_a_character_in_two_tokens_that_is_told_with_the_last_one() -> None:
    body = told("aé.", [token("a", -1), token("", -2), token("é", -3), token(".", -4), token("", -5)])
    found = reply_of(body)
    assert found.spans == ((0, 1), (1, 3), (1, 3), (3, 4))
    assert found.logprobs == (-1, -2, -3, -4)  # the last token wrote nothing: it was the end


def test_a_character_that_was_cut_counts_and_wrote_nothing() -> None:
    found = reply_of(told("a", [token("a", -1), token("", -2)], finish="length", token_ids=[1, 2]))
    assert (found.spans, found.logprobs, found.ids) == (((0, 1), (1, 1)), (-1, -2), (1, 2))


@pytest.mark.parametrize(
    "pieces",
    [
        [token("\ufffd"), token("\ufffd")],
        [token("nè"), token("e")],
        [token("n")],
        [],
        ["n"],
        [{"token": "né", "logprob": "low"}],
        "none",
        None,
    ],
)
def test_what_does_not_spell_the_text_gives_no_probabilities(pieces: Any) -> None:
    found = reply_of(told("né", pieces, token_ids=[1, 2, 3]))
    assert (found.text, found.spans, found.logprobs) == ("né", (), ())
    assert found.ids == (1, 2)  # the end that vLLM counts among them is left out


def test_without_bytes_the_token_itself_spells() -> None:
    found = reply_of(told("ab", [{"token": "a", "logprob": -1}, {"token": "b", "logprob": -2, "bytes": None}]))
    assert (found.spans, found.logprobs) == (((0, 1), (1, 2)), (-1.0, -2.0))


def test_a_cut_reply_has_no_end_to_leave_out() -> None:
    found = reply_of(chat("ab", "length", token_ids=[1, 2]).body)
    assert (found.stop, found.ids, found.n_new) == ("length", (1, 2), 2)


def test_a_reply_that_was_all_thought_was_cut() -> None:
    found = reply_of(chat(None, "length").body)
    assert (found.text, found.stop, found.problem) == ("", "length", None)


def test_without_ids_the_server_counts() -> None:
    assert reply_of(chat("ab").body).n_new == 3
    assert reply_of({"choices": chat("ab").body["choices"], "usage": {"prompt_tokens": True}}).n_prompt == 0


def test_probabilities_become_confidence() -> None:
    pieces = [token('{"colour":"', -0.0), token("red", -0.25), token('","words":"a ball"}', -0.0), token("</s>")]
    with serving(chat(GOOD, logprobs={"content": pieces})) as server:
        (found,) = model(server.url).predict([picture()])
    assert found.problems == ()
    assert found.confidence["colour"] == pytest.approx(2.718281828**-0.25)
