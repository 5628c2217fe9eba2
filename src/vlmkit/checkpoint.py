"""One directory per trained head: weights, adapter, and `vlmkit.json`, which ties them to prompt, schema and specs.

Layout: `base/` (weights in Hugging Face's own layout, absent where only an adapter was trained), PEFT's
`adapter_config.json` and `adapter_model.safetensors` at the root, `vlmkit.json`, `README.md`.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from vlmkit.errors import CheckpointError
from vlmkit.model import Model
from vlmkit.safety import refuse_pickles
from vlmkit.task import Task
from vlmkit.types import Sample

FORMAT = 1
MANIFEST = "vlmkit.json"
ADAPTER = "adapter_model.safetensors"


class CheckpointWarning(UserWarning):
    """A checkpoint that loads, but was made with another prompt or preprocessing than the code has now."""


@dataclass(frozen=True)
class Checkpoint:
    """A directory that was checked: what it says, and where its parts are."""

    directory: Path
    about: Mapping[str, Any]

    @property
    def base(self) -> Path | str:
        """The weights: a directory inside, or the hub id that the adapter was trained on."""
        inside = self.directory / "base"
        return inside if inside.is_dir() else str(self.about["base"]["id"])

    @property
    def adapter(self) -> Path | None:
        """The PEFT directory, when there is one."""
        return self.directory if (self.directory / ADAPTER).is_file() else None

    @property
    def specs(self) -> Mapping[str, Any]:
        """Preprocessing to be replayed."""
        specs: Mapping[str, Any] = self.about["specs"]
        return specs

    def differs(self, task: Task[Any]) -> tuple[str, ...]:
        """What the code now has otherwise. Raises `CheckpointError` when it is the schema, or another task.

        A changed prompt is a warning: the weights still load, and answer a question that they were not trained on.
        """
        if self.about["task"] != task.name:
            raise CheckpointError(f"{self.directory} holds a {self.about['task']!r} head, not {task.name!r}")
        now, then = contract(task), self.about["hashes"]
        if now["schema"] != then["schema"]:
            raise CheckpointError(
                f"{self.directory} was trained to answer in another schema of {task.name!r} than this version of "
                f"vlmkit has; train again, or install vlmkit {self.about['vlmkit']}"
            )
        changed = tuple(name for name in ("prompt",) if now[name] != then[name])
        for name in changed:
            message = f"{self.directory} was trained with another {name} than this version of vlmkit uses"
            warnings.warn(message, CheckpointWarning, stacklevel=3)
        return changed


def contract(task: Task[Any]) -> dict[str, str]:
    """SHA-256 of what weights and code have to agree on: the prompt and the bounded schema."""
    constraint = task.decoder().constraint(Sample("probe"))
    messages = [asdict(message) for message in task.prompt(Sample("probe")).messages]
    return {
        "prompt": _sha(json.dumps(messages, sort_keys=True, ensure_ascii=False).encode()),
        "schema": _sha((constraint.schema if constraint else "").encode()),
    }


def specs_of(model: Model[Any]) -> dict[str, Any]:
    """Preprocessing of all encoders, by modality."""
    found: dict[str, Any] = {}
    for encoder in model.encoders:
        found |= encoder.spec
    return found


def save(
    model: Model[Any],
    directory: Path,
    task: Task[Any],
    *,
    preset: str,
    synthetic: bool,
    training: Mapping[str, Any],
    keep_base: bool,
    dtype: torch.dtype | None = None,
) -> None:
    """Write everything that answering again needs. Raises `CheckpointError` for a folder that is in use.

    Args:
        keep_base: write the weights themselves; without it only an adapter, and the base's id.
        dtype: type of the written weights; their own when not given.
    """
    if model.backbone is None:
        raise CheckpointError("this model has no backbone that could save its weights")
    if directory.exists() and any(directory.iterdir()):
        raise CheckpointError(f"{directory} is not empty; name a new folder")
    directory.mkdir(parents=True, exist_ok=True)
    if keep_base or model.backbone.base is None:
        model.backbone.save(directory / "base", dtype)
    if model.roles["lora"]:
        model.backbone.save_adapter(directory, training)
    specs = specs_of(model)
    about = {
        "format": FORMAT,
        "vlmkit": version("vlmkit"),
        "task": task.name,
        "preset": preset,
        "synthetic": synthetic,
        "base": {"id": model.backbone.base, "revision": model.backbone.revision},
        "specs": specs,
        "hashes": {**contract(task), "specs": _sha(json.dumps(specs, sort_keys=True).encode())},
        "training": dict(training),
    }
    (directory / "README.md").write_text(_card(about), encoding="utf-8")
    about["files"] = {name: _sha((directory / name).read_bytes()) for name in _weights(directory)}
    (directory / MANIFEST).write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def open_checkpoint(directory: Path) -> Checkpoint:
    """Check a directory before any weight is read.

    Raises `CheckpointError` for a folder that is none of ours, pickles, files that are missing, edited or added, and
    preprocessing that was edited by hand.
    """
    if not (directory / MANIFEST).is_file():
        there = "no such folder" if not directory.is_dir() else f"no {MANIFEST} in it"
        raise CheckpointError(
            f"{directory} is no vlmkit checkpoint: {there}; wanted a folder that vlmkit train or save_pretrained wrote"
        )
    refuse_pickles(directory)
    try:
        about = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
        wanted, hashes, specs = dict(about["files"]), about["hashes"], about["specs"]
        supported = about["format"] == FORMAT
        told = (about["task"], about["preset"], about["base"]["id"], hashes["prompt"], hashes["schema"])
    except (ValueError, KeyError, TypeError, UnicodeDecodeError):
        raise CheckpointError(f"{directory / MANIFEST} is damaged; train or save again") from None
    if not supported or not told[0]:
        raise CheckpointError(f"{directory} has format {about['format']!r}; this vlmkit reads format {FORMAT}")
    _compare(directory, wanted)
    if _sha(json.dumps(specs, sort_keys=True).encode()) != hashes["specs"]:
        raise CheckpointError(f"{directory / MANIFEST}: the preprocessing was edited after training; restore the file")
    return Checkpoint(directory, about)


def _compare(directory: Path, wanted: Mapping[str, str]) -> None:
    present = set(_weights(directory))
    if missing := sorted(set(wanted) - present):
        raise CheckpointError(f"{directory}: {missing[0]} is missing; copy the whole folder again")
    if added := sorted(present - set(wanted)):
        raise CheckpointError(f"{directory}: {added[0]} was not there when the head was saved; remove it")
    for name, digest in wanted.items():
        if _sha((directory / name).read_bytes()) != digest:
            raise CheckpointError(f"{directory}: {name} was changed after saving; restore it, or train and save again")


def _weights(directory: Path) -> list[str]:
    """Everything that decides an answer, by relative name."""
    files = [path for path in directory.rglob("*") if path.is_file() and path.name not in (MANIFEST, "README.md")]
    return sorted(path.relative_to(directory).as_posix() for path in files if not path.name.startswith("."))


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _card(about: Mapping[str, Any]) -> str:
    origin = (
        "Trained on synthetic data only: it shows that the software works, not that it is right about real footage."
        if about["synthetic"]
        else f"Base: {about['base']['id'] or 'random weights'}."
    )
    training = json.dumps(about["training"], indent=2, ensure_ascii=False)
    return (
        f"---\nlibrary_name: vlmkit\ntags: [vlmkit, {about['task']}]\n---\n\n"
        f"# {about['task']} ({about['preset']})\n\n{origin}\n\n"
        f'```python\nimport vlmkit\n\nhead = vlmkit.load("path/to/this/folder")\n```\n\n'
        f"Training, as `vlmkit train` recorded it:\n\n```json\n{training}\n```\n"
    )
