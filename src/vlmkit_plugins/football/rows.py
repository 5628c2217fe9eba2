"""Annotation files to rows: which film, which events, as they are written. Every shape in use, and nothing repaired.

A file is JSON (one document) or JSON Lines (one a line). A document is an array of events, an object that holds one
(`events`, `all_events`, `annotations`), a single event, a row for training (`completion`; `conversations` as LLaVA has
them; `messages` as TRL and ms-swift do), an array of any of these, or one of them as a string, fenced or in tags.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any

JsonObject = Mapping[str, Any]

FILM_KEYS = ("video", "videos", "video_path", "video_file")
_WRAPPERS = ("events", "all_events", "annotations", "truth")
_ANSWERS = ("completion", "conversations", "messages")
# What programs write about their own answers. To learn from it, or to score against it, would prove nothing.
_PREDICTED = frozenset(
    {"analysis", "generation_time", "inference_time", "model_info", "model_version", "raw_output", "raw_response"}
)
_EVENT_KEYS = frozenset({"event", "event_type", "event_class", "class", "description", "start_time", "startTime"})
_META_KEYS: Mapping[str, type | UnionType] = {"source": str, "offset_s": int | float, "subject": str, "group": str}
_MOST_WRAPPED = 4

_THOUGHT = re.compile(r"\A\s*<(think|thinking)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_TAGGED = re.compile(r"<(answer|json)>(?P<inner>.*)</\1>", re.DOTALL | re.IGNORECASE)
_FENCED = re.compile(r"```[\w+-]*\s*(?P<inner>.*)```", re.DOTALL)


@dataclass(frozen=True)
class Excluded:
    """Something that is no part of the data: where it stands, why by a short closed name, and why in words.

    Attributes:
        where: file and line, or file and place in its array, and the event's place in the row.
    """

    where: str
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.code}: {self.message}"


@dataclass(frozen=True)
class Row:
    """What one row says about one film.

    Attributes:
        film: as the row names it; None where the annotation file is called like its film.
        events: as they are written, each with its place.
        meta: what else it says.
        answers: whether it is a row for training: a question, and the events as the answer to it.
    """

    where: str
    id: str | None
    film: str | None
    events: tuple[tuple[str, Any], ...]
    meta: JsonObject = field(default_factory=dict)
    answers: bool = False


class NotJsonError(Exception):
    """Text that is no JSON document, nor one in fences or tags."""


def read_file(path: Path, name: str) -> Iterator[Row | Excluded]:
    """Every row of a file, or why there is none; `name` is how places call the file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        yield Excluded(name, "unreadable_file", "it cannot be read as UTF-8 text")
        return
    if path.suffix.lower() != ".jsonl":
        yield from _read(text, name)
        return
    objects = []
    # splitlines would also cut at U+2028, which JSON allows in strings
    for where, line in [(f"{name}:{number}", line) for number, line in enumerate(text.split("\n"), 1)]:
        if line.strip():
            try:
                value = _loads(line)
            except NotJsonError as error:
                yield Excluded(where, "not_json", str(error))
                continue
            if isinstance(value, dict):
                objects.append((where, value))
            else:
                yield from _read(line, where)
    if objects:
        yield from _listed(objects, name)


def _read(text: str, where: str) -> Iterator[Row | Excluded]:
    """The rows of one document."""
    try:
        value = unfenced(text)
        if isinstance(value, list):
            yield from _listed([(f"{where}[{place}]", item) for place, item in enumerate(value)], where)
        elif isinstance(value, dict):
            yield _row(value, where)
        else:
            yield Excluded(where, "not_annotations", f"wanted an object or an array; given {type(value).__name__}")
    except NotJsonError as error:
        yield Excluded(where, "not_json", str(error))


