"""Rows that are none, and the films that rows are about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.football.annotated import CARD, GOAL, codes, events, lines, one, say
from tests.football.films import put
from vlmkit.errors import MediaError
from vlmkit_plugins.football.annotations import load


def test_rows_of_the_first_projects_test_set_are_no_truth(tmp_path: Path) -> None:
    put(tmp_path, "v/goal_1.mp4")
    row = {"class": "goal", "confidence": 1.0, "timestamp": "2025-09-20T10:00:00", "annotator": "me"}
    say(tmp_path, "test.jsonl", lines({"id": "t1", "video_path": "v/goal_1.mp4", **row, "metadata": {"fps": 4}}))
    say(tmp_path, "train.jsonl", lines({"video": "v/goal_1.mp4", "prompt": "?", "completion": json.dumps(row)}))
    loaded = load(tmp_path)
    assert loaded.samples == ()
    assert loaded.counts == {"missing_field": 2, "incomplete_clip": 2}
    assert [one.where for one in loaded.excluded] == [
        "test.jsonl:1",
        "test.jsonl:1",
        "train.jsonl:1 event 0",
        "train.jsonl:1",
    ]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("[{", "not_json"),
        (json.dumps([GOAL]) + " as I said", "not_json"),
        ({"events": "three goals"}, "not_json"),
        ("[" * 100_000, "not_json"),
        ({"video": "a.mp4", "analysis": [GOAL], "generation_time": 1.0}, "prediction"),
        ({"video_file": "a.mp4", "events": [GOAL], "raw_response": "[]"}, "prediction"),
        ({"fps": 4, "classes": ["goal"]}, "not_annotations"),
        (3, "not_annotations"),
        (["a", "b"], "not_annotations"),
        ({"video": ["a.mp4", "b.mp4"], "events": [GOAL]}, "several_films"),
        ({"video": "gone.mp4", "events": [GOAL]}, "no_film"),
        ({"video": "../a.mp4/../../a.mp5", "events": [GOAL]}, "no_film"),
        ({"video": "/", "events": [GOAL]}, "no_film"),
        ([{**GOAL, "video": "a.mp4"}, GOAL], "no_film"),
        ({"video": "a.mp4", "completion": 3}, "no_answer"),
        ({"video": "a.mp4", "conversations": []}, "no_answer"),
        ({"video": "a.mp4", "messages": [{"role": "assistant", "content": "[]"}] * 2}, "no_answer"),
    ],
)
def test_rows_that_are_none_are_named(tmp_path: Path, content: Any, code: str) -> None:
    assert code in codes(one(tmp_path, content))


def test_texts_that_cannot_be_read_and_films_that_nobody_wrote_about(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", "b.mp4")
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "broken.mp4").write_bytes(b"no film")
    say(tmp_path, "broken.json", [GOAL])
    loaded = load(tmp_path)
    assert loaded.counts == {"no_annotation": 2, "unreadable_file": 1, "unreadable_film": 1}
    assert "b.mp4: no_annotation: no row is about this film" in loaded.report().splitlines()


def test_a_film_is_found_beside_its_file_or_in_a_folder_of_the_same_name(tmp_path: Path) -> None:
    put(tmp_path, "01_clips/goal/x_0001.mp4", "01_clips/red_card/x_0001.mp4", "01_clips/goal/y.mp4")
    say(tmp_path, "02_annotations/goal/x_0001.json", [GOAL])
    say(tmp_path, "02_annotations/red_card/x_0001.json", [CARD])
    say(tmp_path, "02_annotations/y_annotation.json", [])
    loaded = load(tmp_path)
    assert {sample.id: len(sample.truth or ()) for sample in loaded.samples} == {
        "01_clips/goal/x_0001.mp4": 1,
        "01_clips/red_card/x_0001.mp4": 1,
        "y": 0,
    }
    assert [event["event"] for event in events(loaded.samples[1])] == ["Yellow Card"]  # in the order of files
    say(tmp_path, "02_annotations/x_0001.json", [])
    assert "x_0001' may be: 01_clips/goal/x_0001.mp4, 01_clips/red_card/x_0001.mp4" in load(tmp_path).report()


def test_a_path_of_another_machine_is_told_by_its_last_parts(tmp_path: Path) -> None:
    put(tmp_path, "goal/1.mp4", "card/1.mp4", "card/2.mp4")
    rows = [
        {"id": key, "video": [path], "events": [GOAL]}
        for key, path in enumerate(("/home/u/goal/1.mp4", "C:\\data\\card\\1.mp4", "elsewhere/2.mp4", "1.mp4"))
    ]
    say(tmp_path, "rows/train.jsonl", lines(*rows))
    loaded = load(tmp_path)
    found = [Path(str(sample.media["video"].source)).relative_to(tmp_path).as_posix() for sample in loaded.samples]
    assert found == ["goal/1.mp4", "card/1.mp4", "card/2.mp4"]
    assert [sample.id for sample in loaded.samples] == ["0", "1", "2"]
    assert codes(loaded) == ["ambiguous_film"]


def test_nothing_outside_the_folder_is_opened(tmp_path: Path) -> None:
    put(tmp_path, "outside.mp4", "data/b.mp4")
    (tmp_path / "data" / "link.mp4").symlink_to(tmp_path / "outside.mp4")
    names = ("../outside.mp4", str(tmp_path / "outside.mp4"), "link.mp4")
    say(tmp_path, "data/rows.jsonl", lines(*({"video": name, "events": [GOAL]} for name in names)))
    assert load(tmp_path / "data").counts == {"no_film": 3, "no_annotation": 1}


def test_rows_about_one_film_must_not_differ(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", "b.mp4", "c.mp4")
    rows = [
        ("1", "a.mp4", GOAL),
        ("2", "a.mp4", CARD),
        ("3", "b.mp4", GOAL),
        ("4", "b.mp4", GOAL),
        ("3", "c.mp4", CARD),
    ]
    say(tmp_path, "rows.json", [{"id": key, "video": film, "events": [event]} for key, film, event in rows])
    loaded = load(tmp_path)
    assert [sample.id for sample in loaded.samples] == ["3"]
    assert loaded.counts == {"contradicting_rows": 2, "duplicate_row": 1, "duplicate_id": 1}


def test_one_file_with_films_elsewhere(tmp_path: Path) -> None:
    put(tmp_path, "clips/a.mp4")
    file = say(tmp_path, "labels/train.json", [{"video": "a.mp4", "events": [GOAL]}])
    assert codes(load(file)) == ["no_film"]
    (sample,) = load(file, root=tmp_path / "clips").samples
    assert sample.meta["annotation"] == "train.json"
    with pytest.raises(MediaError, match="missing"):
        load(tmp_path / "gone")
