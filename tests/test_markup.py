"""What a notebook shows of a prediction: everything said, nothing of the user's taken for HTML."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from pydantic import BaseModel

from vlmkit.markup import LONGEST, clipped, flat, html_table, plain
from vlmkit.types import Prediction, Problem

EVIL = "<script>alert(1)</script>"


class Segment(BaseModel):
    """A part of an answer."""

    start: int
    end: int


@dataclass(frozen=True)
class Answer:
    """An answer that holds an answer."""

    label: str
    segment: Segment
    tags: tuple[str, ...] = ()


class Reader(HTMLParser):
    """Counts tags that are open, and keeps the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def card(prediction: Prediction[Any]) -> Reader:
    """The card, read; every tag of it is closed."""
    reader = Reader(prediction._repr_html_())
    assert reader.open == []
    return reader


def test_a_value_is_opened_by_dotted_paths() -> None:
    value = Answer("red", Segment(start=3, end=9), ("a", "b"))
    assert flat(value) == [("label", "red"), ("segment.start", "3"), ("segment.end", "9"), ("tags", "a, b")]
    assert flat([{"start": 1}, {"start": 2.5}]) == [("[0].start", "1"), ("[1].start", "2.5")]
    assert flat({"a": [], "b": None, "c": {}}) == [("a", "none"), ("b", "–"), ("c", "none")]
    assert flat("pass") == [("", "pass")]


def test_a_value_that_holds_itself_ends() -> None:
    loop: dict[str, Any] = {}
    loop["again"] = loop
    assert len(flat(loop)) == 1


def test_the_card_shows_value_confidences_and_where_it_comes_from() -> None:
    prediction = Prediction(
        "clip-7",
        Answer("red", Segment(start=3, end=9)),
        confidence={"label": 0.75, "reply": 0.5},
        uncalibrated={"label": 0.99, "reply": 0.98},
        used=("video", "text"),
        timing_s={"decode": 0.5, "generate": 1.0},
        provenance={"task": "colours", "preset": "tiny", "synthetic": True, "base": {"id": "runs/mine"}},
    )
    text = card(prediction).text
    for told in ("clip-7", "segment.start", "0.750", "0.990 before calibration", "video, text", "confidence 0.500"):
        assert told in text
    assert "colours · tiny · weights runs/mine · trained on synthetic data only · 1.50 s" in text
    assert "width:75%" in prediction._repr_html_()


def test_a_missing_answer_shows_its_reasons_fatal_first_and_what_was_written() -> None:
    problems = (Problem("short", "it is short", "audio"), Problem("unread", "no JSON", fatal=True))
    text = card(Prediction[Answer]("a", None, problems, raw="I think so")).text
    assert "no answer · seen: nothing" in text
    assert text.index("fatal unread") < text.index("note short (audio)")
    assert "I think so" in text
    assert "confidence" not in text


def test_a_confidence_of_a_field_without_a_leaf_is_shown_too() -> None:
    assert "overall" in card(Prediction("a", "pass", confidence={"overall": 0.25})).text


def test_nothing_of_the_users_becomes_html() -> None:
    problem = Problem(EVIL, EVIL, EVIL)
    reader = card(Prediction(EVIL, {EVIL: EVIL}, (problem,), {EVIL: 0.5}, provenance={"preset": EVIL}))
    assert "script" not in reader.tags
    assert reader.text.count(EVIL) >= 6
    assert "<script" not in html_table([EVIL], [[EVIL]])


def test_long_text_is_cut_and_its_length_said() -> None:
    assert clipped("x" * 100_000).endswith("… (100,000 characters)")
    assert clipped("x" * LONGEST) == "x" * LONGEST
    assert len(Prediction("a", "x" * 100_000)._repr_html_()) < 4_000


def test_many_fields_are_counted() -> None:
    assert "… and 160 more" in card(Prediction("a", {f"f{i}": i for i in range(200)})).text


def test_control_characters_and_lone_surrogates_are_shown_and_can_be_written() -> None:
    assert plain("a\x00b\udcffc\x85\n黄色 ערב") == "a␀b\\udcffc\\u0085\n黄色 ערב"
    Prediction("\udcff", "\x00\udcff")._repr_html_().encode()


def test_a_card_imports_the_standard_library_only() -> None:
    code = "import sys, vlmkit.markup; print(*sorted(m for m in sys.modules if m in {'numpy', 'pydantic', 'jinja2'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
