"""The JSON that the task promises: one report in its envelope, and back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import PurePath
from typing import Any

from vlmkit.errors import DataError
from vlmkit.types import Modality, Prediction
from vlmkit_plugins.purrsight.schema import CatReport, parse_report

METADATA = {"model_version": "2.0", "phase": "phase2", "schema_version": "V3"}
INPUT_TYPES: tuple[Modality, ...] = ("video", "image", "audio", "text")
"""Which one names a sample that brings several: the first of these that was really seen."""

_KEYS = ("timestamp", "input_type", "model_checkpoint", "generated_text", "metadata", "analysis")
_MORE = ("input_file", "input_text", "sample_id", "problems")


def to_json(prediction: Prediction[CatReport]) -> dict[str, Any]:
    """The envelope. `analysis` is null where there is no value: no marker is invented. `problems` is there where there
    are any, and says what was wrong with the sample or why there is no answer.

    `input_type` is what was really seen (`INPUT_TYPES`); `input_file` the file that it came from, which for a sound may
    be a film; a text stands in `input_text` instead. `generated_text` is the reply as written. What a prediction does
    not know (one read from a file has no time and no model) is null. `sample_id` is added where the id is not the one
    that vlmkit gives by itself: the input file's name without its ending, `text` for words alone.

    Confidence by field stands in the record (`--format record`), under keys such as
    `diagnostic.physical_markers.ears`; what the absence of a modality forced has none.
    """
    inputs: Mapping[str, Any] = prediction.provenance.get("inputs", {})
    kind = _input_type(prediction.used or [name for name in INPUT_TYPES if name in inputs])
    file = None if kind is None else inputs.get(kind) or (inputs.get("video") if kind == "audio" else None)
    source = {"input_text": inputs.get("text")} if kind == "text" else {"input_file": file}
    base = prediction.provenance.get("base") or {}
    envelope = {
        "timestamp": prediction.provenance.get("timestamp"),
        "input_type": kind,
        "model_checkpoint": prediction.provenance.get("checkpoint") or base.get("id"),
        "generated_text": prediction.raw,
        "metadata": dict(METADATA),
        **source,
        "analysis": None if prediction.value is None else prediction.value.model_dump(),
    }
    if prediction.problems:
        envelope["problems"] = [asdict(problem) for problem in prediction.problems]
    if prediction.sample_id != _id_of(envelope):
        envelope["sample_id"] = prediction.sample_id
    return envelope


def from_json(record: Any) -> tuple[str, CatReport]:
    """An envelope back to (sample id, report). Raises `DataError` naming the field that is wrong.

    The id is `sample_id` where given, else the one that `to_json` left out. An envelope without an analysis is refused
    by that name.
    """
    if not isinstance(record, Mapping):
        raise DataError(f"a purrsight record is a JSON object; given {type(record).__name__}")
    if extra := sorted(set(record) - {*_KEYS, *_MORE}):
        raise DataError(f"unknown keys {extra}; known: {', '.join((*_KEYS, *_MORE))}")
    if missing := [key for key in _KEYS if key not in record]:
        raise DataError(f"{missing[0]}: missing from the record")
    _check(record)
    sample_id = record.get("sample_id", _id_of(record))
    if not isinstance(sample_id, str) or not sample_id:
        raise DataError(f"sample_id: wanted a non-empty string; given {sample_id!r}")
    if record["analysis"] is None:
        raise DataError(f"{sample_id}: analysis: the record says why there is no answer, so it cannot be read as one")
    return sample_id, parse_report(record["analysis"], f"{sample_id}: analysis")


def _check(record: Mapping[str, Any]) -> None:
    for key in ("timestamp", "model_checkpoint", "generated_text", "input_file", "input_text"):
        if not isinstance(record.get(key), str | None):
            raise DataError(f"{key}: wanted a string or null; given {record[key]!r}")
    if record["timestamp"] is not None:
        try:
            datetime.fromisoformat(record["timestamp"])
        except ValueError:
            raise DataError(f"timestamp: wanted ISO 8601; given {record['timestamp']!r}") from None
    if record["input_type"] not in (*INPUT_TYPES, None):
        raise DataError(f"input_type: wanted one of {', '.join(INPUT_TYPES)}; given {record['input_type']!r}")
    metadata = record["metadata"]
    version = metadata.get("schema_version") if isinstance(metadata, Mapping) else None
    if version != METADATA["schema_version"]:
        raise DataError(f"metadata.schema_version: only {METADATA['schema_version']} is read; given {version!r}")


def _input_type(seen: Collection[str]) -> Modality | None:
    return next((modality for modality in INPUT_TYPES if modality in seen), None)


def _id_of(envelope: Mapping[str, Any]) -> str:
    """The id that vlmkit gives a sample by itself: its file's stem, `text` for words alone, else `sample`."""
    if file := envelope.get("input_file"):
        return PurePath(file).stem
    return "text" if envelope["input_type"] == "text" else "sample"
