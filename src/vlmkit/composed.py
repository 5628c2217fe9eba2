"""The weights of a composed model: encoders, aligner and projector part by part; a language model that takes LoRA."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch

from vlmkit.llms.lora.host import LoraHost
from vlmkit.parts import Part, PartHost
from vlmkit.protocols import Role

LLM = "llm"


class Composed(PartHost, LoraHost):
    """The backbone of a model whose parts come from different libraries.

    Saved part by part, with the language model as `llm/` in Hugging Face's own layout.

    Args:
        hf: the causal language model; `tokenizer`: its own.
        parts: all the others, by name.
        base: hub id of the language model's weights, with `revision`; None for weights that only exist here.
    """

    def __init__(
        self, hf: Any, tokenizer: Any, parts: Mapping[str, Part], base: str | None = None, revision: str | None = None
    ) -> None:
        super().__init__(parts)
        self.hf = hf
        self.base = base
        self.revision = revision
        self._tokenizer = tokenizer

    @property
    def tokenizer(self) -> Any:
        """The language model's."""
        return self._tokenizer

    def own(self, roles: Collection[Role]) -> None:
        """These roles were trained: their weights are nobody else's any more."""
        super().own(roles)
        if "llm" in roles:
            self.base = self.revision = None

    def save(self, directory: Path, dtype: torch.dtype | None = None) -> None:
        """Write what a hub does not have; floating numbers as `dtype`, where it is given."""
        super().save(directory, dtype)
        if self.base is None:
            self.hf.save_pretrained(directory / LLM, state_dict=self.stored_state(dtype))
            self.tokenizer.save_pretrained(directory / LLM)
