"""How a preset is trained: stages in order, as plain data that imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vlmkit.protocols import Role
from vlmkit.types import Sample

LabelAt = Callable[[Sample, float], str | None]
"""`(sample, seconds from the clip's start) -> ` the class of that moment, or None where the truth does not say."""


@dataclass(frozen=True)
class Stage:
    """One run of the optimiser.

    Attributes:
        objective: "sft" learns to write the true answer; "probe" learns the class of each time step through a
            throw-away linear layer, which gets a vision tower going that starts from random weights.
        roles: what learns; everything else is frozen and in eval mode. A frozen encoder runs once, its rows are kept.
        rates: peak learning rate a role; cosine decay to zero after the warm-up.
        steps: optimiser steps; `batch_size` samples at once, `accumulate` times before each step.
        checkpointing: compute activations again instead of keeping them: less memory, a third more arithmetic.
        warmup: share of the steps.
        sigma: whole numbers in an answer are compared with a Gaussian of this width around the true number, in
            numbers; None compares with the true number alone.
        last_number: the largest number that an answer holds; used with `sigma`.
        lora: arguments of `LoraSpec` for fresh adapters, where a stage trains the role "lora".
        label_at: the truth of a "probe" stage.
    """

    name: str
    objective: Literal["probe", "sft"]
    roles: tuple[Role, ...]
    rates: Mapping[Role, float]
    steps: int
    batch_size: int
    accumulate: int = 1
    checkpointing: bool = False
    warmup: float = 0.05
    weight_decay: float = 0.01
    sigma: float | None = None
    last_number: int = 0
    lora: Mapping[str, Any] | None = None
    label_at: LabelAt | None = field(default=None, repr=False)
