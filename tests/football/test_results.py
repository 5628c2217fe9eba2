from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vlmkit.errors import DataError
from vlmkit.types import Prediction, Problem
from vlmkit_plugins.football import results
from vlmkit_plugins.football.schema import Event, Events, events_of

GOAL = Event(description="Player #10 in red scores.", start_time="0:1:32", end_time="0:1:38", event="Goal")
CARD = Event(description="A card for #7.", start_time="0:2:45", end_time="0:2:51", event="Yellow Card")
PROVENANCE = {
    "task": "football",
    "preset": "cosmos-reason1-7b",
    "base": {"id": "nvidia/Cosmos-Reason1-7B", "revision": None},
    "adapter": "football_sft",
    "timestamp": "2026-01-02T03:04:05.678+00:00",
}


def _told(key: str, video: str | None, *events: Event, **more: Any) -> Prediction[Events]:
    stamp = {**PROVENANCE, "inputs": {"video": video}}
    return Prediction(key, events_of(events), timing_s={"prepare": 1.0, "generate": 2.50049}, provenance=stamp, **more)


def _failed(key: str, video: str, code: str, raw: str | None) -> Prediction[Events]:
    problem = Problem(code, "it is so", fatal=True)
    return Prediction(key, None, (problem,), raw=raw, provenance={**PROVENANCE, "inputs": {"video": video}})


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _written(folder: Path, *predictions: Prediction[Events]) -> list[str]:
    assert list(results.write(predictions, folder)) == list(predictions)
    return sorted(os.listdir(folder))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine two hours ahead of Greenwich."""
    monkeypatch.setenv("TZ", "UTC-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_film_has_exactly_the_keys_that_programs_know(tmp_path: Path, clock: None) -> None:
    assert _written(tmp_path, _told("m", "films/match.mp4", GOAL, CARD)) == [
        "batch_analysis_results.json",
        "match_analysis.json",
    ]
    row = _json(tmp_path / "match_analysis.json")
    assert row == {
        "video_path": "films/match.mp4",
        "analysis": [
            {
                "description": "Player #10 in red scores.",
                "start_time": "0:1:32",
                "end_time": "0:1:38",
                "event": "Goal",
            },
            {"description": "A card for #7.", "start_time": "0:2:45", "end_time": "0:2:51", "event": "Yellow Card"},
        ],
        "generation_time": 2.5,
        "model_info": {
            "base_model": "nvidia/Cosmos-Reason1-7B",
            "lora_adapter": "football_sft",
            "adapter_name": "football_sft",
        },
        "timestamp": "2026-01-02 05:04:05",
    }
    assert list(row) == ["video_path", "analysis", "generation_time", "model_info", "timestamp"]
    assert _json(tmp_path / "batch_analysis_results.json") == [row]


def test_failures_say_of_which_kind_they_are(tmp_path: Path) -> None:
    _written(
        tmp_path,
        _failed("a", "a.mp4", "not_json", "Sure! Here is"),
        _failed("b", "b.mp4", "media_missing", None),
        _failed("c", "c.mp4", "abstained", "[]"),
        _told("d", "d.mp4"),
    )
    unread, missing, withheld, empty = _json(tmp_path / "batch_analysis_results.json")
    assert unread["analysis"] == {"raw_output": "Sure! Here is", "parse_error": "not_json: it is so"}
    assert set(missing) == set(withheld) == {"video_path", "error", "timestamp"}
    assert missing["error"] == "media_missing: it is so"
    assert empty["analysis"] == []
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", missing["timestamp"])


def test_what_is_wrong_with_an_answer_is_beside_it(tmp_path: Path) -> None:
    lost = Problem("window_lost", "nothing is known from 0:43:10 to 0:43:40", "video")
    _written(tmp_path, _told("m", "match.mp4", GOAL, problems=(lost,)))
    (row,) = _json(tmp_path / "batch_analysis_results.json")
    assert row["problems"] == [{"code": lost.code, "message": lost.message, "where": "video"}]
    assert row["analysis"]


def test_a_model_without_adapter_or_hub_id_is_named_by_its_preset(tmp_path: Path) -> None:
    stamp = {"task": "football", "preset": "tiny", "base": {"id": None}, "adapter": None, "inputs": {"video": "a.mp4"}}
    _written(tmp_path, Prediction("a", events_of([]), provenance=stamp))
    (row,) = _json(tmp_path / "batch_analysis_results.json")
    assert row["model_info"] == {"base_model": "football/tiny", "lora_adapter": None, "adapter_name": None}


def test_films_of_one_name_keep_their_own_files(tmp_path: Path) -> None:
    films = ["x/goal.mp4", "y/goal.mp4", "y/goal.mov", "z/y/goal.mp4", "../x/goal.mp4", "C:\\x\\goal.mp4"]
    _written(tmp_path, *(_told(film, film, GOAL) for film in films))
    found = {_json(path)["video_path"]: path.name for path in tmp_path.glob("*_analysis.json")}
    assert set(found) == set(films)
    assert found["x/goal.mp4"] == "goal_analysis.json"
    assert found["y/goal.mp4"] == "goal.mp4_analysis.json"
    assert found["z/y/goal.mp4"] == "y_goal.mp4_analysis.json"
    assert [one.key for one in results.read(tmp_path / results.RUN)] == films


def test_a_second_run_writes_over_its_own_films_and_no_others(tmp_path: Path) -> None:
    _written(tmp_path, _told("a", "x/goal.mp4", GOAL))
    _written(tmp_path, _told("b", "y/goal.mp4", CARD), _told("a", "x/goal.mp4"))
    assert _json(tmp_path / "goal_analysis.json")["analysis"] == []
    assert _json(tmp_path / "goal.mp4_analysis.json")["video_path"] == "y/goal.mp4"
    (tmp_path / "other_analysis.json").write_text("my notes", encoding="utf-8")
    _written(tmp_path, _told("o", "other.mp4"))
    assert (tmp_path / "other_analysis.json").read_text(encoding="utf-8") == "my notes"


def test_windows_of_one_film_keep_their_own_files(tmp_path: Path) -> None:
    keys = [f"m@{start}" for start in range(4)]
    names = _written(tmp_path, *(_told(key, "m.mp4", GOAL) for key in keys))
    assert len(names) == 5


@pytest.mark.parametrize("key", ["../../etc/passwd", "a/b\x00c", ".hidden", "é" * 300, "", "..", "con:?*"])
def test_bytes_are_called_by_their_id_which_leads_nowhere(tmp_path: Path, key: str) -> None:
    folder = tmp_path / "out"
    _written(folder, _told(key, None, GOAL))
    assert os.listdir(tmp_path) == ["out"]
    (name,) = [name for name in os.listdir(folder) if name.endswith(results.SUFFIX)]
    assert not name.startswith(".")
    assert _json(folder / name)["video_path"] == key


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    told = [_told("a", "x/a.mp4", GOAL, CARD), _told("b", "b.mp4"), _failed("c", "c.mp4", "not_json", "?")]
    _written(tmp_path, *told)
    for path in (tmp_path, tmp_path / results.RUN):
        found = {one.key: one for one in results.read(path)}
        assert {key: one.value for key, one in found.items()} == {
            "x/a.mp4": told[0].value,
            "b.mp4": told[1].value,
            "c.mp4": None,
        }
        assert {one.by for one in found.values()} == {"file"}
        assert found["c.mp4"].problem == Problem("not_json", "not_json: it is so", fatal=True)
        assert found["b.mp4"].problem is None


def test_each_film_is_on_disk_before_the_next_and_a_stopped_run_has_no_run_file(tmp_path: Path) -> None:
    def broken() -> Iterator[Prediction[Events]]:
        yield _told("a", "a.mp4", GOAL)
        assert (tmp_path / "a_analysis.json").is_file()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(results.write(broken(), tmp_path))
    assert os.listdir(tmp_path) == ["a_analysis.json"]


def test_results_go_into_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="this is a file"):
        results.write([], tmp_path / "file")


def test_a_folder_has_each_film_once(tmp_path: Path) -> None:
    _written(tmp_path, _told("a", "a.mp4", GOAL), _told("b", "b.mp4", CARD))
    (tmp_path / "b_analysis.json").write_text('{"video_path": "b.mp4", "anal', encoding="utf-8")
    (tmp_path / "c_analysis.json").write_text("{", encoding="utf-8")
    found = {one.key: one.value for one in results.read(tmp_path)}
    assert found == {"a.mp4": events_of([GOAL]), "b.mp4": events_of([CARD]), "c": None}
