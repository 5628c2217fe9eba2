"""What a stage minimises, as modules that `transformers.Trainer` can drive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vlmkit.errors import DataError, WiringError
from vlmkit.model import Model
from vlmkit.prepared import Prepared
from vlmkit.training.stage import LabelAt, Stage
from vlmkit.types import Modality, Tokens


class Learner(nn.Module):
    """The trained part of a model with its objective; `forward` returns `{"loss": scalar}`."""

    def __init__(self, model: Model[Any], stage: Stage) -> None:
        super().__init__()
        self.model = model
        self.stage = stage
        self.parts = nn.ModuleList(module for modules in model.modules.values() for module in modules)

    def train(self, mode: bool = True) -> Learner:
        """Training mode for the stage's roles only: the Trainer would switch frozen parts as well."""
        self.training = mode
        self.model.train(self.stage.roles if mode else ())
        return self


class SftLearner(Learner):
    """Learns to write the true answer."""

    def __init__(self, model: Model[Any], stage: Stage, **loss_options: Any) -> None:
        super().__init__(model, stage)
        self._options = loss_options

    def forward(self, batch: Sequence[Prepared], tokens: Mapping[Modality, Tokens] | None = None) -> dict[str, Tensor]:
        """Mean loss of the answers' tokens."""
        return {"loss": self.model.loss(batch, tokens, **self._options)}


class ProbeLearner(Learner):
    """Learns the class of each time step from an encoder's rows, through one linear layer that is thrown away.

    A step's logits are the log-sum-exp over its rows: any place in the frame may speak for its class.
    """

    def __init__(self, model: Model[Any], stage: Stage, labels: Sequence[str]) -> None:
        super().__init__(model, stage)
        if stage.label_at is None or model.projector is None:
            raise WiringError(f"stage {stage.name!r}: a probe needs label_at, encoders and a projector")
        self._label_at: LabelAt = stage.label_at
        self._number = {label: number for number, label in enumerate(labels)}
        self.probe = nn.Linear(model.projector.out_dim, len(labels))

    def forward(self, batch: Sequence[Prepared], tokens: Mapping[Modality, Tokens] | None = None) -> dict[str, Tensor]:
        """Mean cross-entropy over the time steps whose class is known; `hits` is the share answered rightly."""
        rows = (self.model.tokens(batch) if tokens is None else tokens)["video"]
        if rows.times_s is None or rows.grid is None:
            raise WiringError("a probe needs rows with times")
        per_step = _steps(rows)
        logits = torch.stack([part.logsumexp(0) for part in self.probe(rows.values.float()).split(per_step)])
        starts = [0, *torch.tensor(per_step).cumsum(0).tolist()][:-1]
        times = rows.times_s[starts].tolist()
        owners = [one for one, n in zip(batch, rows.grid[:, 0].tolist(), strict=True) for _ in range(n)]
        named = [self._label_at(one.sample, time) for one, time in zip(owners, times, strict=True)]
        known = [index for index, label in enumerate(named) if label is not None]
        if not known:
            raise DataError("a probe stage found no time step with a known class in a batch")
        labels = torch.tensor([self._number[str(named[index])] for index in known], device=logits.device)
        kept = logits[known]
        loss = nn.functional.cross_entropy(kept, labels)
        return {"loss": loss, "hits": (kept.argmax(-1) == labels).float().mean()}


def _steps(rows: Tokens) -> list[int]:
    if rows.grid is None:
        return []
    lengths = [n for n in rows.lengths if n]
    return [n // t for n, t in zip(lengths, rows.grid[:, 0].tolist(), strict=True) for _ in range(t)]
