"""The weights of a model without a language model: experts, fusion and classifiers, part by part."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import torch
from transformers import PreTrainedModel

from vlmkit.errors import AdapterError
from vlmkit.llms.lora.host import checkpoint_activations, weights_sha256
from vlmkit.llms.lora.identity import DIGEST
from vlmkit.parts import Part, PartHost

TOKENIZER = "tokenizer"


class Assembled(PartHost):
    """The backbone of a model whose decoder reads rows. It takes no LoRA.

    Args:
        parts: all of them, by name; `text` is the one that the tokenizer belongs to.
        tokenizer: saved in `tokenizer/`, unless the weights of `text` are public, and it with them.
    """

    base: str | None = None  # no part is the base of the others
    revision: str | None = None

    def __init__(self, parts: Mapping[str, Part], tokenizer: Any) -> None:
        super().__init__(parts)
        self.tokenizer = tokenizer

    @property
    def identity(self) -> str:
        """A digest of all weights."""
        states = {name: part.module.state_dict() for name, part in self.parts.items()}
        every = {f"{name}.{key}": value for name, state in states.items() for key, value in state.items()}
        return f"{DIGEST}{weights_sha256(every)}"

    def save(self, directory: Path, dtype: torch.dtype | None = None) -> None:
        """Write what a hub does not have; floating numbers as `dtype`, where it is given."""
        super().save(directory, dtype)
        if self.parts["text"].source is None:
            self.tokenizer.save_pretrained(directory / TOKENIZER)

    def checkpoint_activations(self, on: bool) -> None:
        """Gradient checkpointing of the parts that `transformers` made."""
        for part in self.parts.values():
            if isinstance(part.module, PreTrainedModel):
                checkpoint_activations(part.module, on)

    def add_lora(self, **spec: Any) -> tuple[str, ...]:
        """Raises `AdapterError`: there is no language model to adapt."""
        _refuse()

    def load_adapter(self, directory: Path) -> tuple[str, ...]:
        """Raises `AdapterError`."""
        _refuse()

    def merge_adapter(self) -> float:
        """Raises `AdapterError`."""
        _refuse()

    def save_adapter(self, directory: Path, provenance: Mapping[str, Any]) -> None:
        """Raises `AdapterError`."""
        _refuse()


def _refuse() -> NoReturn:
    raise AdapterError("this model has no language model, so it takes no LoRA adapter; train its parts instead")
