"""Answers out of the files of programs around this task."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from vlmkit.errors import DataError
from vlmkit.task import Answered
from vlmkit.types import Prediction, Problem
from vlmkit_plugins.football.answers import RUN, read
from vlmkit_plugins.football.schema import Event, events_of, from_json, line

EVENT = {"description": "d", "start_time": "00:19", "end_time": "25 s", "event": "penalty_shot"}
READ = Event(description="d", start_time="0:0:19", end_time="0:0:25", event="Penalty Shot")


@pytest.mark.parametrize(
    ("name", "text", "key"),
    [
        ("m_analysis.json", {"video_path": "a/m.mp4", "analysis": [EVENT], "generation_time": 3.0}, "a/m.mp4"),
        ("m.json", {"video_path": "m.mp4", "analysis": [EVENT], "inference_time": 3.0}, "m.mp4"),  # as the mocks write
        ("m.json", {"video_file": "m.mp4", "events": [EVENT], "raw_response": "…", "model_version": "1"}, "m.mp4"),
        ("all_analyses.json", [{"video_file": "m.mp4", "video_path": "b/m.mp4", "events": [EVENT]}], "b/m.mp4"),
        ("r.json", [{"video_path": "m.mp4", "analysis": {"all_events": [EVENT]}}], "m.mp4"),
        ("r.json", [{"video_path": "m.mp4", "analysis": {"events": [EVENT]}}], "m.mp4"),
        ("r.json", [{"video_path": "m.mp4", "analysis": EVENT}], "m.mp4"),
        ("r.json", [{"video_path": "m.mp4", "analysis": f"```json\n{json.dumps([EVENT])}\n```"}], "m.mp4"),
        ("m.json", [EVENT], "m"),
        ("m_analysis.json", {"all_events": [EVENT]}, "m"),
    ],
)
def test_every_shape_is_read(tmp_path: Path, name: str, text: Any, key: str) -> None:
    (tmp_path / name).write_text(json.dumps(text), encoding="utf-8")
    assert read(tmp_path / name) == [Answered(key, "file", events_of([READ]))]


def test_lines_are_joined_by_id_and_records_bring_their_confidence(tmp_path: Path) -> None:
    lines = [
        {"id": "a", "events": [EVENT]},
        {"id": "b", "problems": [{"code": "not_json", "message": "it is none", "where": None}]},
        {"sample_id": "c", "value": [EVENT], "problems": [], "confidence": {"reply": 0.5, "0.event": 0.75}},
        {"sample_id": "d", "value": None, "problems": [{"code": "window_lost", "message": "w", "fatal": False},
                                                       {"code": "media_missing", "message": "gone", "fatal": True}]},
        {"id": "e", "events": []},
    ]  # fmt: skip
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n\n", encoding="utf-8")
    assert read(tmp_path / "p.jsonl") == [
        Answered("a", "id", events_of([READ])),
        Answered("b", "id", None, Problem("not_json", "it is none", fatal=True)),
        Answered("c", "id", events_of([READ]), confidence={"reply": 0.5, "0.event": 0.75}),
        Answered("d", "id", None, Problem("media_missing", "gone", fatal=True)),
        Answered("e", "id", events_of([])),
    ]


def test_events_that_cannot_be_are_counted_and_the_others_keep_their_confidence(tmp_path: Path) -> None:
    instant = {**EVENT, "end_time": "00:19"}
    foul, words = {**EVENT, "event": "Foul"}, {**EVENT, "start_time": "first half"}
    record = {"sample_id": "a", "value": [instant, foul, EVENT, words], "confidence": {"1.event": 0.1, "2.event": 0.9}}
    (tmp_path / "p.jsonl").write_text(json.dumps(record), encoding="utf-8")
    (found,) = read(tmp_path / "p.jsonl")
    assert found.value == events_of([READ], left_out=3)
    assert found.confidence == {"0.event": 0.9}
    assert found.problem is not None
    assert not found.problem.fatal
    assert found.problem.message.startswith("3 of 4 events were left out, and are false alarms: event 0: instant_event")
    assert "event 1: unknown_class: 'Foul'" in found.problem.message
    assert "'first half' is a word" in found.problem.message


def test_a_description_that_is_too_long_costs_no_event(tmp_path: Path) -> None:
    foul = {**EVENT, "event": "Foul"}
    record = {"id": "a", "events": [{**EVENT, "description": "x" * 301}, foul, foul]}
    (tmp_path / "p.jsonl").write_text(json.dumps(record), encoding="utf-8")
    (found,) = read(tmp_path / "p.jsonl")
    assert found.value is not None and found.problem is not None
    assert (found.value[0].description, found.value.left_out) == ("x" * 300, 2)
    assert found.problem.message.endswith("; descriptions were cut to 300 characters: event 0")
    assert "event 1, event 2: unknown_class: " in found.problem.message


def test_what_was_left_out_stays_counted_in_the_lines_of_a_report(tmp_path: Path) -> None:
    told = line(Prediction("a", events_of([READ], left_out=2)))
    (tmp_path / "p.jsonl").write_text(json.dumps(told), encoding="utf-8")
    (found,) = read(tmp_path / "p.jsonl")
    assert found.value == events_of([READ], left_out=2) == from_json(told)[1]
    assert found.problem is not None and found.problem.message.startswith("2 of 3 events were left out")
    for wrong in (-1, "2", True):
        with pytest.raises(DataError, match="a: left_out: wanted how many"):
            from_json({**told, "left_out": wrong})


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("r.json", "[{", "r.json: not JSON"),
        ("p.jsonl", '{"id": "a", "events": []}\n{', "p.jsonl:2: not JSON"),
        ("p.jsonl", '{"events": []}', "p.jsonl:1: it says not what it is about"),
        ("p.jsonl", "[]", "p.jsonl:1: wanted an object; given list"),
        ("batch_analysis_results.json", '[{"analysis": []}]', "it says not what it is about"),
        ("r.json", '[{"events": []}, {"events": []}]', "r.json[0]: it says not what it is about"),
        ("r.json", "[[], []]", "r.json[0]: wanted an object; given list"),
        ("r.json", "\udcff", "cannot be read as UTF-8"),
    ],
)
def test_files_that_hold_no_answers_are_refused(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=re.escape(says)):
        read(tmp_path / name)


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"video_path": "a.mp4", "error": "CUDA out of memory", "timestamp": "…"}, "failed"),
        ({"video_path": "a.mp4", "analysis": {"raw_output": "Sure", "parse_error": "no JSON"}}, "not_json"),
        ({"video_path": "a.mp4", "analysis": "I saw a goal."}, "not_json"),
        ({"video_path": "a.mp4", "analysis": 3}, "not_events"),
        ({"video_path": "a.mp4"}, "failed"),
    ],
)
def test_an_answer_that_is_none_says_why(tmp_path: Path, row: dict[str, Any], code: str) -> None:
    (tmp_path / RUN).write_text(json.dumps([row]), encoding="utf-8")
    (found,) = read(tmp_path / RUN)
    assert (found.key, found.value) == ("a.mp4", None)
    assert found.problem is not None
    assert (found.problem.code, found.problem.fatal) == (code, True)


def test_missing_and_empty_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        read(tmp_path / "none")
    with pytest.raises(DataError, match="no answers in it; wanted files called"):
        read(tmp_path)
