"""The class of a sample, for models whose decoder reads rows: every member that can be asked learns it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from typing import Any

import torch

from vlmkit.decoders.linear import LinearDecoder
from vlmkit.errors import DataError, WiringError
from vlmkit.model import Model
from vlmkit.prepared import Prepared
from vlmkit.training.data import Row, Rows
from vlmkit.training.features import Packed
from vlmkit.training.learner import MeanLearner, Scored
from vlmkit.training.stage import LabelOf, Stage

log = logging.getLogger("vlmkit")


class ClassifyLearner(MeanLearner):
    """Learns the class through the decoder's own linear layers; the mean is over samples and members."""

    def __init__(self, model: Model[Any], stage: Stage, live: Collection[int]) -> None:
        super().__init__(model, stage, live)
        self._decoder = _linear(model, stage)
        self._label_of = _label_of(stage)

    def scored(self, batch: Sequence[Prepared], kept: Packed) -> Scored:
        """Mean cross-entropy; right classes by member."""
        tokens = self.model.project(self.rows(batch, kept))
        labels = [self._label_of(one.sample) for one in batch]
        right = {}
        for member, (logits, owners) in self._decoder.batch_logits(tokens).items():
            wanted = [self._decoder.classes.index(str(labels[owner])) for owner in owners]
            if wanted:
                right[member] = (int((logits.argmax(-1).cpu() == torch.tensor(wanted)).sum()), len(wanted))
        if not right:
            return Scored(self.nothing(), 0)
        return Scored(self._decoder.loss(tokens, labels), sum(n for _, n in right.values()), right)


def labelled(model: Model[Any], rows: Rows, stage: Stage, what: str, least: int = 2) -> Rows:
    """The rows whose class is known; says how many are left out.

    Raises `DataError` for a class that the decoder does not have, for rows of fewer than `least` classes, and, where
    they are to be learned from, for members that would stay a random start because no row has what they read.
    """
    classes, label_of = _linear(model, stage).classes, _label_of(stage)
    named = [(row, label_of(row.prepared.sample)) for row in rows.items]
    for row, label in named:
        if label is not None and label not in classes:
            raise DataError(
                f"sample {row.prepared.sample.id!r} is of class {label!r}; the head tells {', '.join(classes)} apart"
            )
    known = [row for row, label in named if label is not None]
    if len(present := {label for _, label in named if label is not None}) < least:
        only = f"only class {next(iter(present))!r}" if present else "no class"
        raise DataError(f"stage {stage.name!r}: {only} is known of the {what}; wanted {least} or more")
    if least > 1:
        _refuse_noise(model, known, stage)
    if len(known) < len(named):
        left = len(named) - len(known)
        log.warning("stage %s: %d of %d %s have no known class and are left out", stage.name, left, len(named), what)
    return Rows(known)


def _refuse_noise(model: Model[Any], rows: Sequence[Row], stage: Stage) -> None:
    """A member that nothing is learned for would answer all the same, once the head is saved."""
    decoder, parts = _linear(model, stage), getattr(model.backbone, "parts", {})
    if all(part.trained for part in parts.values() if part.role == "decoder"):
        return
    asked = {name for row in rows for name in decoder.answering(row.prepared.seen)}
    if idle := [name for name in decoder.members if name not in asked]:
        raise DataError(
            f"stage {stage.name!r}: no sample has what is read by {', '.join(idle)}: untrained, it would answer noise; "
            "bring samples with every modality, or go on from a trained head (model=, --model)"
        )


def _linear(model: Model[Any], stage: Stage) -> LinearDecoder[Any]:
    if not isinstance(model.decoder, LinearDecoder):
        raise WiringError(f"stage {stage.name!r}: a classify stage needs a decoder that reads rows (LinearDecoder)")
    return model.decoder


def _label_of(stage: Stage) -> LabelOf:
    if stage.label_of is None:
        raise WiringError(f"stage {stage.name!r}: a classify stage needs label_of")
    return stage.label_of
