"""What a model asks of the weights behind its views."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vlmkit.protocols import Role

if TYPE_CHECKING:
    import torch


class Backbone(Protocol):
    """The weights behind the views: how they are written, and how an adapter joins them."""

    @property
    def base(self) -> str | None:
        """Hub id or directory that the weights came from; None for weights made here."""
        ...

    @property
    def revision(self) -> str | None:
        """Commit of the base on the hub, where it was named."""
        ...

    @property
    def identity(self) -> str:
        """What an adapter names as its base: the hub id, or a digest of the weights."""
        ...

    @property
    def untrained(self) -> tuple[str, ...]:
        """Parts that were never trained, in a model whose other parts were: a head of it answers noise."""
        ...

    def save(self, directory: Path, dtype: torch.dtype | None = None) -> None:
        """Write everything but adapters and what a hub has, in the layout of the library that the weights belong to."""
        ...

    def own(self, roles: Collection[Role]) -> None:
        """Take note that these roles were trained: their weights are nobody else's any more."""
        ...

    def checkpoint_activations(self, on: bool) -> None:
        """Compute activations again in the backward pass instead of keeping them."""
        ...

    def add_lora(self, **spec: Any) -> tuple[str, ...]:
        """Inject fresh LoRA weights; returns the names of the modules that got some."""
        ...

    def load_adapter(self, directory: Path) -> tuple[str, ...]:
        """Load a PEFT directory, strictly; returns the names of the modules that it reached."""
        ...

    def merge_adapter(self) -> float:
        """Add the LoRA weights to the base, or refuse; returns the part of their effect that rounding lost."""
        ...

    def save_adapter(self, directory: Path, provenance: Mapping[str, Any]) -> None:
        """Write the LoRA weights as a PEFT directory."""
        ...
