"""Annotation files of every shape in use, and events that cannot be used."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from tests.football.annotated import CARD, GOAL, codes, events, lines, one, say
from tests.football.films import put
from vlmkit.errors import DataError
from vlmkit_plugins.football.annotations import LATE_INSTANT_S, load
from vlmkit_plugins.football.data import read


@pytest.mark.parametrize(
    "content",
    [
        [GOAL],
        {"all_events": [GOAL]},
        {"events": [GOAL]},
        {"annotations": [GOAL]},
        {"events": f"```json\n{json.dumps([GOAL])}\n```"},
        GOAL,
        f"```json\n{json.dumps([GOAL])}\n```",
        json.dumps(json.dumps([GOAL])),
        f"<answer>{json.dumps([GOAL])}</answer>",
        f"<think>A goal?\n[maybe]</think>\n<json>\n```json\n{json.dumps({'events': [GOAL]})}```</json>",
        "\ufeff" + json.dumps([GOAL]),
        {"video_file": "a.mp4", "annotations": [GOAL]},
        {"video": ["/home/somebody/clips/a.mp4"], "events": [GOAL]},
        [{**GOAL, "video": "a.mp4"}],
        [{"video": "a.mp4", "prompt": "What happens?", "completion": json.dumps([GOAL])}],
        {
            "id": "a",
            "video": "a.mp4",
            "conversations": [
                {"from": "human", "value": "<video>\nWhat happens?"},
                {"from": "gpt", "value": f"```json\n{json.dumps([GOAL])}\n```"},
            ],
        },
        {
            "videos": ["a.mp4"],
            "messages": [
                {"role": "user", "content": [{"type": "video"}, {"type": "text", "text": "What happens?"}]},
                {"role": "assistant", "content": [{"type": "text", "text": json.dumps([GOAL])}]},
            ],
        },
    ],
)
def test_every_shape_gives_the_same_truth(tmp_path: Path, content: Any) -> None:
    loaded = one(tmp_path, content)
    (sample,) = loaded.samples
    assert loaded.excluded == ()
    assert sample.id == "a"
    assert sample.media["video"].source == tmp_path / "a.mp4"
    assert events(sample) == [GOAL]
    assert sample.meta["annotation"] == "a.json"
    assert sample.meta["video_s"] == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("times", "wanted"),
    [
        ({"start_time": "0:0:3", "end_time": "0:00:08"}, ("0:0:3", "0:0:8")),
        ({"start_time": "0:03", "end_time": "00:08"}, ("0:0:3", "0:0:8")),
        ({"startTime": 3, "endTime": 8.4}, ("0:0:3", "0:0:8")),
        ({"start_time": "3.4 s", "end_time": "8500 ms"}, ("0:0:3", "0:0:9")),
        ({"timestamp": "00:03", "end_time": "00:08"}, ("0:0:3", "0:0:8")),
        ({"start_time": 3.2, "end_time": 3.4}, ("0:0:3", "0:0:4")),  # the second that holds it
        ({"start_time": 0, "end_time": 10}, ("0:0:0", "0:0:10")),
    ],
)
def test_every_way_to_write_times(tmp_path: Path, times: dict[str, Any], wanted: tuple[str, str]) -> None:
    (sample,) = one(tmp_path, [{"description": "A goal.", "event": "goal", **times}]).samples
    assert [(event["start_time"], event["end_time"]) for event in events(sample)] == [wanted]


@pytest.mark.parametrize(
    ("event", "code", "message"),
    [
        ({**GOAL, "start_time": "0:0:5", "end_time": "0:0:15"}, "outside_clip", "ends at 15 s.*film lasts 10.000 s"),
        ({**GOAL, "start_time": "0:1:32", "end_time": "0:1:38"}, "outside_clip", "starts at 92 s"),
        ({**GOAL, "start_time": 10}, "outside_clip", "starts at 10 s"),
        ({**GOAL, "description": " "}, "missing_field", "no description"),
        ({**GOAL, "start_time": None}, "missing_field", "no start_time"),
        ({k: v for k, v in GOAL.items() if k != "event"}, "missing_field", "no event"),
        ({**GOAL, "event": "Own Goal Party"}, "unknown_class", "'Own Goal Party' is none of Goal, Penalty Shot"),
        ({**GOAL, "event": 7}, "unknown_class", "'7' is none of"),
        ({**GOAL, "start_time": "second half"}, "unreadable_time", "start_time.*'second half'"),
        ({**GOAL, "start_time": -1}, "unreadable_time", "start_time"),
        ({**GOAL, "end_time": float("nan")}, "unreadable_time", "end_time"),
        ({**GOAL, "end_time": True}, "unreadable_time", "end_time"),
        ({**GOAL, "end_time": "0:0:2"}, "end_before_start", "ends at 2 s and starts at 3 s"),
        ({**GOAL, "end_time": "0:0:3"}, "instant_event", "one time, 3 s"),
        ({k: v for k, v in GOAL.items() if k != "end_time"}, "instant_event", "one time, 3 s"),
        ({**GOAL, "event_type": "red_card"}, "contradiction", "event says Goal, and event_type Red Card"),
        ({**GOAL, "description": "x" * 301}, "bad_field", "description: .*at most 300"),
        ({**GOAL, "description": ["x"]}, "bad_field", "description: .*valid string"),
        ("Goal at 0:3", "not_an_event", "wanted an object; given str"),
    ],
)
def test_what_is_no_event_takes_its_clip_out_by_name(tmp_path: Path, event: Any, code: str, message: str) -> None:
    loaded = one(tmp_path, {"events": [CARD, event]})
    assert loaded.samples == ()
    first, clip = loaded.excluded
    assert (first.code, first.where) == (code, "a.json event 1")
    assert re.search(message, first.message)
    assert (clip.code, clip.where) == ("incomplete_clip", "a.json")
    assert loaded.counts == {code: 1, "incomplete_clip": 1}
    (kept,) = load(tmp_path, partial=True).samples
    assert events(kept) == [CARD]


def test_a_clip_of_bad_events_alone_is_not_an_empty_one(tmp_path: Path) -> None:
    loaded = one(tmp_path, [{**GOAL, "event": "Nap"}], partial=True)
    assert loaded.samples == ()
    assert codes(loaded) == ["unknown_class", "incomplete_clip"]
    assert "all its events were excluded" in loaded.report()
    say(tmp_path, "a.json", [])
    (empty,) = load(tmp_path).samples
    assert events(empty) == []


def test_moments_get_a_length_only_where_that_is_asked(tmp_path: Path) -> None:
    moments = [{"description": "A goal.", "event": "goal", "timestamp": at} for at in (1, 5, "0:09")]
    assert codes(one(tmp_path, moments)) == ["instant_event"] * 3 + ["incomplete_clip"]
    (sample,) = load(tmp_path, instant=LATE_INSTANT_S).samples
    assert [(event["start_time"], event["end_time"]) for event in events(sample)] == [
        ("0:0:0", "0:0:7"),
        ("0:0:3", "0:0:10"),
        ("0:0:7", "0:0:10"),
    ]
    assert sample.meta["widened"] == [0, 1, 2]
    for wrong in ((0.0, 0.0), (-1.0, 6.0)):
        with pytest.raises(DataError, match="instant: wanted seconds before and after"):
            load(tmp_path, instant=wrong)


def test_what_else_is_written_is_kept_with_its_event(tmp_path: Path) -> None:
    extra = {"confidence": 0.9, "details": {"action": "shot"}, "player_jersey": 9, "explanation": "He scores."}
    (sample,) = one(tmp_path, {"events": [{**GOAL, **extra}, CARD], "annotator": "x", "source": "match 7"}).samples
    assert events(sample) == [CARD, GOAL]  # in the order of their times
    assert sample.meta["details"] == [{}, extra]
    assert sample.meta["row"] == {"annotator": "x"}
    assert sample.meta["source"] == "match 7"


def test_events_of_one_film_that_stand_side_by_side_are_its_truth(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", "b.mp4")
    say(tmp_path, "all.json", [{**GOAL, "video": "a.mp4"}, {**GOAL, "video": "b.mp4"}, {**CARD, "video": "a.mp4"}])
    a, b = load(tmp_path).samples
    assert (a.id, events(a)) == ("a", [CARD, GOAL])
    assert (b.id, events(b)) == ("b", [GOAL])
    say(tmp_path, "all.json", "")
    say(tmp_path, "all.jsonl", lines({**GOAL, "video": "a.mp4"}, "", {**CARD, "video": "a.mp4"}))
    (a,) = load(tmp_path / "all.jsonl").samples
    assert events(a) == [CARD, GOAL]


def test_an_event_that_is_written_twice_counts_once(tmp_path: Path) -> None:
    loaded = one(tmp_path, [GOAL, CARD, {**GOAL, "start_time": 3}])
    assert [len(sample.truth or ()) for sample in loaded.samples] == [2]
    assert codes(loaded) == ["duplicate_event"]


def test_equal_films_with_different_truths_are_reported(tmp_path: Path) -> None:
    put(tmp_path, "red.mp4", "penalty.mp4", "again.mp4", mark="the same")
    put(tmp_path, "other.mp4")
    for name, truth in (("red", [CARD]), ("penalty", [GOAL]), ("again", [CARD]), ("other", [CARD])):
        say(tmp_path, f"{name}.json", truth)
    loaded = load(tmp_path)
    assert len(loaded.samples) == 4
    assert loaded.conflicts == (("again", "penalty", "red"),)
    assert "conflict: equal films, different truths: again, penalty, red" in loaded.report()


def test_a_source_is_named_by_the_row_or_by_who_knows_the_folders(tmp_path: Path) -> None:
    put(tmp_path, "goal/1.mp4", "goal/2.mp4")
    say(tmp_path, "goal/1.json", [])
    say(tmp_path, "goal/2.json", {"events": [], "source": "match 2", "offset_s": 40.0})
    one, two = load(tmp_path, source=lambda film: film.parent.name).samples
    assert one.meta["source"] == "goal"
    assert (two.meta["source"], two.meta["offset_s"]) == ("match 2", 40.0)


def test_the_log_has_the_counts_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "vlmkit")
    one(tmp_path, [{**GOAL, "event": "Nap"}])
    assert [record.message for record in caplog.records] == [
        f"{tmp_path}: 0 samples, 0 of them without an event; excluded: unknown_class 1, incomplete_clip 1; equal films "
        "with different truths: 0; annotations.load(...).report() lists them"
    ]
    caplog.clear()
    one(tmp_path, [GOAL])
    assert not caplog.records


def test_a_data_folder_may_be_one_of_annotations(tmp_path: Path) -> None:
    one(tmp_path, [GOAL])
    assert [events(sample) for sample in read(tmp_path)] == [[GOAL]]
    say(tmp_path, "a.json", [{**GOAL, "event": "Nap"}])
    with pytest.raises(DataError, match=r"0 samples.*unknown_class 1, incomplete_clip 1.*report\(\)"):
        read(tmp_path)


def test_answers_beside_plain_films_are_no_truth(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4")
    say(tmp_path, "a_analysis.json", {"video_path": "a.mp4", "analysis": [GOAL], "generation_time": 1.0})
    assert [(sample.id, sample.truth) for sample in read(tmp_path)] == [("a", None)]
