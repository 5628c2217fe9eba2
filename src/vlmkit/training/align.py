"""Contrastive alignment: the modalities of one sample are brought together, those of others apart.

Legend: `b` samples of a batch over all processes, `d` width of the shared space.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from vlmkit.errors import DataError, WiringError
from vlmkit.model import Model
from vlmkit.prepared import Prepared
from vlmkit.projectors.aligned import LOGIT_SCALE_MAX
from vlmkit.training import processes
from vlmkit.training.data import Rows
from vlmkit.training.features import Packed
from vlmkit.training.learner import Learner
from vlmkit.training.retrieval import flat, retrieval
from vlmkit.training.stage import Stage
from vlmkit.types import Features, Modality, Sample


class Aligning(Protocol):
    """A projector with a shared space."""

    @property
    def logit_scale(self) -> nn.Parameter:
        """Logarithm of the inverse temperature."""
        ...

    def pooled(self, features: Mapping[Modality, Features]) -> dict[Modality, tuple[Tensor, list[int]]]:
        """One row of length 1 for each sample that has a modality, and which samples those are."""
        ...


@dataclass(frozen=True)
class Vectors:
    """Samples in the shared space.

    Attributes:
        values: `[b, d]` a modality, of length 1; any number where `present` `[b]` is false.
        names: `[b, 2]`, numbers of the sample's id and of its group.
    """

    values: Mapping[Modality, Tensor]
    present: Mapping[Modality, Tensor]
    names: Tensor

    def positive(self) -> Tensor:
        """`[b, b]`: which samples show the same."""
        return (self.names[:, None] == self.names[None]).any(-1)

    def pairs(self) -> Iterator[tuple[Modality, Modality, Tensor]]:
        """Pairs of modalities that two samples or more have, and the places of those samples."""
        for one, other in combinations(sorted(self.values), 2):
            both = torch.nonzero(self.present[one] & self.present[other])[:, 0]
            if len(both) > 1:
                yield one, other, both


def contrastive(vectors: Vectors, scale: Tensor) -> Tensor | None:
    """Symmetric InfoNCE, the mean over pairs of modalities; None where no pair has two samples.

    Rows where a modality is missing take no part. What is asked of a row is spread evenly over its positives.
    """
    positive = vectors.positive()
    losses = []
    for one, other, both in vectors.pairs():
        logits = scale * vectors.values[one][both] @ vectors.values[other][both].T
        target = positive[both][:, both].float()
        target = target / target.sum(1, keepdim=True)  # [k, k]; being positive is mutual, so it serves both directions
        cross_entropy = nn.functional.cross_entropy
        losses.append((cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2)
    return torch.stack(losses).mean() if losses else None


def paired(model: Model[Any], rows: Rows, stage: Stage, what: str) -> Rows:
    """Samples with two modalities or more, of those that have an encoder: the others have nothing to be aligned with.

    Raises `DataError` where no two of them have the same pair; `what` says which samples these are.
    """
    read = frozenset[str]().union(*(encoder.modalities for encoder in model.encoders))
    found = [(row, sorted(row.prepared.seen & read)) for row in rows.items]
    pairs = Counter(pair for _, seen in found for pair in combinations(seen, 2))
    if not pairs or max(pairs.values()) < 2:
        counts = ", ".join(f"{a} with {b} {n}" for (a, b), n in sorted(pairs.items())) or "none"
        raise DataError(
            f"stage {stage.name!r}: {len(rows)} {what} have no two with the same pair of modalities (pairs: {counts}); "
            "bring samples with pairs"
        )
    return Rows([row for row, seen in found if len(seen) > 1])


class AlignLearner(Learner):
    """Learns the shared space, and its temperature."""

    def __init__(self, model: Model[Any], stage: Stage, live: Collection[int]) -> None:
        super().__init__(model, stage, live)
        if not hasattr(model.projector, "pooled") or not hasattr(model.projector, "logit_scale"):
            raise WiringError(
                f"stage {stage.name!r}: the projector has no shared space to align in; vlmkit.projectors.aligned has"
            )
        self._space = cast(Aligning, model.projector)

    def forward(self, batch: Sequence[Prepared], kept: Packed) -> dict[str, Tensor]:
        """The loss of the batch of all processes. Raises `DataError` where it has no pair."""
        with torch.no_grad():
            self._space.logit_scale.clamp_(max=LOGIT_SCALE_MAX)
        vectors = self._vectors(batch, kept)
        loss = contrastive(vectors, self._space.logit_scale.exp())
        if loss is None:
            counts = ", ".join(f"{int(here.sum())} with {name}" for name, here in vectors.present.items())
            raise DataError(
                f"stage {self.stage.name!r}: a batch of {len(vectors.names)} samples ({counts}; the first is "
                f"{batch[0].sample.id!r}) has no two samples with the same pair of modalities; raise batch_size, or "
                "bring samples with pairs"
            )
        return {"loss": loss}

    def measure(self, batch: Sequence[Prepared], kept: Packed) -> list[tuple[str, str | None, dict[Modality, Tensor]]]:
        """Id, group and vectors of each sample."""
        found: list[dict[Modality, Tensor]] = [{} for _ in batch]
        for modality, (values, owners) in self._space.pooled(self.rows(batch, kept)).items():
            for owner, value in zip(owners, values.detach().float().cpu(), strict=True):
                found[owner][modality] = value
        return [(one.sample.id, self._group(one.sample), own) for one, own in zip(batch, found, strict=True)]

    def summary(self, evidence: Sequence[Any]) -> dict[str, float]:
        """Loss over all validation data as one batch; retrieval by pair and direction, and its mean R@1."""
        vectors = _gathered(sorted(evidence, key=lambda one: str(one[0])))
        loss = contrastive(vectors, self._space.logit_scale.detach().float().cpu().exp())
        if loss is None:
            raise DataError(
                f"stage {self.stage.name!r}: the validation data have no two samples with the same pair of "
                "modalities; raise val_share, or give val"
            )
        found = {}
        positive = vectors.positive()
        for one, other, both in vectors.pairs():
            a, b, match = vectors.values[one][both], vectors.values[other][both], positive[both][:, both]
            found[f"{one}-to-{other}"] = retrieval(a, b, match)
            found[f"{other}-to-{one}"] = retrieval(b, a, match)
        mean = sum(one["R@1"] for one in found.values()) / len(found)
        scale = self._space.logit_scale.exp().item()
        return {"loss": loss.item(), "R@1": mean, "logit_scale": scale, **flat(found)}

    def _vectors(self, batch: Sequence[Prepared], kept: Packed) -> Vectors:
        values, present = {}, {}
        for modality, (rows, owners) in sorted(self._space.pooled(self.rows(batch, kept)).items()):
            place = torch.tensor(owners, dtype=torch.long, device=rows.device)
            # Every process brings as many rows, so that they can be stacked; those of absent samples are never read.
            values[modality] = processes.stacked(rows.new_zeros(len(batch), rows.shape[-1]).index_copy(0, place, rows))
            here = torch.zeros(len(batch), device=rows.device).index_fill(0, place, 1)
            present[modality] = processes.stacked(here).bool()
        names = _numbers([(one.sample.id, self._group(one.sample)) for one in batch])
        return Vectors(values, present, processes.stacked(names.to(self.device)))

    def _group(self, sample: Sample) -> str | None:
        return self.stage.group(sample) if self.stage.group is not None else None


def _gathered(evidence: Sequence[tuple[str, str | None, Mapping[Modality, Tensor]]]) -> Vectors:
    names = _numbers([(key, group) for key, group, _ in evidence])
    modalities = sorted({modality for _, _, own in evidence for modality in own})
    values, present = {}, {}
    for modality in modalities:
        width = next(own[modality] for _, _, own in evidence if modality in own).shape
        values[modality] = torch.stack([own.get(modality, torch.zeros(width)) for _, _, own in evidence])
        present[modality] = torch.tensor([modality in own for _, _, own in evidence])
    return Vectors(values, present, names)


def _numbers(names: Sequence[tuple[str, str | None]]) -> Tensor:
    """Ids and groups as numbers, which can be compared across processes; a sample without a group is its own."""
    return torch.tensor([[_number("id", key), _number(*_own(key, group))] for key, group in names])


def _own(key: str, group: str | None) -> tuple[str, str]:
    return ("id", key) if group is None else ("group", group)


def _number(kind: str, name: str) -> int:
    digest = hashlib.sha256(f"{kind} {name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
