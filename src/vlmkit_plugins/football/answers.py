"""Answers out of files, in every shape that programs around this task have written.

Read are a run (`batch_analysis_results.json`, `all_analyses.json`), one film's `<stem>_analysis.json`, a folder of
those, and what `vlmkit predict` prints: one array of events, lines of `{"id", "events"}`, or records. An answer that
could not be given, or read, is told as one, with its reason; times and names of classes may have any form.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from vlmkit.decoders.confidence import renumbered
from vlmkit.errors import DataError
from vlmkit.task import Answered
from vlmkit.types import Problem
from vlmkit_plugins.football.rows import Excluded, NotJsonError, unfenced
from vlmkit_plugins.football.schema import LONGEST, Event, Events, events_of, left_out_of
from vlmkit_plugins.football.written import read_event

RUN = "batch_analysis_results.json"
RUNS = (RUN, "all_analyses.json")
SUFFIX = "_analysis.json"
_LINES = "predictions.jsonl"
_FILMS = ("video_path", "video_file", "video")
_IDS = ("id", "sample_id")
_BODIES = ("analysis", "events", "all_events", "value")
_OF_ROWS = (*_FILMS, *_IDS, *_BODIES)
_LONGEST_S = 359_999.0  # 99:59:59, the last second that the schema can write
_MOST_TOLD = 5  # reasons, and events of each, that one message spells out
_MOST_WRAPPED = 4


def read(path: Path) -> list[Answered[Events]]:
    """Every answer of a file or folder, in its order.

    A folder's films come first, in the order of their names, and then those that only its run file knows. Events that
    cannot be read, or cannot be (without a class of the ontology, a time, or a length), are left out of an answer:
    `Events.left_out` counts them, and its problem names them. Descriptions that are too long are cut; it says so.

    Raises `DataError` for a path that is missing, that holds no answers, or text that is no JSON, except in a file of a
    folder: that one is an answer that could not be read.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder of answers")
    return _folder(path) if path.is_dir() else list(_file(path))


def _folder(folder: Path) -> list[Answered[Events]]:
    found: list[Answered[Events]] = []
    broken: list[Answered[Events]] = []
    for file in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            found += _file(file)
        except DataError as error:
            broken.append(_none(_stem(file), "file", "not_json", str(error)))
    for name in (*RUNS, _LINES):
        known = {one.key for one in found}
        if (folder / name).is_file():
            found += [one for one in _file(folder / name) if one.key not in known]
    stems = {Path(one.key).stem for one in found}
    found += [one for one in broken if one.key not in stems]  # the run's file may have what this one has lost
    if not found:
        raise DataError(f"{folder}: no answers in it; wanted files called *{SUFFIX}, {', '.join(RUNS)} or {_LINES}")
    return found


