"""The trained part of a model with its objective: a module that `transformers.Trainer` can drive."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import _IncompatibleKeys

from vlmkit.errors import DataError
from vlmkit.model import Model
from vlmkit.prepared import Prepared
from vlmkit.training import processes
from vlmkit.training.data import whole
from vlmkit.training.features import Packed, moved
from vlmkit.training.stage import Stage
from vlmkit.training.state import fill, trained
from vlmkit.types import Batch, Features, Modality


class Learner(nn.Module, ABC):
    """One stage's objective over a model; `forward` returns `{"loss": scalar}`.

    Args:
        live: places of the encoders that run at every step; rows of the others come with the batch.

    Its state is what the stage trains, and nothing else: a save costs what is learned, not what the model weighs.
    """

    def __init__(self, model: Model[Any], stage: Stage, live: Collection[int]) -> None:
        super().__init__()
        self.model = model
        self.stage = stage
        self._live = sorted(live)
        self.parts = nn.ModuleList(module for modules in model.modules.values() for module in modules)

    @abstractmethod
    def forward(self, batch: Sequence[Prepared], kept: Packed) -> dict[str, Tensor]:
        """The loss of one batch, the same whatever number of processes share it."""

    @abstractmethod
    def measure(self, batch: Sequence[Prepared], kept: Packed) -> list[Any]:
        """What `summary` needs to know of a batch of validation data; plain objects that can cross processes."""

    @abstractmethod
    def summary(self, evidence: Sequence[Any]) -> dict[str, float]:
        """Figures about all validation data; `loss` is among them."""

    def rows(self, batch: Sequence[Prepared], kept: Packed) -> dict[Modality, Features]:
        """Rows of every modality: those that were kept, and those of the encoders that learn."""
        found = moved(kept, self.device)
        samples = tuple(one.sample for one in batch)
        for index in self._live:
            inputs = tuple(whole(one.inputs[index]) for one in batch)
            found |= self.model.encoders[index].encode(Batch(samples, inputs))
        return found

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next((p.device for p in self.parameters()), torch.device("cpu"))

    def train(self, mode: bool = True) -> Learner:
        """Training mode for the stage's roles only: the Trainer would switch frozen parts as well."""
        self.training = mode
        self.model.train(self.stage.roles if mode else ())
        return self

    def trained(self) -> dict[str, Tensor]:
        """What the stage changes, by name, with the layers that are thrown away after it."""
        own = {name: p for name, p in self.named_parameters() if not name.startswith("parts.")}
        return trained(self.model, self.stage) | own

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]  # nobody prefixes it
        """What `trained` names, without gradients."""
        return {name: value.detach().contiguous() for name, value in self.trained().items()}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Take a state over, strictly, whatever `strict` says. Raises `CheckpointError` where it does not fit."""
        fill(self.trained(), state_dict, f"stage {self.stage.name!r}")
        return _IncompatibleKeys([], [])


@dataclass(frozen=True)
class Scored:
    """The mean loss over `n` items, and `{field: (right, asked)}`."""

    loss: Tensor
    n: int
    right: Mapping[str, tuple[int, int]] = field(default_factory=dict)


class MeanLearner(Learner):
    """An objective that is a mean over items: answers' tokens, time steps, labels."""

    @abstractmethod
    def scored(self, batch: Sequence[Prepared], kept: Packed) -> Scored:
        """One batch."""

    def forward(self, batch: Sequence[Prepared], kept: Packed) -> dict[str, Tensor]:
        """The mean over the items of all processes. Raises `DataError` where there is none."""
        found = self.scored(batch, kept)
        n = processes.total(found.n, found.loss.device)
        if not n:
            raise DataError(
                f"stage {self.stage.name!r}: nothing to learn from in a batch, the first sample is "
                f"{batch[0].sample.id!r}"
            )
        # Distributed training takes the mean over processes, however much each of them has.
        return {"loss": found.loss * (found.n * processes.count() / n)}

    def measure(self, batch: Sequence[Prepared], kept: Packed) -> list[tuple[float, int, dict[str, tuple[int, int]]]]:
        """Loss, items, and what was right."""
        found = self.scored(batch, kept)
        return [(found.loss.item(), found.n, dict(found.right))]

    def summary(self, evidence: Sequence[Any]) -> dict[str, float]:
        """Mean loss over all items; the share of right answers, over all fields and by field."""
        n = sum(n for _, n, _ in evidence)
        if not n:
            raise DataError(f"stage {self.stage.name!r}: the validation data have nothing to score")
        found = {"loss": sum(loss * n for loss, n, _ in evidence if n) / n}
        asked: dict[str, list[tuple[int, int]]] = {}
        for _, _, right in evidence:
            for name, counts in right.items():
                asked.setdefault(name, []).append(counts)
        shares = {name: [sum(column) for column in zip(*counts, strict=True)] for name, counts in asked.items()}
        if shares:
            hits, all_asked = (sum(column) for column in zip(*shares.values(), strict=True))
            found["accuracy"] = hits / all_asked
        if len(shares) > 1:
            found |= {f"accuracy/{name}": hits / k for name, (hits, k) in sorted(shares.items())}
        return found

    def nothing(self) -> Tensor:
        """A loss of zero that every learning parameter takes part in, for a process with nothing to score."""
        return torch.stack([p.sum() * 0 for p in self.parameters() if p.requires_grad]).sum()