def unfenced(text: str) -> Any:
    """The JSON in a text, out of code fences, `<answer>` and `<json>` tags and behind thoughts.

    Prose around it, a document that is cut off, and several of them are refused: `NotJsonError`.
    """
    text = _THOUGHT.sub("", text).strip()
    for _ in range(_MOST_WRAPPED):
        found = _TAGGED.fullmatch(text) or _FENCED.fullmatch(text)
        if found is None:
            break
        text = found["inner"].strip()
    value = _loads(text)
    return unfenced(value) if isinstance(value, str) and len(value) < len(text) else value


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise NotJsonError(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except (RecursionError, ValueError):  # a number of thousands of digits, too
        raise NotJsonError("nested too deep, or a number too long") from None


def _is_row(item: Any) -> bool:
    return isinstance(item, dict) and any(key in item for key in (*FILM_KEYS, *_ANSWERS))


def _listed(items: Sequence[tuple[str, Any]], where: str) -> Iterator[Row | Excluded]:
    """Events of one film, or rows. Single events of one film that stand side by side are that film's one row."""
    if not any(_is_row(item) for _, item in items):
        if items and not any(isinstance(item, dict) and _is_event(item) for _, item in items):
            yield Excluded(where, "not_annotations", "none of its items is an event")
        else:
            yield Row(where, None, None, tuple(items))
        return
    flat: dict[str, list[tuple[str, JsonObject]]] = {}
    for at, item in items:
        film = _film(item) if _is_row(item) else None
        if not _is_row(item):
            yield Excluded(at, "no_film", "it names no film, as others beside it do")
        elif isinstance(film, str) and _is_event(item) and not _holds_events(item) and not _PREDICTED & set(item):
            flat.setdefault(film, []).append((at, item))
        else:
            try:
                yield _row(item, at)
            except NotJsonError as error:
                yield Excluded(at, "not_json", str(error))
    for film, events in flat.items():
        ids = {_name(item) for _, item in events}
        name = ids.pop() if len(ids) == 1 else None
        yield Row(events[0][0], name, film, tuple((at, _bare(item)) for at, item in events))


def _name(item: JsonObject) -> str | None:
    name = item.get("id")
    halves = any("\ud800" <= letter <= "\udfff" for letter in str(name))  # of a character: no file holds them
    return str(name) if _is_a(name, str | int) and name != "" and not halves else None


def _bare(item: JsonObject) -> JsonObject:
    """An event that names its film, without that."""
    return {key: value for key, value in item.items() if key not in (*FILM_KEYS, "id")}


def _row(item: JsonObject, where: str) -> Row | Excluded:
    if predicted := sorted(_PREDICTED & set(item)):
        return Excluded(where, "prediction", f"{', '.join(predicted)}: it is what a model answered, not what is true")
    if not (_holds_events(item) or _is_event(item)):
        return Excluded(where, "not_annotations", f"it holds no events; it has the keys {sorted(item)[:8]}")
    film = _film(item)
    if isinstance(film, int):
        return Excluded(where, "several_films", f"it is about {film} films; wanted one")
    events = _events(item) if _holds_events(item) else [_bare(item)]
    if isinstance(events, str):
        return Excluded(where, "no_answer", events)
    meta = _meta(item) if _holds_events(item) else {}
    placed = tuple((f"{where} event {place}", event) for place, event in enumerate(events))
    answers = any(key in item for key in _ANSWERS)
    return Row(where, _name(item), film, placed, meta, answers)


def _holds_events(item: JsonObject) -> bool:
    return any(key in item for key in _ANSWERS) or any(isinstance(item.get(key), list | str) for key in _WRAPPERS)


def _is_event(item: JsonObject) -> bool:
    return bool(_EVENT_KEYS & set(item))


def _film(item: JsonObject) -> str | int | None:
    """The film's name; the number of films where it is not one; None where no film is named."""
    named = next((item[key] for key in FILM_KEYS if item.get(key)), None)
    films = named if isinstance(named, list) else [] if named is None else [named]
    if len(films) > 1:
        return len(films)
    return films[0] if films and isinstance(films[0], str) else None


def _events(item: JsonObject) -> list[Any] | str:
    """Events as they are written, or why there are none."""
    answer: Any = item
    for key in _ANSWERS:
        if key in item:
            answer = item[key] if key == "completion" else _said(item[key])
            if isinstance(answer, list) and key != "completion":
                return f"{len(answer)} answers in one conversation; wanted one"
            break
    for _ in range(_MOST_WRAPPED):
        if isinstance(answer, str):
            answer = unfenced(answer)
        if isinstance(answer, list):
            return answer
        if not isinstance(answer, dict):
            return f"wanted events as the answer; given {type(answer).__name__}"
        wrapper = next((key for key in _WRAPPERS if isinstance(answer.get(key), list | str)), None)
        if wrapper is None:
            return [answer]
        answer = answer[wrapper]
    return "its events are wrapped too deep"


def _is_a(value: Any, kinds: type | UnionType) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


def _said(turns: Any) -> str | list[str]:
    """What the model is to say: one text, or all of them where they are not one."""
    said = []
    for turn in turns if isinstance(turns, list) else []:
        if isinstance(turn, dict) and turn.get("role", turn.get("from")) in ("assistant", "gpt", "model"):
            content = turn.get("content", turn.get("value"))
            parts = content if isinstance(content, list) else [content]
            texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
            said.append("".join(text for text in texts if isinstance(text, str)))
    return said[0] if len(said) == 1 else said


def _meta(item: JsonObject) -> dict[str, Any]:
    """What a row says beside film and events: its own meta, and whatever else under `row`."""
    meta: dict[str, Any] = {}
    for key in ("metadata", "meta"):
        given = item.get(key)
        if isinstance(given, str):  # a column of a table is text, so that it has one type in every row
            try:
                given = json.loads(given)
            except ValueError:
                continue
        meta |= given if isinstance(given, dict) else {}
    known = {key: item[key] for key, kinds in _META_KEYS.items() if _is_a(item.get(key), kinds)}
    meta |= known
    used = {"id", "meta", "metadata", "prompt", *FILM_KEYS, *_WRAPPERS, *_ANSWERS, *known}
    rest = {key: item[key] for key in item if key not in used}
    return {**meta, "row": rest} if rest else meta
