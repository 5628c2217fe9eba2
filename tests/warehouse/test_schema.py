from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from vlmkit.errors import DataError
from vlmkit.types import Prediction, Problem, Sample
from vlmkit_plugins.warehouse.schema import OPERATIONS, OperationSpan, TemporalSegment, from_json, rules, to_json

SPAN = OperationSpan(
    dominant_operation="Tape",
    temporal_segment=TemporalSegment(start_frame=10, end_frame=90),
    anticipated_next_operation="Label",
)


def record(**changes: Any) -> dict[str, Any]:
    return {**to_json(Prediction("c1", SPAN, confidence={"reply": 0.5})), **changes}


def test_the_ten_names_in_the_briefs_order() -> None:
    brief = "Box Setup, Inner Packing, Tape, Put Items, Pack, Wrap, Label, Final Check, Idle, Unknown"
    assert ", ".join(OPERATIONS) == brief


def test_json_is_exactly_the_promised_record() -> None:
    assert json.dumps(record()) == (
        '{"clip_id": "c1", "dominant_operation": "Tape", "temporal_segment": {"start_frame": 10, "end_frame": 90}, '
        '"anticipated_next_operation": "Label", "confidence": 0.5}'
    )


def test_unknown_confidence_is_null() -> None:
    assert to_json(Prediction("c1", SPAN))["confidence"] is None


def test_without_a_value_no_field_is_invented() -> None:
    found = to_json(Prediction("c1", None, problems=(Problem("not_json", "no JSON in it", fatal=True),)))
    assert list(found) == ["clip_id", "problems"]
    assert found["problems"][0]["code"] == "not_json"
    with pytest.raises(DataError, match="c1: problems"):
        from_json(found)


def test_records_come_back() -> None:
    assert from_json(record()) == ("c1", SPAN)
    assert from_json(record(confidence=None)) == ("c1", SPAN)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"clip_id": ""}, "clip_id"),
        ({"clip_id": 3}, "clip_id"),
        ({"dominant_operation": "tape"}, "dominant_operation"),
        ({"anticipated_next_operation": None}, "anticipated_next_operation"),
        ({"temporal_segment": {"start_frame": 0}}, "temporal_segment.end_frame"),
        ({"temporal_segment": {"start_frame": 0, "end_frame": 126}}, "temporal_segment.end_frame"),
        ({"temporal_segment": {"start_frame": -1, "end_frame": 5}}, "temporal_segment.start_frame"),
        ({"temporal_segment": {"start_frame": 1.0, "end_frame": 5}}, "temporal_segment.start_frame"),
        ({"temporal_segment": {"start_frame": 5, "end_frame": 5}}, "temporal_segment"),
        ({"confidence": 1.5}, "confidence"),
        ({"confidence": True}, "confidence"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(DataError, match=field):
        from_json(record(**changes))


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(DataError, match="list"):
        from_json([])


def test_a_span_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        SPAN.dominant_operation = "Pack"


@pytest.mark.parametrize(
    ("start", "end", "n_frames", "codes"),
    [
        (0, 125, None, []),
        (0, 125, 125, []),
        (0, 100, 99, ["segment_outside"]),
        (7, 7, 125, ["segment_order"]),
        (90, 80, 50, ["segment_order", "segment_outside"]),
    ],
)
def test_rules(start: int, end: int, n_frames: int | None, codes: list[str]) -> None:
    value = SPAN.model_copy(update={"temporal_segment": TemporalSegment(start_frame=start, end_frame=end)})
    problems = rules(value, Sample("c1", meta={} if n_frames is None else {"n_frames": n_frames}))
    assert [problem.code for problem in problems] == codes
    assert all(problem.fatal for problem in problems)
