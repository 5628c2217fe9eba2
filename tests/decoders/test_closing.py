from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from tests.decoders.shapes import MODELS, Frames, Hint, Match, Note, Span, compact, documents, fixed
from vlmkit.decoders.closing import close
from vlmkit.decoders.fit import build, faults
from vlmkit.decoders.scan import scan
from vlmkit.decoders.schema import bounded, shape_of


def is_cut_of(part: Any, whole: Any) -> bool:
    """Lists are prefixes with equal items, strings are prefixes, all else is equal."""
    if isinstance(whole, dict):
        return list(part) == list(whole) and all(is_cut_of(part[name], whole[name]) for name in whole)
    if isinstance(whole, list):
        return bool(part == whole[: len(part)])
    return whole.startswith(part) if isinstance(whole, str) else bool(part == whole)


@pytest.mark.parametrize("result", MODELS)
def test_every_cut_from_minimum_on_closes_and_no_cut_invents(result: type[BaseModel]) -> None:
    shape, minimum = shape_of(result), bounded(result).minimum

    @fixed
    @given(documents(shape))
    def check(data: Any) -> None:
        raw = compact(data).encode()
        for cut in range(len(raw) + 1):
            texts: set[str | bytes] = {raw[:cut], *(raw[:cut].decode(errors=how) for how in ("replace", "ignore"))}
            for text in texts:
                closed = close(text, result).text
                assert closed is not None or cut < minimum, (text, cut)
                if closed is not None:
                    piece = scan(closed)
                    assert not list(faults(piece, shape))
                    assert isinstance(build(piece.data(), result), result)
                    assert is_cut_of(piece.data(), data)

    check()


@pytest.mark.parametrize(
    ("result", "text", "closed", "dropped"),
    [
        (Match, '{"halves":2,"events":[', '{"halves":2,"events":[]}', "everything in events after 0 whole items"),
        (Match, '{"halves":2,"ev', None, "cut before events"),
        (Match, '{"halves":2', None, "cut inside halves, which has no meaning unless whole"),
        (Frames, "[1,2,12", "[1,2]", "everything in the list after 2 whole items"),
        (Frames, "[1,2,12,", "[1,2,12]", "everything in the list after 3 whole items"),
        (Frames, "[12", None, "cut after 0 of at least 1 items of the list"),
        (Hint, '{"code":1,"words":"é\\n\\', '{"code":1,"words":"é\\n"}', "the end of words after 2 characters"),
        (Hint, '{"code":1,"words":nul', None, "cut inside words, which has no meaning unless whole"),
        (Span, '{"operation":"Pa', None, "cut inside operation, which has no meaning unless whole"),
        (Hint, '{"code":1,"words":null}', '{"code":1,"words":null}', ""),
    ],
)
def test_what_is_kept_and_what_is_said(result: type[BaseModel], text: str, closed: str | None, dropped: str) -> None:
    assert close(text, result) == (closed, dropped)


def test_a_cut_event_is_dropped_whole() -> None:
    event = '{"kind":"goal","clock":"0:1:32","words":"é"}'
    text = f'{{"halves":2,"events":[{event},{event[:-3]}'
    assert close(text, Match).text == f'{{"halves":2,"events":[{event}]}}'


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_cut_inside_a_character(cut: int) -> None:
    raw = '{"sure":true,"share":0.5,"at":{"frame":1,"words":"a😀'.encode()[: cut - 4]
    kept = '{"sure":true,"share":0.5,"at":{"frame":1,"words":"a"}}'
    assert close(raw, Note).text == kept
    assert close(raw.decode(errors="replace"), Note).text == kept


@fixed
@given(st.text() | st.binary() | st.text('{}[]",:\\ud8 '), st.sampled_from(MODELS))
def test_total(text: str | bytes, result: type[BaseModel]) -> None:
    closed, dropped = close(text, result)
    assert closed is not None or dropped
