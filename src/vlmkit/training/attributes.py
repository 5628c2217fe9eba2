"""Labelled fields from each modality alone, through linear layers that are thrown away."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vlmkit.errors import DataError, WiringError
from vlmkit.model import Model
from vlmkit.prepared import Prepared
from vlmkit.training.data import Rows
from vlmkit.training.features import Packed
from vlmkit.training.learner import MeanLearner, Scored
from vlmkit.training.stage import Stage
from vlmkit.types import Features, Modality

Classes = Mapping[tuple[Modality, str], Sequence[str]]
"""By modality and field, the classes that occur."""


class AttributesLearner(MeanLearner):
    """Learns labelled fields from the mean row of each modality; the mean is over all labels.

    It gets encoders going that start from random weights: an answer's JSON is right long before a picture is looked at.
    """

    def __init__(self, model: Model[Any], stage: Stage, live: Collection[int], classes: Classes) -> None:
        super().__init__(model, stage, live)
        widths = {modality: encoder.dim for encoder in model.encoders for modality in encoder.modalities}
        if unread := sorted({modality for modality, _ in classes} - set(widths)):
            raise WiringError(f"stage {stage.name!r}: labels of {unread[0]}, which no encoder reads")
        self._fields = list(classes)
        self._numbers = [{name: number for number, name in enumerate(found)} for found in classes.values()]
        self.readouts = nn.ModuleList(
            nn.Linear(widths[modality], len(found)) for (modality, _), found in classes.items()
        )

    def scored(self, batch: Sequence[Prepared], kept: Packed) -> Scored:
        """Mean cross-entropy over the labels of the batch; a label that training has never seen is left out."""
        rows = self.rows(batch, kept)
        truths = [_labels(self.stage, one) for one in batch]
        means = {modality: _means(found) for modality, found in rows.items()}
        losses: list[Tensor] = []
        right: dict[str, tuple[int, int]] = {}
        for (modality, name), numbers, readout in zip(self._fields, self._numbers, self.readouts, strict=True):
            values, owners = means[modality]
            asked = [truths[owner].get(modality, {}).get(name) for owner in owners]
            known = [index for index, label in enumerate(asked) if label in numbers]
            if not known:
                continue
            labels = torch.tensor([numbers[str(asked[index])] for index in known], device=values.device)
            logits = readout(values[known])
            losses.append(nn.functional.cross_entropy(logits, labels, reduction="none"))
            right[f"{modality}.{name}"] = (int((logits.argmax(-1) == labels).sum()), len(known))
        if not losses:
            return Scored(self.nothing(), 0)
        every = torch.cat(losses)
        return Scored(every.mean(), len(every), right)


def classes(rows: Rows, stage: Stage) -> dict[tuple[Modality, str], list[str]]:
    """What the samples' labels say. Raises `DataError` where no field has two classes to tell apart."""
    told_apart = {key: sorted(labels) for key, labels in sorted(occurring(rows, stage).items()) if len(labels) > 1}
    if not told_apart:
        raise DataError(f"stage {stage.name!r}: no labelled field has two different classes among the samples")
    return told_apart


def occurring(rows: Rows, stage: Stage) -> dict[tuple[Modality, str], set[str]]:
    """Every label of every field; empty where no sample has any."""
    found: dict[tuple[Modality, str], set[str]] = {}
    for one in rows.prepared:
        for modality, fields in _labels(stage, one).items():
            for name, label in fields.items():
                found.setdefault((modality, name), set()).add(label)
    return found


def _labels(stage: Stage, one: Prepared) -> Mapping[Modality, Mapping[str, str]]:
    if stage.labels is None:
        raise WiringError(f"stage {stage.name!r}: an attributes stage needs labels")
    return stage.labels(one.sample)


def _means(rows: Features) -> tuple[Tensor, list[int]]:
    """`[k, d]` and the samples they belong to."""
    owners = [index for index, n in enumerate(rows.lengths) if n]
    parts = [part.float().mean(0) for part in rows.values.split(list(rows.lengths)) if len(part)]
    return (torch.stack(parts) if parts else rows.values.float()), owners
