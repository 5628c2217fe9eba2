"""Replies of a server that was not held to the schema: times and classes in other spellings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vlmkit.types import Generation, Prediction, Sample
from vlmkit_plugins.football.head import decoder
from vlmkit_plugins.football.schema import Events, to_json

GOAL = {"description": "Player #10 in blue scores.", "start_time": "0:0:3", "end_time": "0:0:9", "event": "Goal"}


def read(*, lenient: bool = True, **changes: Any) -> Prediction[Events]:
    reply = Generation(json.dumps([{**GOAL, **changes}, GOAL]), "end", 1, 1)
    return decoder(lenient=lenient).decode(reply, Sample("x", meta={"video_s": 20.0}))


@pytest.mark.parametrize(
    ("start", "end", "wanted"),
    [
        ("00:03", "0:09", ("0:0:3", "0:0:9")),
        (3, 9.4, ("0:0:3", "0:0:9")),
        ("2.5 s", "9000 ms", ("0:0:3", "0:0:9")),
        (3.2, 3.4, ("0:0:3", "0:0:4")),  # less than a second is not nothing
    ],
)
def test_times_of_every_form_are_read_and_said(start: object, end: object, wanted: tuple[str, str]) -> None:
    found = read(start_time=start, end_time=end)
    assert found.value is not None and len(found.value) == 2
    assert (found.value[0].start_time, found.value[0].end_time) == wanted
    assert {problem.code for problem in found.problems} == {"repaired"}
    assert f"read 0.start_time {str(start)!r} as {wanted[0]!r}" in [problem.message for problem in found.problems]
    assert read(lenient=False, start_time=start, end_time=end).value is None, "where a grammar holds, nothing is mended"


def test_a_class_by_another_name_is_read_and_said() -> None:
    found = read(event="penalty_shot")
    assert found.value is not None and found.value[0].event == "Penalty Shot"
    assert [problem.message for problem in found.problems] == ["read 0.event 'penalty_shot' as 'Penalty Shot'"]


@pytest.mark.parametrize("changes", [{"event": "Foul"}, {"start_time": "first half"}, {"end_time": None}, {"event": 7}])
def test_what_cannot_be_read_is_still_no_answer(changes: dict[str, Any]) -> None:
    found = read(**changes)
    assert found.value is None and found.problems[-1].code == "not_schema"


def test_times_the_wrong_way_round_are_not_turned() -> None:
    found = read(start_time="00:09", end_time="00:03")
    assert found.value is not None and len(found.value) == 1
    assert [problem.code for problem in found.problems if problem.code != "repaired"] == ["event_order"]


def test_padded_times_are_written_without_zeros() -> None:
    found = read(start_time="0:00:03", end_time="00:00:09")
    assert to_json(found) == [GOAL, GOAL]
