"""Answers out of a task's own files, which may know samples by the names of their films only (`Task.answers`)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from vlmkit.errors import DataError
from vlmkit.evaluate.files import read_predictions
from vlmkit.evaluate.join import listed
from vlmkit.task import Answered, Task
from vlmkit.types import Prediction, Sample

T = TypeVar("T")


def read_answers(
    task: Task[T], path: str | Path, samples: Sequence[Sample]
) -> tuple[list[Prediction[T]], tuple[str, ...]]:
    """The answers of a file, or of a folder where the task reads folders, and what has to be said about them.

    Tasks with files of their own are asked for their `answers`; those of others are records (files.py). An answer
    belongs to the sample of its id. Where no sample has it, or the file knows names of media only, it belongs to the
    sample whose file has that name: the whole of it, or without its suffix; of several with one name, to the one whose
    folders fit best. What fits none keeps its key, so that the report lists it.

    Raises:
        DataError: what the reader finds wrong; a name that fits several samples equally well; two answers about one
            sample.
    """
    if task.answers is None:
        return read_predictions(task, path), ()
    ids, files = {sample.id for sample in samples}, _Files(samples)
    found: list[Prediction[T]] = []
    named: list[str] = []
    keys: dict[str, str] = {}
    for answer in task.answers(Path(path)):
        sample_id = answer.key if answer.by == "id" and answer.key in ids else None
        if sample_id is None and (sample_id := files.owner(answer.key, str(path))) is not None:
            named.append(answer.key)
        if sample_id is not None and keys.setdefault(sample_id, answer.key) != answer.key:
            raise DataError(
                f"{path}: {keys[sample_id]} and {answer.key} are both about sample {sample_id!r}; give one answer each"
            )
        found.append(_prediction(answer, answer.key if sample_id is None else sample_id))
    told = f"{len(named)} of {len(found)} answers were joined by the name of their file, and not by id: {listed(named)}"
    return found, (told,) if named else ()


def _prediction(answer: Answered[T], sample_id: str) -> Prediction[T]:
    problems = () if answer.problem is None else (answer.problem,)
    return Prediction(sample_id, answer.value, problems, confidence=answer.confidence)


class _Files:
    """The media files of samples, by name and by stem."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._by_name: dict[str, list[tuple[str, list[str]]]] = {}
        for sample in samples:
            for parts in {tuple(_parts(source)) for source in _sources(sample)}:
                for name in {parts[-1], Path(parts[-1]).stem}:
                    self._by_name.setdefault(name, []).append((sample.id, list(parts[:-1])))

    def owner(self, key: str, path: str) -> str | None:
        """The sample whose file is called so. Raises `DataError` where several are, and nothing tells them apart."""
        parts = _parts(key)
        fits = self._by_name.get(parts[-1], []) if parts else []
        if not fits:
            return None
        shares = [_common(parts[:-1], folders) for _, folders in fits]
        best = {sample_id for (sample_id, _), share in zip(fits, shares, strict=True) if share == max(shares)}
        if len(best) > 1:
            raise DataError(
                f"{path}: an answer is about {key!r}, and so are {len(best)} samples: {listed(sorted(best))}; "
                "give answers with ids, or with more of the path"
            )
        return best.pop()


def _sources(sample: Sample) -> Iterator[str]:
    for media in sample.media.values():
        source: Any = media.source
        if isinstance(source, str | os.PathLike):
            yield str(source)


def _parts(path: str) -> list[str]:
    """Folders and name, of paths of any system."""
    return [part for part in re.split(r"[/\\]", path) if part not in ("", ".")]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many folders above the file are the same."""
    found = 0
    for first, second in zip(reversed(one), reversed(other), strict=False):
        if first != second:
            break
        found += 1
    return found
