"""The typed answer about match video, its closed vocabulary, and the JSON that the task promises.

Times are text, `H:M:S` without leading zeros (`0:1:32`), in whole seconds since the clip starts; events are half-open,
[start, end). In an answer about a longer film they count from the film's start.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, RootModel, ValidationError, create_model

from vlmkit.decoders.json import Sieved
from vlmkit.errors import DataError
from vlmkit.times import hms, parse_time
from vlmkit.types import Prediction, Problem, Sample

FPS = 4.0
"""Frames a second that the model looks at: what Cosmos-Reason1 was trained with."""
WINDOW_S = 30.0
"""The longest film that is asked about in one go."""
STEP_S = 20.0
"""From the start of one window of a longer film to the start of the next."""
MOST_IN_WINDOW = 16
"""Events in one reply."""
MOST_IN_SESSION = 4096
"""Events in the answer about a longer film."""

EventClass = Literal[
    "Goal",
    "Penalty Shot",
    "Red Card",
    "Yellow Card",
    "Corner Kick",
    "Free Kick",
    "Throw In",
    "Offside",
    "Goal Line Event",
    "Woodworks",
    "Shot on Target",
    "Hat Trick",
]
CLASSES: tuple[EventClass, ...] = get_args(EventClass)

LONGEST = 300
"""Characters of a description."""

Description = Annotated[str, Field(min_length=1, max_length=LONGEST)]
Clock = Annotated[
    str,
    Field(pattern=r"^[0-9]{1,2}:[0-5]?[0-9]:[0-5]?[0-9]$", max_length=8),
    AfterValidator(lambda text: hms(parse_time(text))),  # 0:01:32 is read, and written as 0:1:32
]


class Event(BaseModel):
    """One event: what happens, who does it, and when."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    description: Description
    start_time: Clock
    end_time: Clock
    event: EventClass

    @property
    def start_s(self) -> float:
        """Seconds."""
        return parse_time(self.start_time, "start_time")

    @property
    def end_s(self) -> float:
        """Seconds; the event is over then."""
        return parse_time(self.end_time, "end_time")

    def shifted(self, seconds: float) -> Event:
        """The same event on a clock that is `seconds` ahead."""
        moved = {name: hms(at + seconds) for name, at in (("start_time", self.start_s), ("end_time", self.end_s))}
        return self.model_copy(update=moved)


class Events(RootModel[Annotated[tuple[Event, ...], Field(max_length=MOST_IN_SESSION)]]):
    """All events of a film in the order of the answer; empty where nothing happens."""

    model_config = ConfigDict(frozen=True)
    _left_out: int = PrivateAttr(default=0)

    @property
    def left_out(self) -> int:
        """Events that were answered besides, and are none: without a class of ours, a time, or a length.

        Only answers out of files have any. They are scored as false alarms.
        """
        return self._left_out

    def __len__(self) -> int:
        return len(self.root)

    def __iter__(self) -> Iterator[Event]:  # type: ignore[override]  # pydantic's own gives fields, here "root"
        return iter(self.root)

    def __getitem__(self, place: int) -> Event:
        return self.root[place]


def events_of(items: Sequence[Event], left_out: int = 0) -> Events:
    """An answer of these events, and of so many that are none."""
    found = Events(tuple(items))
    found._left_out = left_out
    return found


@cache
def reply_of(seconds: int) -> type[BaseModel]:
    """The schema of a reply about a film of so many whole seconds: no event lies outside it."""
    moment = Literal[tuple(hms(second) for second in range(seconds + 1))]  # type: ignore[valid-type]
    fields = {name: (info.annotation, ...) for name, info in Event.model_fields.items()}
    times = {"start_time": (moment, ...), "end_time": (moment, ...)}
    event = create_model("Event", **{**fields, "description": (Description, ...), **times})  # type: ignore[call-overload]
    return create_model("Events", __base__=RootModel[Annotated[tuple[event, ...], Field(max_length=MOST_IN_WINDOW)]])  # type: ignore[valid-type]


def sieve(value: Events, sample: Sample) -> Sieved[Events]:
    """Without the events that cannot be: they end before they start, or lie outside the film, as far as it is known."""
    length = sample.meta.get("video_s")
    kept, problems = [], []
    for place, event in enumerate(value.root):
        wrong = _wrong(event, None if length is None else float(length))
        if wrong is None:
            kept.append(place)
            continue
        code, why = wrong
        text = f"event {place} ({event.event}, {event.start_time} to {event.end_time}) {why}; it was left out"
        problems.append(Problem(code, text, f"{place}.end_time"))
    return Sieved(events_of([value[place] for place in kept]), tuple(kept), tuple(problems))


def _wrong(event: Event, length: float | None) -> tuple[str, str] | None:
    if event.start_s >= event.end_s:
        return "event_order", "does not start before it ends"
    if length is not None and event.end_s > math.ceil(length - 1e-6):
        return "event_outside", f"ends after the film, which lasts {length:.3f} s"
    return None


def to_json(prediction: Prediction[Events]) -> Any:
    """The promised array of events; where there is no answer, an object with the problems and no event."""
    if prediction.value is None:
        return {"problems": [{"code": p.code, "message": p.message, "where": p.where} for p in prediction.problems]}
    return prediction.value.model_dump(mode="json")


def line(prediction: Prediction[Events]) -> dict[str, Any]:
    """The same as one of many lines: `{"id", "events"}`, or `{"id", "problems"}`; with `left_out` where it is not 0."""
    told, value = to_json(prediction), prediction.value
    left_out = {"left_out": value.left_out} if value is not None and value.left_out else {}
    return {"id": prediction.sample_id, **(told if isinstance(told, dict) else {"events": told}), **left_out}


def from_json(record: Any) -> tuple[str, Events]:
    """A promised array, which has no id; or `{"id", "events"}`, as a line among others has it.

    Raises `DataError` naming the event and the field that is wrong.
    """
    if isinstance(record, Mapping):
        name = record.get("id")
        if not isinstance(name, str) or not name or "events" not in record:
            raise DataError(f"wanted an array of events, or an object of id and events; given keys {sorted(record)}")
        found = parse_events(record["events"], name)
        return name, events_of(found.root, left_out_of(record, name))
    return "", parse_events(record, "events")


def left_out_of(record: Mapping[str, Any], where: str) -> int:
    """How many events a line says were left out of it. Raises `DataError`, which begins with `where`, for no number."""
    n = record.get("left_out", 0)
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise DataError(f"{where}: left_out: wanted how many events are none, 0 or more; given {n!r}")
    return n


def parse_events(items: Any, where: str) -> Events:
    """Strictly as promised. Raises `DataError` naming `where`, the event and the field that is wrong."""
    if not isinstance(items, list | tuple):
        raise DataError(f"{where}: wanted an array of events; given {type(items).__name__}")
    found = []
    for place, item in enumerate(items):
        try:
            event = Event.model_validate(item)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or "event"
            raise DataError(f"{where}: event {place}: {name}: {first['msg']}; given {first['input']!r}") from None
        if wrong := _wrong(event, None):
            raise DataError(f"{where}: event {place}: it {wrong[1]}; given {event.start_time} to {event.end_time}")
        found.append(event)
    return events_of(found)
