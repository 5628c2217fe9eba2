"""One directory per trained head: weights, adapter, and `vlmkit.json`, which ties them to prompt, schema and specs.

Layout: `base/` (weights in Hugging Face's own layout, composed models part by part; not what a hub has), PEFT's
`adapter_config.json` and `adapter_model.safetensors` at the root, `vlmkit.json`, `README.md`; `seen.dat` where it was
trained, `calibration_{mode}.json` and `thresholds_{mode}.json` where it was calibrated.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError

from vlmkit.calibration.files import Calibration, Mode, modes
from vlmkit.calibration.files import read as read_calibration
from vlmkit.calibration.record import Record
from vlmkit.checkpoint.about import Manifest, card
from vlmkit.checkpoint.files import MANIFEST as MANIFEST
from vlmkit.checkpoint.files import compare, digests
from vlmkit.errors import CheckpointError
from vlmkit.model import Model
from vlmkit.safety import refuse_pickles
from vlmkit.seen import FILE as SEEN
from vlmkit.seen import Seen
from vlmkit.task import Task
from vlmkit.types import Sample

ADAPTER = "adapter_model.safetensors"


class CheckpointWarning(UserWarning):
    """A checkpoint that loads, but was made with another prompt or preprocessing than the code has now."""


@dataclass(frozen=True)
class Beside:
    """What a checkpoint holds beside the model. `record` is None for a calibration that came with none."""

    calibration: Calibration | None = None
    record: Record | None = None
    seen: Seen | None = None


@dataclass(frozen=True)
class Checkpoint:
    """A directory that was checked: what it says, and where its parts are."""

    directory: Path
    about: Manifest

    @property
    def base(self) -> Path | str:
        """The weights: a directory inside, or the hub id that the adapter was trained on."""
        inside = self.directory / "base"
        if inside.is_dir():
            return inside
        if self.about.base.id is None:
            raise CheckpointError(
                f"{self.directory} has neither base/ nor the id of a base; copy the whole folder again"
            )
        return self.about.base.id

    @property
    def history(self) -> list[dict[str, Any]]:
        """The runs that made these weights, oldest first, as plain data."""
        return [run.model_dump() for run in self.about.training]

    @property
    def adapter(self) -> Path | None:
        """The PEFT directory, when there is one."""
        return self.directory if (self.directory / ADAPTER).is_file() else None

    @property
    def seen(self) -> Seen | None:
        """The samples that it was trained on, where they are on record."""
        return Seen.read(self.directory / SEEN) if SEEN in self.about.files else None

    def calibration(self, mode: Mode) -> tuple[Calibration | None, Record | None]:
        """Maps and thresholds of that mode, and how they came about; None where there is none.

        Raises `CheckpointError` naming what there is: for "full" where there is only another one, for "pilot" always.
        """
        there = modes(self.directory)
        if mode not in there and (there or mode != "full"):
            raise CheckpointError(
                f"{self.directory} has no calibration {mode!r}; it has: {', '.join(there) or 'none'}; name one of them "
                "(calibration=, --calibration), or 'none'"
            )
        return read_calibration(self.directory, mode), self.about.calibration.get(mode)

    def differs(self, task: Task[Any]) -> tuple[str, ...]:
        """What the code has otherwise by now. Raises `CheckpointError` when it is the schema, or another task.

        A changed prompt or preprocessing is a warning: the weights still load, with the preprocessing that they were
        trained with, and may be asked a question that they were not trained on.
        """
        if self.about.task != task.name:
            raise CheckpointError(f"{self.directory} holds a {self.about.task!r} head, not {task.name!r}")
        now, then = contract(task), self.about.hashes
        if now["reply"] != then.reply:
            raise CheckpointError(
                f"{self.directory} was trained to answer in another schema of {task.name!r} than this version of "
                f"vlmkit has; train again, or install vlmkit {self.about.vlmkit}"
            )
        changed = {
            "prompt": now["prompt"] != then.prompt,
            "preprocessing": _bound(task.name, self.about.preset, task.specs(self.about.preset)) != then.specs,
        }
        for name in (name for name, differs in changed.items() if differs):
            message = f"{self.directory} was trained with another {name} than this version of vlmkit has"
            warnings.warn(message, CheckpointWarning, stacklevel=3)
        return tuple(name for name, differs in changed.items() if differs)


def contract(task: Task[Any]) -> dict[str, str]:
    """SHA-256 of the prompt and of the bounded schema, as the code has them."""
    constraint = task.decoder().constraint(Sample("probe"))
    messages = [asdict(message) for message in task.prompt(Sample("probe")).messages] if task.prompt else None
    # Without a grammar there is no text to obey: what the answer may be is said by its own type.
    schema = constraint.schema if constraint else TypeAdapter(task.result).json_schema()
    return {"prompt": _digest(messages), "reply": _digest(schema)}


def specs_of(model: Model[Any]) -> dict[str, Any]:
    """Preprocessing of all encoders, by modality."""
    found: dict[str, Any] = {}
    for reader in model.readers:
        found |= reader.spec
    return found


def base_of(model: Model[Any]) -> dict[str, str | None]:
    """Hub id and revision of the weights; nulls for weights that only exist here."""
    backbone = model.backbone
    return {"id": backbone.base if backbone else None, "revision": backbone.revision if backbone else None}


def save(
    model: Model[Any],
    directory: Path,
    task: Task[Any],
    *,
    preset: str,
    training: Sequence[Mapping[str, Any]],
    dtype: torch.dtype | None = None,
    beside: Beside = Beside(),  # frozen
) -> None:
    """Write everything that answering again needs. Raises `CheckpointError` for a folder that is in use.

    Weights that are a hub id's are not written again: the id is.

    Args:
        dtype: type of the written weights; their own when not given, and always beside an adapter, which is tied to
            the very numbers that it was trained on.
        beside: calibration and training samples, where there are any.
    """
    backbone = model.backbone
    if backbone is None:
        raise CheckpointError("this model has no backbone that could save its weights")
    if directory.exists() and any(directory.iterdir()):
        raise CheckpointError(f"{directory} is not empty; name a new folder")
    directory.mkdir(parents=True, exist_ok=True)
    adapted = bool(model.roles["lora"])
    backbone.save(directory / "base", None if adapted else dtype)
    if adapted:
        backbone.save_adapter(directory, {"training": list(training)})
    if beside.calibration is not None:
        beside.calibration.write(directory)
    if beside.seen is not None and len(beside.seen.ids):
        beside.seen.write(directory / SEEN)
    specs = specs_of(model)
    records = {beside.calibration.mode: beside.record} if beside.calibration and beside.record else {}
    about = {
        "format": 1,
        "vlmkit": version("vlmkit"),
        "task": task.name,
        "preset": preset,
        "base": base_of(model),
        "specs": specs,
        "hashes": {**contract(task), "specs": _bound(task.name, preset, specs)},
        "training": list(training),
        "calibration": {mode: record.model_dump(mode="json") for mode, record in records.items()},
    }
    (directory / "README.md").write_text(card(about), encoding="utf-8")
    about["files"] = digests(directory)
    (directory / MANIFEST).write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def open_checkpoint(directory: Path, *, calibrated: bool = True) -> Checkpoint:
    """Check a directory before any weight is read; without `calibrated` all but its calibration, which is not read.

    Raises `CheckpointError` for a folder that is none of ours, pickles, files that are missing, edited or added, and
    preprocessing that was edited by hand.
    """
    path = directory / MANIFEST
    if not path.is_file():
        there = "no such folder" if not directory.is_dir() else f"no {MANIFEST} in it"
        raise CheckpointError(
            f"{directory} is no vlmkit checkpoint: {there}; wanted a folder that vlmkit train or save_pretrained wrote"
        )
    refuse_pickles(directory)
    try:
        about = Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "JSON"
        raise CheckpointError(f"{path} is damaged, or of another version: {where}: {first['msg']}") from None
    compare(directory, about.files, calibrated=calibrated)
    if _bound(about.task, about.preset, about.specs) != about.hashes.specs:
        raise CheckpointError(f"{path}: task, preset or preprocessing was edited after training; restore the file")
    return Checkpoint(directory, about)


def _bound(task: str, preset: str, specs: Mapping[str, Any]) -> str:
    return _digest([task, preset, specs])


def _digest(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
