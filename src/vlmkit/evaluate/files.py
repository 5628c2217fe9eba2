"""Predictions from a file, and the refusal to compare the truth with itself."""

from __future__ import annotations

import filecmp
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from vlmkit.errors import DataError, VlmkitError
from vlmkit.task import Scoring, Task
from vlmkit.types import Prediction, Sample

T = TypeVar("T")

COPIED = 5  # this many answers, all equal to the truth, are taken for a copy of it
_WANTED = "give a file of answers that a model wrote, or let the model answer now: vlmkit evaluate TASK --model DIR"
_TRUTH_KINDS = frozenset({".json", ".jsonl", ".csv", ".tsv", ".txt"})


def read_predictions(task: Task[T], path: str | Path) -> list[Prediction[T]]:
    """The task's own JSON records: one a line (`.jsonl`), or one list of them (`.json`).

    Raises:
        DataError: no such file, not UTF-8 or JSON, or a record that is not the task's; the line is named.
    """
    found = []
    for place, record in _records(Path(path)):
        try:
            key, value = task.from_json(record)
        except (VlmkitError, ValueError, KeyError, TypeError) as error:
            why = " ".join(str(error).split())
            raise DataError(f"{place}: not a record of task {task.name!r}: {why}") from error
        found.append(Prediction(key, value))
    return found


def guard_same_file(file: str | Path, data: str | Path) -> None:
    """Refuse a predictions file that is a truth file of the data folder, or a byte-for-byte copy of one.

    Of a folder of predictions, each of its files is looked at.

    Raises:
        DataError: with what to give instead.
    """
    given, folder = Path(file), Path(data)
    if given.is_dir():
        if folder.is_dir() and given.samefile(folder):
            raise DataError(f"{given}: this is the data itself, not predictions; {_WANTED}")
        for one in sorted(given.iterdir()):
            if one.is_file() and one.suffix.lower() in _TRUTH_KINDS:
                _guard_file(one, folder)
    elif given.is_file():
        _guard_file(given, folder)
    else:
        raise DataError(f"{given}: no such file of predictions; {_WANTED}")


def _guard_file(given: Path, folder: Path) -> None:
    for truth in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
        if not truth.is_file() or truth.suffix.lower() not in _TRUTH_KINDS:
            continue
        if truth.samefile(given):
            raise DataError(f"{given}: this is a file of the data itself, not predictions; {_WANTED}")
        if truth.stat().st_size == given.stat().st_size and filecmp.cmp(truth, given, shallow=False):
            raise DataError(f"{given}: the same bytes as {truth}, so it would be scored against itself; {_WANTED}")


def guard_self_comparison(
    samples: Iterable[Sample],
    predictions: Iterable[Prediction[T]],
    *,
    scoring: Scoring[T] | None = None,
    file: str | Path | None = None,
    data: str | Path | None = None,
) -> None:
    """Refuse predictions that are the truth: the same file, the same bytes, or five and more answers all equal to it.

    Predictions of other samples are left out here, so that one stranger among copies does not hide them.

    A score of exactly 1 on everything is a copy until shown otherwise; a model that earns it can be asked directly.

    Args:
        scoring: the task's; with it, answers that hold the true class for certain, all of them, are a copy, too.

    Raises:
        DataError: with what to give instead.
    """
    if file is not None and data is not None:
        guard_same_file(file, data)
    truths = {sample.id: sample.truth for sample in samples}
    pairs = [(truths[one.sample_id], one.value) for one in predictions if truths.get(one.sample_id) is not None]
    if len(pairs) >= COPIED and all(_same(scoring, truth, value) for truth, value in pairs):
        name = file if file is not None else "these predictions"
        raise DataError(f"{name}: all {len(pairs)} answers equal the truth, as a copy of it would; {_WANTED}")


def _same(scoring: Scoring[Any] | None, truth: Any, value: Any) -> bool:
    if truth == value:
        return True
    told = scoring.probabilities if scoring is not None else None
    return told is not None and value is not None and told(truth) == told(value)


def _records(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text; wanted .jsonl or .json records") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or 'cannot be read'}") from None
    if path.suffix.lower() == ".json":
        document = _parse(text, str(path))
        if not isinstance(document, list):
            raise DataError(f"{path}: a .json file of predictions is one list of records; for one a line use .jsonl")
        for index, record in enumerate(document):
            yield f"{path}[{index}]", record
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield f"{path}:{number}", _parse(line, f"{path}:{number}")


def _parse(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        at = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise DataError(f"{place}: not JSON{at}") from None
