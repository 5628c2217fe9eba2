"""A Hugging Face model as the base of an adapter: who it is, and how the adapter joins and leaves it."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from vlmkit.llms.lora.identity import DIGEST
from vlmkit.llms.lora.inject import add_lora
from vlmkit.llms.lora.load import load_adapter
from vlmkit.llms.lora.merge import merge_adapter
from vlmkit.llms.lora.save import save_adapter
from vlmkit.llms.lora.spec import LoraSpec, role_prefixes


class LoraHost(ABC):
    """The LoRA half of a `Backbone`, for what has the attributes below.

    Attributes:
        hf: the `transformers` model; `tokenizer`: its own.
        base: hub id that the weights are those of, with `revision`; None for weights that only exist here.
    """

    hf: Any
    base: str | None
    revision: str | None

    @property
    @abstractmethod
    def tokenizer(self) -> Any:
        """The tokenizer of `hf`."""

    @property
    def identity(self) -> str:
        """What an adapter names as its base: the hub id, or a digest of the weights without any adapter."""
        return self.base if self.base is not None else f"{DIGEST}{weights_sha256(self.base_state())}"

    @property
    def _folder(self) -> str | None:
        where = str(getattr(self.hf.config, "_name_or_path", "") or "")
        return where if self.base is None and Path(where).is_dir() and where else None

    def base_state(self) -> dict[str, Any]:
        """The weights under the names that they have without an adapter."""
        state = self.hf.state_dict().items()
        return {name.replace(".base_layer.", "."): value for name, value in state if ".lora_" not in name}

    def stored_state(self, dtype: torch.dtype | None = None) -> dict[str, torch.Tensor]:
        """`base_state` as a file holds it."""
        return stored(self.base_state(), dtype)

    def checkpoint_activations(self, on: bool) -> None:
        """Gradient checkpointing, in the variant that also works below frozen layers."""
        checkpoint_activations(self.hf, on)

    def add_lora(self, **spec: Any) -> tuple[str, ...]:
        """Fresh LoRA weights in the language model; returns the names of the modules that got some."""
        matched = add_lora(self.hf, LoraSpec(**spec), role_prefixes(self.hf))
        for name, parameter in self.hf.named_parameters():
            if ".lora_" in name:
                parameter.data = parameter.data.float()  # steps of 2e-4 are lost between the steps of bf16
        return matched

    def load_adapter(self, directory: Path) -> tuple[str, ...]:
        """A PEFT directory, strictly: every key has to reach a module, and the base has to be the recorded one."""
        return load_adapter(self.hf, directory, base=self.identity, revision=self.revision, folder=self._folder).modules

    def merge_adapter(self) -> float:
        """Into the base, proved on the logits of random text; raises `AdapterError` where they differ."""
        noise = torch.Generator().manual_seed(0)
        ids = torch.randint(len(self.tokenizer), (4, 32), generator=noise).to(self.hf.device)
        lost = merge_adapter(self.hf, lambda: self.hf(input_ids=ids).logits).lost
        self.base = self.revision = None  # these are nobody else's weights any more
        return lost

    def save_adapter(self, directory: Path, provenance: Mapping[str, Any]) -> None:
        """The LoRA weights as a PEFT directory that names its base."""
        save_adapter(self.hf, directory, base=self.identity, revision=self.revision, provenance=provenance)


def checkpoint_activations(hf: Any, on: bool) -> None:
    """Gradient checkpointing of a `transformers` model, in the variant that also works below frozen layers."""
    # transformers 5.23 deprecates the old word; 5.19 does not know the new one
    word = "activation" if hasattr(hf, "activation_checkpointing_enable") else "gradient"
    switch = getattr(hf, f"{word}_checkpointing_{'enable' if on else 'disable'}")
    switch(**({f"{word}_checkpointing_kwargs": {"use_reentrant": False}} if on else {}))


def weights_sha256(state: Mapping[str, Any]) -> str:
    """One hex digest over names and values, taken in fp32, so that the stored type does not matter."""
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        digest.update(name.encode())
        digest.update(value.detach().float().cpu().contiguous().numpy().data)
    return digest.hexdigest()


def stored(state: Mapping[str, torch.Tensor], dtype: torch.dtype | None) -> dict[str, torch.Tensor]:
    """Weights as a file holds them; floating numbers as `dtype`, where it is given.

    Tied weights stay one tensor, so that `transformers` writes them once.
    """
    made: dict[tuple[int, torch.Size], torch.Tensor] = {}

    def one(value: torch.Tensor) -> torch.Tensor:
        kept = value.detach().cpu()
        return (kept.to(dtype) if dtype is not None and kept.is_floating_point() else kept).contiguous()

    return {name: made.setdefault((value.data_ptr(), value.shape), one(value)) for name, value in state.items()}
