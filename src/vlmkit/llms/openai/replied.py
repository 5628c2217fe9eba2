"""A server's response as a `Generation`. Nothing in it is trusted to be there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vlmkit.llms.openai.client import failed, line, reason
from vlmkit.types import Generation, Problem, Stop

_BROKE_OFF = frozenset({"abort", "error", "cancelled"})
"""Ends of replies that are no ends; the first two are vLLM's."""


def reply_of(response: object) -> Generation:
    """What was written; a `Generation` with a problem where the response holds no reply.

    Args:
        response: the body as plain JSON data.
    """
    choice = _first(response)
    if choice is None or not isinstance(response, Mapping):
        why = response.get("error") if isinstance(response, Mapping) else None
        told = f": {reason(why)}" if why else ""  # of gateways that say it with HTTP 200
        return without(failed(f"the server answered something that is no chat completion{told}"))
    message = choice.get("message")
    message = message if isinstance(message, Mapping) else {}
    usage = response.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    end = choice.get("finish_reason")
    if message.get("refusal") or end == "content_filter":
        words = line(message.get("refusal") or "content filter")
        return without(Problem("engine_refused", f"the server declined to answer: {words}", "engine", fatal=True))
    if isinstance(end, str) and end in _BROKE_OFF:
        return without(failed(f"the server broke off its reply (finish_reason {end!r})"))
    text = message.get("content")
    if not isinstance(text, str) and end != "length":
        return without(failed(f"the server's reply holds no text (finish_reason {line(repr(end))})"))
    text = text if isinstance(text, str) else ""
    if _halves(text):
        return without(failed("the server's reply holds halves of characters, which are no text"))
    stop: Stop = "length" if end == "length" else "end"
    spans, logprobs = _spelled(text, choice.get("logprobs"), cut=stop == "length")
    ids = _kept(_ids(choice.get("token_ids")), choice)
    return Generation(
        text=text,
        stop=stop,
        n_prompt=_count(usage.get("prompt_tokens")),
        n_new=len(ids) or len(spans) or _count(usage.get("completion_tokens")),
        logprobs=logprobs,
        spans=spans,
        prompt_ids=_ids(response.get("prompt_token_ids")),
        ids=ids,
    )


def without(problem: Problem) -> Generation:
    """No reply, and why."""
    return Generation("", "failed", 0, 0, problem=problem)


def _halves(text: str) -> bool:
    return any("\ud800" <= sign <= "\udfff" for sign in text)


def _first(response: object) -> Mapping[str, Any] | None:
    choices = response.get("choices") if isinstance(response, Mapping) else None
    first = choices[0] if isinstance(choices, Sequence) and not isinstance(choices, str) and choices else None
    return first if isinstance(first, Mapping) else None


def _spelled(text: str, told: object, *, cut: bool) -> tuple[tuple[tuple[int, int], ...], tuple[float, ...]]:
    """Byte ranges and log-probabilities of the tokens of `text`; none where they do not spell it.

    The end token comes last, and is left out. Of a character in several tokens vLLM tells the bytes with the last one:
    all of them get its range.
    """
    tokens = told.get("content") if isinstance(told, Mapping) else None
    whole = text.encode()
    spans: list[tuple[int, int]] = []
    logprobs: list[float] = []
    waiting: list[float] = []
    at = 0
    for token in tokens if isinstance(tokens, list) else []:
        piece, logprob = _piece(token)
        if logprob is None or at + len(piece) > len(whole):
            break
        if whole[at : at + len(piece)] != piece:
            return (), ()
        waiting.append(logprob)
        if piece:
            spans += [(at, at + len(piece))] * len(waiting)
            logprobs += waiting
            waiting = []
            at += len(piece)
    if at < len(whole):
        return (), ()
    left = waiting if cut else []  # of a character that was cut; where nothing was, of the end
    return (*spans, *[(at, at)] * len(left)), (*logprobs, *left)


def _piece(token: object) -> tuple[bytes, float | None]:
    if not isinstance(token, Mapping):
        return b"", None
    logprob = token.get("logprob")
    number = float(logprob) if isinstance(logprob, int | float) and not isinstance(logprob, bool) else None
    told = token.get("bytes")
    if isinstance(told, list) and all(isinstance(byte, int) and 0 <= byte < 256 for byte in told):
        return bytes(told), number
    return str(token.get("token") or "").encode(), number


def _kept(ids: tuple[int, ...], choice: Mapping[str, Any]) -> tuple[int, ...]:
    """New tokens without the end token, which vLLM counts among them."""
    ended = choice.get("finish_reason") == "stop" and choice.get("stop_reason") is None
    return ids[:-1] if ended else ids


def _ids(told: object) -> tuple[int, ...]:
    good = isinstance(told, list) and all(isinstance(one, int) and not isinstance(one, bool) for one in told)
    return tuple(told) if good and isinstance(told, list) else ()


def _count(told: object) -> int:
    return told if isinstance(told, int) and not isinstance(told, bool) and told >= 0 else 0
