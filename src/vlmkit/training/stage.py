"""How a preset is trained: stages in order, as plain data that imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vlmkit.errors import WiringError
from vlmkit.protocols import Role
from vlmkit.types import Modality, Sample

Objective = Literal["probe", "attributes", "align", "sft", "classify"]

LabelAt = Callable[[Sample, float], str | None]
"""`(sample, seconds from the clip's start) -> ` the class of that moment, or None where the truth does not say."""

Labels = Callable[[Sample], Mapping[Modality, Mapping[str, str]]]
"""`sample -> {modality: {field: class}}`: what can be learned from each modality alone."""

LabelOf = Callable[[Sample], str | None]
"""`sample -> ` its class, or None where it is unknown."""

Group = Callable[[Sample], str | None]
"""`sample -> ` what it shows, where several samples show the same; None for one that stands alone."""


@dataclass(frozen=True)
class Stage:
    """One run of the optimiser.

    Attributes:
        objective: "sft" learns to write the true answer; "align" brings the modalities of a sample together in the
            projector's shared space; "classify" learns the class of a sample, for heads whose decoder reads rows;
            "attributes" learns labelled fields from each modality alone, and "probe" the
            class of each time step, both through linear layers that are thrown away: they get encoders going that
            start from random weights.
        roles: what learns; everything else is frozen and in eval mode. A frozen encoder runs once, its rows are kept.
        rates: peak learning rate a role; cosine decay to zero after the warm-up.
        steps: optimiser steps; `batch_size` samples at once, `accumulate` times before each step. Several processes
            share the batch.
        checkpointing: compute activations again instead of keeping them: less memory, a third more arithmetic.
        warmup: share of the steps.
        evals: validations during the stage, evenly spread, the last at its end; the weights with the lowest
            validation loss are kept. 0: no validation, the last weights are kept.
        patience: stop after so many validations without a lower loss.
        sigma: whole numbers in an answer are compared with a Gaussian of this width around the true number, in
            numbers; None compares with the true number alone.
        last_number: the largest number that an answer holds; used with `sigma`.
        max_tokens: most positions of a prompt with its answer in an "sft" stage; the end of longer answers is cut.
        lora: arguments of `LoraSpec` for fresh adapters, where a stage trains the role "lora".
        label_at: the truth of a "probe" stage. labels: of an "attributes" stage. label_of: of a "classify" stage.
        label_names: what those labels are called in a sample's `meta`, for messages.
        group: samples of one group count as pairs of each other in an "align" stage.

    Raises `WiringError` for a role without a rate, counts below 1, or patience without validations.
    """

    name: str
    objective: Objective
    roles: tuple[Role, ...]
    rates: Mapping[Role, float]
    steps: int
    batch_size: int
    accumulate: int = 1
    checkpointing: bool = False
    warmup: float = 0.05
    weight_decay: float = 0.01
    evals: int = 0
    patience: int | None = None
    sigma: float | None = None
    last_number: int = 0
    max_tokens: int | None = None
    lora: Mapping[str, Any] | None = None
    label_at: LabelAt | None = field(default=None, repr=False)
    labels: Labels | None = field(default=None, repr=False)
    label_of: LabelOf | None = field(default=None, repr=False)
    label_names: tuple[str, ...] = field(default=(), repr=False)
    group: Group | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if unrated := [role for role in self.roles if role not in self.rates]:
            raise WiringError(f"stage {self.name!r}: no learning rate for {', '.join(unrated)}")
        if self.steps < 1 or self.batch_size < 1 or self.accumulate < 1 or self.evals < 0:
            raise WiringError(f"stage {self.name!r}: steps, batch_size and accumulate are at least 1, evals at least 0")
        if self.patience is not None and (self.patience < 1 or not self.evals):
            raise WiringError(f"stage {self.name!r}: patience counts validations, from 1 on; evals has to be set")
