"""Parts of a model that come from different libraries: saved one by one, and restored as the numbers they were."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, RootModel, ValidationError
from safetensors.torch import load_file, save_file
from torch import nn

from vlmkit.errors import CheckpointError
from vlmkit.llms.lora.host import stored, weights_sha256
from vlmkit.protocols import Role
from vlmkit.safety import require_safetensors

PARTS = "parts.json"


@dataclass
class Part:
    """One module besides the language model.

    Attributes:
        role: what it is trained as.
        source: where its weights are public (a hub id, a file's name); None for weights that only exist here.
        trained: whether its weights are more than a random start.
    """

    module: nn.Module
    role: Role
    source: str | None = None
    trained: bool = False


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str | None
    trained: bool
    sha256: str


class _Records(RootModel[dict[str, _Record]]):
    pass


class PartHost:
    """The half of a `Backbone` that is about parts.

    Saved as one safetensors file a part, and `parts.json` with a digest of each. Parts whose weights are public and
    were not trained are not written again: their source and digest are.

    Args:
        parts: by name, such as `image`, `audio`, `aligner`, `projector`.
    """

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self.parts = dict(parts)

    @property
    def untrained(self) -> tuple[str, ...]:
        """Parts whose weights are a random start still: their answers are noise."""
        return tuple(name for name, part in self.parts.items() if not part.trained and part.source is None)

    def own(self, roles: Collection[Role]) -> None:
        """These roles were trained: their weights are nobody else's any more."""
        for part in self.parts.values():
            if part.role in roles:
                part.source, part.trained = None, True

    def save(self, directory: Path, dtype: torch.dtype | None = None) -> None:
        """Write what a hub does not have; floating numbers as `dtype`, where it is given."""
        directory.mkdir(parents=True, exist_ok=True)
        records = {}
        for name, part in self.parts.items():
            state = stored(part.module.state_dict(), dtype)
            if part.source is None:
                save_file(state, directory / f"{name}.safetensors")
            digest = weights_sha256(state if part.source is None else part.module.state_dict())
            records[name] = _Record(source=part.source, trained=part.trained, sha256=digest)
        (directory / PARTS).write_text(_Records(records).model_dump_json(indent=1) + "\n", encoding="utf-8")


def public_parts(directory: Path) -> dict[str, str]:
    """Sources of the parts that a saved model took from elsewhere, by name. Raises `CheckpointError`."""
    return {name: record.source for name, record in _records(directory).items() if record.source is not None}


def restore(parts: Mapping[str, Part], directory: Path) -> None:
    """Load what `PartHost.save` wrote into parts of the same shape, strictly, and compare public ones by digest.

    Raises `CheckpointError` for parts that are missing or unexpected, of another shape, or not the recorded numbers.
    """
    records = _records(directory)
    if set(records) != set(parts):
        raise CheckpointError(f"{directory} holds {', '.join(sorted(records))}; wanted {', '.join(sorted(parts))}")
    for name, record in records.items():
        part, file = parts[name], directory / f"{name}.safetensors"
        if record.source is None:
            require_safetensors(file)
            _fill(part.module, load_file(file), file)
        elif weights_sha256(part.module.state_dict()) != record.sha256:
            raise CheckpointError(
                f"{directory}: the head was trained on {record.source} with other numbers than it has now; "
                "restore that file, or train again"
            )
        part.source, part.trained = record.source, record.trained


def _fill(module: nn.Module, state: Mapping[str, torch.Tensor], file: Path) -> None:
    own = module.state_dict()
    wrong = sorted(set(own) ^ set(state)) or [name for name in own if own[name].shape != state[name].shape]
    if wrong:
        raise CheckpointError(f"{file}: {len(wrong)} weights do not fit this version's module, the first is {wrong[0]}")
    module.load_state_dict(state)


def _records(directory: Path) -> dict[str, _Record]:
    path = directory / PARTS
    try:
        return _Records.model_validate_json(path.read_bytes()).root
    except (OSError, ValidationError):
        raise CheckpointError(f"{path} is missing or damaged; copy the whole folder again") from None
