"""The files that the original's programs write and read: one a film, and one of all films of a run.

`<stem>_analysis.json` is `{video_path, analysis, generation_time, model_info, timestamp}`, where `analysis` is the
array of events, or `{raw_output, parse_error}` for a reply that could not be read. A film that could not be analysed
at all is `{video_path, error, timestamp}`. `batch_analysis_results.json` is the array of these, in the order of the
films. One key is added where there is something to say: `problems`, what is known to be wrong with an answer.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vlmkit.errors import DataError
from vlmkit.manifest import write_document
from vlmkit.types import Prediction
from vlmkit_plugins.football.answers import RUN, SUFFIX, read
from vlmkit_plugins.football.schema import Events, to_json

__all__ = ["RUN", "SUFFIX", "read", "row_of", "write"]

_WITHHELD = "abstained"  # the reply was read, and is not given: no parse error
_MOST_BYTES = 200  # of a stem; file systems take 255 with all that is put around it


def write(predictions: Iterable[Prediction[Events]], folder: Path) -> Iterator[Prediction[Events]]:
    """The same predictions, each written into `folder` before it is passed on; the file of the run comes last.

    Every file is there whole or not at all. One that is about another film is never written over: of films with the
    same name, in this run or an earlier one into the same folder, all but the first have more of their path in theirs.

    Raises `DataError` at once where `folder` is a file.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: results go into a folder, and this is a file")
    folder.mkdir(parents=True, exist_ok=True)
    return _written(predictions, folder)


def _written(predictions: Iterable[Prediction[Events]], folder: Path) -> Iterator[Prediction[Events]]:
    rows: list[dict[str, Any]] = []
    taken: set[Path] = set()
    for prediction in predictions:
        row = row_of(prediction)
        path = _free(folder, str(row["video_path"]), prediction.sample_id, taken)
        taken.add(path)
        rows.append(row)
        write_document(path, row)
        yield prediction
    write_document(folder / RUN, rows)


def row_of(prediction: Prediction[Events]) -> dict[str, Any]:
    """What is written about one film; `video_path` is the sample's id where it came as bytes or frames."""
    told = prediction.provenance
    video = told.get("inputs", {}).get("video") or prediction.sample_id
    stamp = {"timestamp": _local(told.get("timestamp"))}
    fatal = [problem for problem in prediction.problems if problem.fatal]
    why = "; ".join(f"{problem.code}: {problem.message}" for problem in fatal)
    if prediction.value is not None:
        analysis = to_json(prediction)
    elif prediction.raw and all(problem.code != _WITHHELD for problem in fatal):
        analysis = {"raw_output": prediction.raw, "parse_error": why}
    else:
        return {"video_path": video, "error": why, **stamp}
    row = {"video_path": video, "analysis": analysis, "generation_time": _seconds(prediction.timing_s)}
    row |= {"model_info": _model(told), **stamp}
    if rest := [problem for problem in prediction.problems if not problem.fatal]:
        row["problems"] = [{"code": one.code, "message": one.message, "where": one.where} for one in rest]
    return row


def _seconds(timing_s: Mapping[str, float]) -> float:
    """Of the reply alone where that is known, as the original counts."""
    return round(timing_s.get("generate", sum(timing_s.values())), 3)


def _model(told: Mapping[str, Any]) -> dict[str, str | None]:
    base = (told.get("base") or {}).get("id") or "/".join(str(told[key]) for key in ("task", "preset") if key in told)
    adapter = told.get("adapter")
    return {"base_model": base or None, "lora_adapter": adapter, "adapter_name": adapter}


def _local(moment: str | None) -> str:
    """When the answer was given, on this machine's clock: the format has no place for a zone."""
    known = datetime.fromisoformat(moment) if moment else datetime.now(UTC)
    return known.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _free(folder: Path, video: str, key: str, taken: set[Path]) -> Path:
    """The first name that no other film has: the stem, the file's name, more of its path, a digest of all of it."""
    parts = [part for part in re.split(r"[/\\]", video) if part not in ("", ".", "..")] or [key]
    names = [Path(parts[-1]).stem, *("_".join(parts[-n:]) for n in range(1, len(parts) + 1))]
    digest = hashlib.sha256(os.fsencode(f"{video}\n{key}")).hexdigest()[:16]
    for name in (*map(_safe, names), f"{_safe(names[0])}_{digest}"):
        path = folder / f"{name}{SUFFIX}"
        if path not in taken and _is_about(path, video):
            return path
    raise DataError(f"{folder}: {path.name} is about another film; give an empty folder")


def _safe(name: str) -> str:
    """The name, with `_` for what a file's name cannot have everywhere, and cut where it is too long."""
    plain = re.sub(r"[^\w.+=@ -]", "_", name).lstrip(".") or "_"
    return os.fsencode(plain)[:_MOST_BYTES].decode("utf-8", "ignore")


def _is_about(path: Path, video: str) -> bool:
    """Whether it can be written: it is not there yet, or holds an earlier answer about the same film."""
    if not path.exists():
        return True
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("video_path") == video
