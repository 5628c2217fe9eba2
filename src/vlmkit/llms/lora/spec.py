"""Which layers an adapter goes to, said by role and compiled to full module names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vlmkit.errors import WiringError
from vlmkit.protocols import Role

if TYPE_CHECKING:
    from torch import nn

DEFAULT_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class LoraSpec:
    """A low-rank adapter for one role.

    Attributes:
        role: whose layers; "llm" never touches the vision tower, whatever its layers are called.
        r: rank; 16 is the most that vLLM takes without being told.
        alpha: the adapter is scaled by alpha / r.
        dropout: on the adapter's input, while training.
        targets: last part(s) of the names of linear layers, such as `q_proj` or `attn.proj`; each has to exist.

    Raises `WiringError` for values out of range.
    """

    role: Role = "llm"
    r: int = 16
    alpha: int = 32
    dropout: float = 0.0
    targets: tuple[str, ...] = DEFAULT_TARGETS

    def __post_init__(self) -> None:
        if self.r < 1 or self.alpha <= 0 or not 0 <= self.dropout < 1 or not self.targets:
            raise WiringError(f"{self}: wanted r >= 1, alpha > 0, 0 <= dropout < 1 and at least one target")

    def pattern(self, prefixes: Mapping[Role, Sequence[str]]) -> str:
        """A regular expression for whole module names.

        A bare suffix list would not do: Qwen2.5-VL's *vision* MLP has gate_proj, up_proj and down_proj as well.

        Args:
            prefixes: where each role lives, as `role_prefixes` gives it; "" stands for the whole module.

        Raises `WiringError` for a role that has no prefix.
        """
        if not prefixes.get(self.role):
            raise WiringError(f"LoRA for role {self.role!r}: the model has {', '.join(sorted(prefixes)) or 'no role'}")
        heads = "|".join(re.escape(f"{prefix}.") if prefix else "" for prefix in prefixes[self.role])
        return rf"(?:{heads})(?:.+\.)?(?:{'|'.join(map(re.escape, self.targets))})"


def role_prefixes(model: nn.Module) -> dict[Role, tuple[str, ...]]:
    """Where the roles live in a `transformers` model, as prefixes of module names.

    Vision-language classes with `model.visual` and `model.language_model` (Qwen2.5-VL, Qwen3-VL), and causal LMs with
    `model.layers`. The merger counts as encoder. Raises `WiringError` for another layout.
    """
    names = {name for name, _ in model.named_modules()}
    head = ("lm_head",) if "lm_head" in names else ()
    if {"model.language_model", "model.visual"} <= names:
        return {"encoder": ("model.visual",), "llm": ("model.language_model", *head)}
    if "model.layers" in names:
        return {"llm": ("model", *head)}
    raise WiringError(
        f"{type(model).__name__}: neither model.visual with model.language_model nor model.layers; "
        "give the prefixes yourself, such as {'llm': ('decoder',)}"
    )


def role_of(name: str, prefixes: Mapping[Role, Sequence[str]]) -> Role | None:
    """The role that a module belongs to; the longest prefix wins."""
    fitting = [
        (len(prefix), role)
        for role, group in prefixes.items()
        for prefix in group
        if not prefix or name == prefix or name.startswith(f"{prefix}.")
    ]
    return max(fitting)[1] if fitting else None
