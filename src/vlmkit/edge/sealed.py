"""The backbone of a head whose language model is int8: it answers, and can be neither trained nor adapted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NoReturn

import torch

from vlmkit.composed import Composed
from vlmkit.errors import AdapterError, CheckpointError, WiringError
from vlmkit.llms.int8 import to_int8
from vlmkit.model import Model
from vlmkit.protocols import Role


class Sealed:
    """A `Backbone` that only answers.

    Attributes:
        base, revision: None; rounded weights are nobody else's.
        untrained: parts that were random when it was sealed.
    """

    base: str | None = None
    revision: str | None = None

    def __init__(self, untrained: tuple[str, ...] = ()) -> None:
        self.untrained = untrained

    @property
    def identity(self) -> str:
        """No adapter can name it as its base."""
        raise AdapterError("int8 weights are no base of an adapter; load in fp32 (--precision fp32)")

    def save(self, directory: Path, dtype: torch.dtype | None = None) -> None:
        """Refused: `vlmkit export` writes int8 heads."""
        raise CheckpointError(
            "an int8 head is not saved again: copy the folder that vlmkit export wrote, or type: vlmkit export TASK "
            "--model DIR -o OUT"
        )

    def own(self, roles: Collection[Role]) -> None:
        """Refused: nothing of it can have been trained."""
        self._refuse("trained")

    def checkpoint_activations(self, on: bool) -> None:
        """Refused, as training is."""
        self._refuse("trained")

    def add_lora(self, **spec: Any) -> tuple[str, ...]:
        """Refused: train in fp32 or bf16."""
        self._refuse("trained")

    def load_adapter(self, directory: Path) -> tuple[str, ...]:
        """Refused: an adapter is merged before weights are rounded."""
        raise AdapterError(
            f"{directory}: int8 weights take no adapter; load the base with it and precision='int8', which merges it "
            "first, or merge it before the export"
        )

    def merge_adapter(self) -> float:
        """Refused: it has none."""
        raise AdapterError("an int8 head has no adapter: it was merged before the weights were rounded")

    def save_adapter(self, directory: Path, provenance: Mapping[str, Any]) -> None:
        """Refused: it has none."""
        raise AdapterError("an int8 head has no adapter to save")

    def _refuse(self, what: str) -> NoReturn:
        raise WiringError(f"int8 weights cannot be {what}; load the head in fp32 or bf16 (--precision)")


def seal(model: Model[Any]) -> None:
    """Merge the adapter, round the language model's weights to int8, and let nobody train or adapt it any more.

    Nothing happens to a head that is sealed. Raises `WiringError` for a model that is not composed of parts.
    """
    backbone = model.backbone
    if isinstance(backbone, Sealed):
        return
    if not isinstance(backbone, Composed):
        raise WiringError("int8 is for heads composed of encoders and a text model; choose another precision")
    if model.roles["lora"]:
        backbone.merge_adapter()
    to_int8(backbone.hf)
    model.backbone = Sealed(backbone.untrained)
