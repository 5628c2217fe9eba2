from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.decoders.shapes import compact, fixed
from vlmkit.decoders.scan import MalformedError, Piece, Scanner, scan

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@fixed
@given(st.lists(JSON), st.sampled_from([None, 2]), st.booleans())
def test_reads_what_json_writes_strictly_and_tolerantly(data: Any, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(data, indent=indent, ensure_ascii=ascii_only)
    assert scan(text).data() == data
    tolerant = Scanner(text, tolerant=True)
    assert tolerant.value().data() == data
    assert not tolerant.repairs


@fixed
@given(st.lists(JSON, min_size=1), st.integers(0, 10**6))
def test_any_beginning_is_a_beginning(data: Any, cut: int) -> None:
    text = compact(data)
    text = text[: 1 + cut % (len(text) - 1)]
    assert not scan(text).whole


@fixed
@given(st.text() | st.text("{}[]\",:\\utrefalsn0123-.eE \n'“”"))
def test_any_text_is_read_or_malformed(text: str) -> None:
    for tolerant in (False, True):
        with contextlib.suppress(MalformedError):
            assert isinstance(Scanner(text, tolerant=tolerant).value(), Piece)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{} {}",
        "[1,]",
        "[1 2]",
        "{'a':1}",
        '{"a":1,"a":2}',
        "[01]",
        "[1.]",
        "[+1]",
        "[NaN]",
        "[True]",
        '["\n"]',
        r'["\x"]',
        "[1e999]",
        "[" + "9" * 5000 + "]",
        "[" * 100,
    ],
)
def test_strict_refuses(text: str) -> None:
    with pytest.raises(MalformedError):
        scan(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('["ab\\', "ab"),
        ('["ab\\u12', "ab"),
        ('["ab\\ud83d', "ab"),
        ('["ab\\ud83d\\ude0', "ab"),
        ('["ab\\ud83d\\ude00', "ab😀"),
        ('["ab\ufffd\ufffd', "ab"),
        ('["', ""),
        ("[12", None),
        ("[tru", None),
    ],
)
def test_a_cut_value_keeps_whole_characters(text: str, value: object) -> None:
    (item,) = scan(text).value
    assert (item.whole, item.value) == (False, value)


def test_pieces_know_where_they_stand() -> None:
    text = '{ "a" : [1, "é"] }'
    items = scan(text).value["a"].value
    assert [text[item.start : item.end] for item in items] == ["1", '"é"']