def _file(file: Path) -> Iterator[Answered[Events]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise DataError(f"{file}: cannot be read as UTF-8 text") from None
    if file.suffix.lower() == ".jsonl":
        for number, line in enumerate(text.split("\n"), 1):  # splitlines also cuts at U+2028, which JSON allows
            if line.strip():
                yield _row(_parsed(line, f"{file}:{number}"), f"{file}:{number}", None)
        return
    document = _parsed(text, str(file))
    if isinstance(document, list) and (file.name in RUNS or any(_is_row(item) for item in document)):
        for place, item in enumerate(document):
            yield _row(item, f"{file}[{place}]", None)
    else:
        row = document if isinstance(document, dict) else {"events": document}
        yield _row(row, str(file), _stem(file))


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except (RecursionError, ValueError):
        raise DataError(f"{where}: not JSON: nested too deep, or a number too long") from None


def _is_row(item: Any) -> bool:
    return isinstance(item, list) or (isinstance(item, dict) and any(key in item for key in _OF_ROWS))


def _stem(file: Path) -> str:
    return file.name.removesuffix(SUFFIX) if file.name.endswith(SUFFIX) else file.stem


def _row(item: Any, where: str, stem: str | None) -> Answered[Events]:
    """One answer. `stem` is what it is about where it does not say so itself."""
    if not isinstance(item, dict):
        raise DataError(f"{where}: wanted an object; given {type(item).__name__}")
    key, by = _about(item, where, stem)
    if failed := _failure(item):
        return _none(key, by, *failed)
    body = next((item[name] for name in _BODIES if name in item), None)
    try:
        events = _events(body)
    except NotJsonError as error:
        return _none(key, by, "not_json", str(error))
    if isinstance(events, str):
        return _none(key, by, "not_events", events)
    said = item.get("confidence")
    return _answer(key, by, events, said if isinstance(said, dict) else {}, left_out_of(item, where))


def _about(item: Mapping[str, Any], where: str, stem: str | None) -> tuple[str, Literal["id", "file"]]:
    for name in (*_IDS, *_FILMS):
        value = item.get(name)
        if isinstance(value, str) and value:
            return value, "id" if name in _IDS else "file"
    if stem is None:
        raise DataError(f"{where}: it says not what it is about: none of {', '.join((*_IDS, *_FILMS))}")
    return stem, "file"


def _failure(item: Mapping[str, Any]) -> tuple[str, str] | None:
    """Code and message, where there is no answer."""
    if item.get("error"):
        return "failed", str(item["error"])
    body = next((item[name] for name in _BODIES if item.get(name) is not None), None)
    if isinstance(body, dict) and ("parse_error" in body or "raw_output" in body):
        return "not_json", str(body.get("parse_error") or "the reply could not be read")
    if body is not None:
        return None
    problems = item.get("problems")
    for one in problems if isinstance(problems, list) else []:
        if isinstance(one, dict) and one.get("fatal", True):
            return str(one.get("code") or "failed"), str(one.get("message") or "no reason is given")
    return "failed", "there is neither an answer nor a reason"


def _events(body: Any) -> Sequence[Any] | str:
    """Events as they are written, or why there are none."""
    for _ in range(_MOST_WRAPPED):
        if isinstance(body, str):
            body = unfenced(body)
        if isinstance(body, list):
            return body
        if not isinstance(body, dict):
            return f"wanted an array of events; given {type(body).__name__}"
        inner = next((body[name] for name in _BODIES if isinstance(body.get(name), list | str)), None)
        if inner is None:
            return [body]
        body = inner
    return "its events are wrapped too deep"


def _answer(
    key: str, by: Literal["id", "file"], events: Sequence[Any], said: Mapping[str, Any], lost: int
) -> Answered[Events]:
    """`lost`: events that whoever wrote the file has left out."""
    kept: list[Event] = []
    places: dict[int, int] = {}
    left: list[Excluded] = []
    cut: list[str] = []
    for place, raw in enumerate(events):
        one = read_event(_cut(raw, place, cut), f"event {place}", _LONGEST_S)
        if isinstance(one, Excluded):
            left.append(one)
        else:
            places[place] = len(kept)
            kept.append(one.event)
    numbers = {name: float(p) for name, p in said.items() if isinstance(p, int | float)}
    confidence = renumbered(numbers, places) if left else numbers
    n = len(left) + lost
    texts = [f"{n} of {len(events) + lost} events were left out, and are false alarms: {_told(left)}"] if n else []
    texts += [f"descriptions were cut to {LONGEST} characters: {', '.join(cut)}"] if cut else []
    problem = Problem("events_left_out" if n else "cut", "; ".join(texts)) if texts else None
    return Answered(key, by, events_of(kept, n), problem, confidence)


def _cut(raw: Any, place: int, cut: list[str]) -> Any:
    """An event whose description fits: its class and times are worth as much with half of the words."""
    if not isinstance(raw, dict) or not isinstance(raw.get("description"), str) or len(raw["description"]) <= LONGEST:
        return raw
    cut.append(f"event {place}")
    return {**raw, "description": raw["description"][:LONGEST]}


def _told(left: Sequence[Excluded]) -> str:
    """Each reason once, with the events that it is about."""
    if not left:
        return "the file says no more"
    about: dict[str, list[str]] = {}
    for one in left:
        about.setdefault(f"{one.code}: {one.message}", []).append(one.where)
    told = [f"{', '.join(places[:_MOST_TOLD])}: {why}" for why, places in list(about.items())[:_MOST_TOLD]]
    return "; ".join(told)


def _none(key: str, by: Literal["id", "file"], code: str, why: str) -> Answered[Events]:
    return Answered(key, by, None, Problem(code, why, fatal=True))
