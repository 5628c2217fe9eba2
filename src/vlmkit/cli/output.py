"""Results to stdout or to a file that is there whole or not at all; problems to stderr; the exit code."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any, Literal, TextIO

from vlmkit.cli.guard import NOTHING_DONE, SOME_PROBLEMS, say
from vlmkit.task import Task
from vlmkit.types import Prediction


@contextlib.contextmanager
def result_file(path: Path | None) -> Iterator[TextIO]:
    """Stdout, or a file that appears under its name only when everything was written."""
    if path is None:
        yield sys.stdout
        return
    target = path.resolve()  # a link stays a link
    if target.exists() and not target.is_file():
        with target.open("w", encoding="utf-8", errors="backslashreplace") as device:  # /dev/null, a pipe
            yield device
        return
    if not target.parent.is_dir():
        raise FileNotFoundError(2, "no such folder to write to", str(path.parent))
    number, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    try:
        with open(number, "w", encoding="utf-8", errors="backslashreplace") as file:
            yield file
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~mask)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


@dataclass
class Tally:
    """How samples went."""

    n: int = 0
    with_problems: int = 0
    without_value: int = 0

    def add(self, prediction: Prediction[Any]) -> None:
        """Count one, and say its problems on stderr."""
        self.n += 1
        self.with_problems += bool(prediction.problems)
        self.without_value += prediction.value is None
        for problem in prediction.problems:
            say(f"vlmkit: {prediction.sample_id}: {problem.code}: {problem.message}")

    @property
    def exit_code(self) -> int:
        """0 all good, 1 some samples have problems, 3 no sample has a value."""
        if self.without_value == self.n:
            return NOTHING_DONE
        return SOME_PROBLEMS if self.with_problems else 0


def rendered(
    task: Task[Any], prediction: Prediction[Any], style: Literal["task", "record"], *, several: bool
) -> str | None:
    """The JSON of one prediction; None where the task's format has none, because there is no value.

    Of `several` each is a line, which says which sample it is about.
    """
    if style == "record":
        document = record(prediction)
    elif prediction.value is None:
        return None
    else:
        document = task.joinable(prediction) if several else task.to_json(prediction)
    return json.dumps(document, ensure_ascii=False, indent=None if several else 2)


def record(prediction: Prediction[Any]) -> dict[str, Any]:
    """The whole `Prediction` as plain JSON data."""
    return {
        "sample_id": prediction.sample_id,
        "value": plain(prediction.value),
        "problems": [asdict(problem) for problem in prediction.problems],
        "confidence": dict(prediction.confidence),
        "uncalibrated": dict(prediction.uncalibrated),
        "used": list(prediction.used),
        "raw": prediction.raw,
        "timing_s": dict(prediction.timing_s),
        "provenance": plain(prediction.provenance),
    }


def plain(value: Any) -> Any:
    """A value of any task as JSON data: pydantic models, dataclasses, mappings and sequences, at any depth."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
