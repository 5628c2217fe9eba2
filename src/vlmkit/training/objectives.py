"""What stages minimise: writing the true answer, and the class of each time step."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vlmkit.errors import DataError, WiringError
from vlmkit.llms.replies import TokenLoss, cross_entropy
from vlmkit.model import Model
from vlmkit.prepared import Prepared
from vlmkit.training.bar import follow
from vlmkit.training.data import Rows
from vlmkit.training.features import Packed, join
from vlmkit.training.learner import Learner, MeanLearner, Scored
from vlmkit.training.stage import LabelAt, Stage
from vlmkit.types import Features

log = logging.getLogger("vlmkit")

_BATCH = 16  # samples whose answers are measured at once


class _Counted:
    """A token loss that remembers how many tokens it saw."""

    def __init__(self, inner: TokenLoss) -> None:
        self.inner = inner
        self.n = 0

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        self.n = labels.numel()
        return self.inner(logits, labels)


class SftLearner(MeanLearner):
    """Learns to write the true answer: the mean is over the answers' tokens."""

    def __init__(
        self, model: Model[Any], stage: Stage, live: Collection[int], token_loss: TokenLoss = cross_entropy
    ) -> None:
        super().__init__(model, stage, live)
        self._token_loss = token_loss
        if stage.max_tokens is not None and not hasattr(model.llm, "lengths"):
            raise WiringError(f"stage {stage.name!r}: this language model cannot cut answers; leave max_tokens out")
        self._options = {} if stage.max_tokens is None else {"max_tokens": stage.max_tokens}

    def scored(self, batch: Sequence[Prepared], kept: Packed) -> Scored:
        """Mean loss of the answers' tokens."""
        counted = _Counted(self._token_loss)
        loss = self.model.loss(batch, self.rows(batch, kept), token_loss=counted, **self._options)
        return Scored(loss, counted.n)


def cut_answers(learner: Learner, rows: Rows) -> int:
    """How many answers do not fit whole behind their prompts; says so in the log.

    Raises `DataError` with the sample's name where a prompt leaves no place for any answer.
    """
    model, stage = learner.model, learner.stage
    lengths, context = getattr(model.llm, "lengths", None), getattr(model.llm, "context", None)
    if lengths is None or context is None:
        return 0
    budget = min(stage.max_tokens or context, context)
    cut = 0
    starts = range(0, len(rows), _BATCH)
    for start in follow(starts, "measuring answers", len(starts)):
        some = rows.items[start : start + _BATCH]
        batch = [row.prepared for row in some]
        with torch.no_grad():
            tokens = model.project(learner.rows(batch, join([row.kept for row in some])))
            found = lengths(*model.targets(batch, tokens))
        for one, (prompt, answer) in zip(batch, found, strict=True):
            if prompt >= budget:
                raise DataError(
                    f"sample {one.sample.id!r}: its prompt takes {prompt} tokens and the budget is {budget}: no "
                    "answer fits behind it; raise max_tokens"
                )
            cut += prompt + answer > budget
    if cut:
        log.warning("stage %s: the end of %d of %d answers is cut: budget %d", stage.name, cut, len(rows), budget)
    return cut


class ProbeLearner(MeanLearner):
    """Learns the class of each time step from an encoder's rows, through one linear layer that is thrown away.

    A step's logits are the log-sum-exp over its rows: any place in the frame may speak for its class.
    """

    def __init__(self, model: Model[Any], stage: Stage, live: Collection[int], labels: Sequence[str]) -> None:
        super().__init__(model, stage, live)
        if stage.label_at is None or model.projector is None:
            raise WiringError(f"stage {stage.name!r}: a probe needs label_at, encoders and a projector")
        self._label_at: LabelAt = stage.label_at
        self._number = {label: number for number, label in enumerate(labels)}
        self.probe = nn.Linear(model.projector.out_dim, len(labels))

    def scored(self, batch: Sequence[Prepared], kept: Packed) -> Scored:
        """Mean cross-entropy over the time steps whose class is known."""
        rows = self.model.project(self.rows(batch, kept))["video"]
        if rows.times_s is None or rows.grid is None:
            raise WiringError("a probe needs rows with times")
        per_step = _steps(rows)
        logits = torch.stack([part.logsumexp(0) for part in self.probe(rows.values.float()).split(per_step)])
        starts = [0, *torch.tensor(per_step).cumsum(0).tolist()][:-1]
        times = rows.times_s[starts].tolist()
        films = [one for one, length in zip(batch, rows.lengths, strict=True) if length]
        owners = [one for one, n in zip(films, rows.grid[:, 0].tolist(), strict=True) for _ in range(n)]
        named = [self._label_at(one.sample, time) for one, time in zip(owners, times, strict=True)]
        known = [index for index, label in enumerate(named) if label in self._number]
        if not known:
            return Scored(self.nothing(), 0)
        labels = torch.tensor([self._number[str(named[index])] for index in known], device=logits.device)
        kept_logits = logits[known]
        right = int((kept_logits.argmax(-1) == labels).sum())
        return Scored(nn.functional.cross_entropy(kept_logits, labels), len(known), {"step": (right, len(known))})


def moments(rows: Rows, stage: Stage) -> list[str]:
    """The classes that the samples' time steps have. Raises `DataError` where no sample says any."""
    found = happening(rows, stage)
    if not found:
        raise DataError(f"stage {stage.name!r}: no sample says what happens at a moment (meta 'timeline')")
    return sorted(found)


def happening(rows: Rows, stage: Stage) -> set[str]:
    """The classes that the samples' time steps have; empty where no sample says any."""
    found: set[str] = set()
    for one in rows.prepared:
        for made in one.inputs:
            times = made["times_s"].tolist() if "times_s" in made else ()
            labels = [stage.label_at(one.sample, time) for time in times] if stage.label_at is not None else ()
            found |= {label for label in labels if label is not None}
    return found


def _steps(rows: Features) -> list[int]:
    if rows.grid is None:
        return []
    lengths = [n for n in rows.lengths if n]
    return [n // t for n, t in zip(lengths, rows.grid[:, 0].tolist(), strict=True) for _ in range(t)]
