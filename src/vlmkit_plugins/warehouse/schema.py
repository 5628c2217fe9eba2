"""The typed answer about one clip, its closed vocabulary, and the JSON that the task promises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vlmkit.errors import DataError
from vlmkit.types import Prediction, Problem, Sample

FPS = 25
"""Frames a second in which every segment is counted, whatever the film's own rate."""
CLIP_FRAMES = 125
"""Frames of a full clip: 5 s."""

Operation = Literal[
    "Box Setup",
    "Inner Packing",
    "Tape",
    "Put Items",
    "Pack",
    "Wrap",
    "Label",
    "Final Check",
    "Idle",
    "Unknown",
]
OPERATIONS: tuple[Operation, ...] = get_args(Operation)


class TemporalSegment(BaseModel):
    """Half-open [start_frame, end_frame), counted from the clip's start at `FPS`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    start_frame: int = Field(ge=0, le=CLIP_FRAMES - 1)
    end_frame: int = Field(ge=1, le=CLIP_FRAMES)


class OperationSpan(BaseModel):
    """What a clip shows: the operation with most frames, where it is, and the one after the last visible."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    dominant_operation: Operation
    temporal_segment: TemporalSegment
    anticipated_next_operation: Operation


def rules(value: OperationSpan, sample: Sample) -> tuple[Problem, ...]:
    """What a grammar cannot hold: start before end, end inside the clip (`sample.meta["n_frames"]` when known)."""
    segment = value.temporal_segment
    problems = []
    if segment.start_frame >= segment.end_frame:
        problems.append(
            Problem(
                "segment_order",
                f"the segment starts at frame {segment.start_frame} and ends at {segment.end_frame}; "
                "start has to come before end",
                where="temporal_segment",
                fatal=True,
            )
        )
    n_frames = sample.meta.get("n_frames")
    if n_frames is not None and segment.end_frame > int(n_frames):
        problems.append(
            Problem(
                "segment_outside",
                f"the segment ends at frame {segment.end_frame} and the clip has {n_frames}",
                where="temporal_segment.end_frame",
                fatal=True,
            )
        )
    return tuple(problems)


def to_json(prediction: Prediction[OperationSpan]) -> dict[str, Any]:
    """The promised record; where there is no value, the clip's id with the problems and no invented field."""
    if prediction.value is None:
        problems = [
            {"code": p.code, "message": p.message, "where": p.where, "fatal": p.fatal} for p in prediction.problems
        ]
        return {"clip_id": prediction.sample_id, "problems": problems}
    return {
        "clip_id": prediction.sample_id,
        **prediction.value.model_dump(),
        "confidence": prediction.confidence.get("reply"),
    }


def from_json(record: Any) -> tuple[str, OperationSpan]:
    """A promised record back to (clip id, answer). Raises `DataError` naming the field that is wrong.

    A record of a clip without an answer (`problems` in place of the fields) is refused by that name.
    """
    if not isinstance(record, Mapping):
        raise DataError(f"a warehouse record is a JSON object; given {type(record).__name__}")
    fields = dict(record)
    clip_id = fields.pop("clip_id", None)
    if not isinstance(clip_id, str) or not clip_id:
        raise DataError(f"clip_id: wanted a non-empty string; given {clip_id!r}")
    if "problems" in fields and "dominant_operation" not in fields:
        raise DataError(f"{clip_id}: problems: the record says why there is no answer, so it cannot be read as one")
    confidence = fields.pop("confidence", None)
    _check_confidence(clip_id, confidence)
    return clip_id, parse_span(fields, clip_id)


def parse_span(fields: Any, where: str) -> OperationSpan:
    """A mapping to a span. Raises `DataError` naming `where` and the first field that is wrong."""
    try:
        span = OperationSpan.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "record"
        raise DataError(f"{where}: {name}: {first['msg']}; given {first['input']!r}") from None
    segment = span.temporal_segment
    if segment.start_frame >= segment.end_frame:
        raise DataError(
            f"{where}: temporal_segment: start_frame has to come before end_frame; "
            f"given {segment.start_frame} and {segment.end_frame}"
        )
    return span


def _check_confidence(clip_id: str, confidence: Any) -> None:
    if confidence is None:
        return
    is_number = isinstance(confidence, int | float) and not isinstance(confidence, bool)
    if not is_number or not 0.0 <= confidence <= 1.0:
        raise DataError(f"{clip_id}: confidence: wanted null or a number from 0 to 1; given {confidence!r}")
