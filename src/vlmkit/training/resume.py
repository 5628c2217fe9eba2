"""A run that was stopped goes on where it was: what is kept in `OUT/progress` until the head is written."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from vlmkit.errors import CheckpointError

_FOLDER, _RUN, _DONE, _HEAD = "progress", "run.json", "done", "head"
_STATE = "trainer_state.json"  # the last file of a checkpoint that the Trainer writes


class Progress:
    """The folder of one run.

    Attributes:
        resumed: whether an earlier process left something.
    """

    def __init__(self, out: Path, resumed: bool, made: bool = False) -> None:
        self.out = out
        self.folder = out / _FOLDER
        self.resumed = resumed
        self._made = made

    @classmethod
    def open(cls, out: Path, arguments: Mapping[str, Any]) -> Progress:
        """Begin, or go on. Raises `CheckpointError` for a folder in use by anything but the same run."""
        asked = json.loads(json.dumps(arguments, default=str))
        run = out / _FOLDER / _RUN
        if run.is_file():
            _refuse_other(out, json.loads(run.read_text(encoding="utf-8")), asked)
            return cls(out, resumed=True)
        if out.exists() and any(path.name != _FOLDER for path in out.iterdir()):
            raise CheckpointError(f"{out} is not empty; name a new folder")
        made = not out.exists()
        run.parent.mkdir(parents=True, exist_ok=True)
        _write(run, asked)
        return cls(out, resumed=False, made=made)

    def stage(self, number: int, name: str) -> Path:
        """Where one stage keeps its checkpoints."""
        return self.folder / f"{number}-{name}"

    def head(self) -> Path:
        """An empty place to write the finished head to."""
        shutil.rmtree(self.folder / _HEAD, ignore_errors=True)
        return self.folder / _HEAD

    def note(self, name: str, value: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Something small that outlives the process; what was noted last, where nothing is given."""
        path = self.folder / f"{name}.json"
        if value is not None:
            _write(path, value)
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return found

    def abandon(self) -> None:
        """Forget a run that failed with nothing to go on from: the next one may be another."""
        if any(path.is_file() for stage in self.folder.glob("*/") for path in stage.rglob("*")):
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._made and self.out.is_dir() and not any(self.out.iterdir()):
            self.out.rmdir()

    def publish(self) -> None:
        """Move the finished head to where it was asked for, and forget the run."""
        for path in sorted((self.folder / _HEAD).iterdir()):
            target = self.out / path.name
            if target.is_dir():  # of a process that was stopped right here
                shutil.rmtree(target)
            os.replace(path, target)
        shutil.rmtree(self.folder)


def finish(stage: Path, log: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
    """A stage is over: its weights and what it did; the checkpoints on the way are removed."""
    stage.mkdir(parents=True, exist_ok=True)
    save_file({name: value.cpu() for name, value in weights.items()}, stage / f"{_DONE}.safetensors")
    _write(stage / f"{_DONE}.json", log)
    for path in stage.glob("checkpoint-*"):
        shutil.rmtree(path, ignore_errors=True)


def finished(stage: Path) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """What `finish` wrote; None for a stage that is not over."""
    if not (stage / f"{_DONE}.json").is_file():
        return None
    log = json.loads((stage / f"{_DONE}.json").read_text(encoding="utf-8"))
    try:
        return log, load_file(stage / f"{_DONE}.safetensors")
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{stage}: the weights of this stage are damaged; name a new folder") from error


def last_checkpoint(stage: Path) -> Path | None:
    """The newest complete checkpoint of a stage. One that was being written when the process ended is removed."""
    for path in sorted(stage.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True):
        try:
            json.loads((path / _STATE).read_text(encoding="utf-8"))
            return path
        except (OSError, ValueError):
            shutil.rmtree(path, ignore_errors=True)
    return None


def _refuse_other(out: Path, there: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    differs = [name for name in {**there, **given} if there.get(name) != given.get(name)]
    if differs:
        said = "; ".join(
            f"{name}: {_short(there.get(name))} there, {_short(given.get(name))} given" for name in differs
        )
        raise CheckpointError(
            f"{out} holds the progress of another run ({said}); type the same command again to go on with it, or name "
            "a new folder"
        )


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _write(path: Path, value: Mapping[str, Any]) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value, indent=1), encoding="utf-8")
    os.replace(part, path)
