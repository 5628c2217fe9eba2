"""Models of replies, and legal documents of any shape drawn at random."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from hypothesis import settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, RootModel

from vlmkit.decoders.shape import Choice, Many, Maybe, Number, Record, Shape, Text
from vlmkit.types import Generation, Sample, Stop

SAMPLE = Sample("s")
fixed = settings(derandomize=True, deadline=None, max_examples=60)

Frame = Annotated[int, Field(ge=0, le=125)]


class Segment(BaseModel):
    start_frame: Frame
    end_frame: Frame


class Span(BaseModel):
    """Flat, like the warehouse's: nothing in it can be cut."""

    operation: Literal["Pack", "Wrap", "포장"]
    segment: Segment
    following: Literal["Pack", "Wrap"] | None = None


class Event(BaseModel):
    kind: Literal["goal", "foul"]
    clock: Annotated[str, Field(max_length=7, pattern=r"^[0-9]:[0-5]?[0-9]:[0-5]?[0-9]$")]
    words: Annotated[str, Field(max_length=6)]


class Match(BaseModel):
    """Closable: its list stands last."""

    halves: Annotated[int, Field(ge=-2, le=20)]
    events: Annotated[list[Event], Field(max_length=2)]


class Place(BaseModel):
    frame: Frame
    words: Annotated[str, Field(min_length=1, max_length=9)]


class Note(BaseModel):
    """Closable inside a nested free string."""

    sure: bool
    share: Annotated[float, Field(ge=0, le=1, multiple_of=0.01)]
    at: Place


class Hint(BaseModel):
    """Closable inside an optional free string."""

    code: Literal[1, 22]
    words: Annotated[str, Field(max_length=5)] | None


class Verdict(BaseModel):
    """Its two choices have to go together: alarms are 2 or 3, calm is 1, and only what is unknown is null."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"properties": {"mood": {"enum": ["fire", "flood"]}, "level": {"enum": [2, 3]}}},
                {"properties": {"mood": {"const": "calm"}, "level": {"enum": [1]}}},
                {"properties": {"mood": {"enum": ["unknown"]}, "level": {"const": None}}},
            ]
        }
    )

    mood: Literal["fire", "flood", "calm", "unknown"]
    seen: bool
    level: Literal[1, 2, 3, None]


class Alarm(BaseModel):
    """A rule inside a record that can be closed in its last string."""

    verdict: Verdict
    words: Annotated[str, Field(max_length=6)]


Frames = RootModel[Annotated[list[Frame], Field(min_length=1, max_length=4)]]

MODELS: tuple[type[BaseModel], ...] = (Span, Match, Note, Hint, Frames, Verdict, Alarm)

# What the grammar can write: no control character but those with a two-byte escape.
_LEGAL = st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('\b\f\n\r\t"\\é图😀')


def documents(shape: Shape) -> st.SearchStrategy[Any]:
    """Data of any document that the grammar of a shape can write."""
    match shape:
        case Choice(values):
            return st.sampled_from(values)
        case Number(low, high, places):
            scale = 10**places
            numbers = st.integers(int(low * scale), int(high * scale))
            return numbers.map(lambda n: n / scale) if places else numbers
        case Text(fewest, most, None):
            return st.text(_LEGAL, min_size=fewest, max_size=most)
        case Text():
            return st.from_regex(str(shape.pattern), fullmatch=True).filter(lambda text: len(text) <= shape.most)
        case Many(item, fewest, most):
            return st.lists(documents(item), min_size=fewest, max_size=most)
        case Record(cases=(_, *_) as cases):
            return st.sampled_from(cases).flatmap(documents)
        case Record(fields):
            names = [name for name, _ in fields]
            # Not fixed_dictionaries: it shuffles, and the grammar's order is part of the document.
            return st.tuples(*(documents(field) for _, field in fields)).map(
                lambda data: dict(zip(names, data, strict=True))
            )
        case Maybe(some):
            return st.none() | documents(some)


def compact(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def reply(text: str, stop: Stop = "end") -> Generation:
    return Generation(text, stop, n_prompt=1, n_new=len(text))
