"""Rows to a class: one linear layer a member, and the member that answers is the one that has all it needs.

Legend: `k` samples, `c` classes, `d` width of a lane's rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import torch
from torch import Tensor, nn

from vlmkit.calibration import Calibration, Temperature
from vlmkit.errors import CheckpointError, DataError, WiringError
from vlmkit.types import Lane, Modality, Prediction, Problem, Sample, Tokens

T = TypeVar("T")

_PLAIN = Temperature(1.0)


@dataclass(frozen=True)
class Member:
    """A linear classifier on one lane; it is asked about samples that have rows there, and all that it `needs`."""

    lane: Lane
    needs: tuple[Modality, ...] = ()


@dataclass(frozen=True)
class Scores:
    """What the members say about one sample; each figure by member, one number a class, in the classes' order.

    Attributes:
        member: the one that answers.
        logits: as the linear layers gave them.
        probabilities: calibrated where there is a calibration of the member.
        uncalibrated: the softmax of the logits.
        thresholds: of two classes, the probability of the second from which on it is given.
        classes: what the figures are of.
    """

    member: str
    logits: Mapping[str, tuple[float, ...]]
    probabilities: Mapping[str, tuple[float, ...]]
    uncalibrated: Mapping[str, tuple[float, ...]]
    thresholds: Mapping[str, float]
    classes: tuple[str, ...] = ("0", "1")

    def label(self, member: str | None = None) -> str:
        """The class that a member gives, by default the one that answers: the second of two from its threshold on.

        Of more classes it is the most probable.
        """
        name = member or self.member
        found = self.probabilities[name]
        if name in self.thresholds:
            return self.classes[int(found[1] >= self.thresholds[name])]
        return self.classes[found.index(max(found))]


Verdict = Callable[[Scores, Sample], tuple[T, Sequence[Problem]]]
"""A room's answer out of the scores, and what is to be said about it. A fatal problem takes the answer away."""


class LinearDecoder(Generic[T]):
    """Classifiers side by side on a projector's lanes, each calibrated by itself.

    All members that have what they need are asked; the first of them answers.

    Args:
        members: in the order in which they are asked, such as fusion, text, image.
        dims: width of the rows by lane; a projector's own `widths`.
        verdict: makes the typed answer.
        write: an answer as JSON text.
        classes: two or more.
        weights: of the classes in the loss; equal when not given.

    Raises `WiringError` for members without a lane, and for fewer than two classes or another number of weights.
    """

    reads: Literal["generation", "tokens"] = "tokens"

    def __init__(
        self,
        members: Mapping[str, Member],
        dims: Mapping[Lane, int],
        *,
        verdict: Verdict[T],
        write: Callable[[T], str],
        classes: Sequence[str] = ("0", "1"),
        weights: Sequence[float] | None = None,
    ) -> None:
        if not members or len(set(classes)) < 2 or len(set(classes)) != len(classes):
            raise WiringError(f"wanted a member and two classes or more; given {list(members)} and {list(classes)}")
        if weights is not None and len(weights) != len(classes):
            raise WiringError(f"wanted one weight a class; given {len(weights)} for {', '.join(classes)}")
        if strange := [f"{name} ({member.lane})" for name, member in members.items() if member.lane not in dims]:
            raise WiringError(f"no rows for {', '.join(strange)}; lanes there are: {', '.join(dims)}")
        self.members: Mapping[str, Member] = dict(members)
        self.classes = tuple(classes)
        self.dims: Mapping[Lane, int] = {member.lane: dims[member.lane] for member in members.values()}
        self.weights = None if weights is None else tuple(weights)
        self._verdict = verdict
        self._write = write
        layers = {name: nn.Linear(dims[member.lane], len(classes)) for name, member in members.items()}
        self.module = nn.ModuleDict(layers)
        self._calibration: Calibration | None = None
        self._thresholds: Mapping[str, float] = {}
        self.calibration = None

    @property
    def calibration(self) -> Calibration | None:
        """Maps and thresholds by member; None for temperature 1 and thresholds of .5.

        Raises `CheckpointError` when one is set that has nothing of these members, or more than one threshold of one,
        and `DataError` for maps of another number of classes.
        """
        return self._calibration

    @calibration.setter
    def calibration(self, found: Calibration | None) -> None:
        known = found or Calibration({})
        names = {*known.maps, *known.thresholds}
        if names and not names & set(self.members):
            raise CheckpointError(
                f"the calibration is of {', '.join(sorted(names))}; this head's members are {', '.join(self.members)}"
            )
        for name in self.members:
            known.map(name).probabilities([[0.0] * len(self.classes)])
        self._thresholds = {name: known.threshold(name) for name in self.members} if len(self.classes) == 2 else {}
        self._calibration = found

    def constraint(self, sample: Sample) -> None:
        """There is no reply."""

    def encode(self, value: T) -> str:
        """The answer as JSON text; nothing is taught to write it."""
        return self._write(value)

    def answering(self, modalities: Collection[Modality]) -> tuple[str, ...]:
        """The members that can be asked about a sample with these modalities, in order."""
        there = {*modalities, "fused"} if modalities else set()
        return tuple(name for name, one in self.members.items() if {one.lane, *one.needs} <= there)

    def batch_logits(self, tokens: Mapping[Lane, Tokens]) -> dict[str, tuple[Tensor, list[int]]]:
        """By member its logits `[k, c]`, and which samples of the batch they are about.

        Several rows a sample are read by their mean.
        """
        return {name: self._asked(name, member, tokens) for name, member in self.members.items()}

    def _asked(self, name: str, member: Member, tokens: Mapping[Lane, Tokens]) -> tuple[Tensor, list[int]]:
        lanes = [tokens.get(lane) for lane in (member.lane, *member.needs)]
        here = [lane for lane in lanes if lane is not None]
        every = zip(*(lane.lengths for lane in here), strict=True) if len(here) == len(lanes) else ()
        owners = [index for index, lengths in enumerate(every) if all(lengths)]
        layer = self.module[name]
        weight = next(layer.parameters())
        if not owners:
            return weight.new_zeros(0, len(self.classes)), []
        parts = here[0].values.split(list(here[0].lengths))
        rows = torch.stack([parts[index].mean(0) for index in owners])
        return layer(rows.to(weight)), owners

    def logits(self, rows: Mapping[Lane, Tensor]) -> dict[str, Tensor]:
        """Of one sample, whose rows are `[n, d]` a lane: logits `[c]` of the members that can be asked, in order."""
        tokens = {lane: Tokens(values, (len(values),)) for lane, values in rows.items()}
        return {name: found[0] for name, (found, owners) in self.batch_logits(tokens).items() if owners}

    def loss(self, tokens: Mapping[Lane, Tokens], labels: Sequence[str | None]) -> Tensor:
        """Cross-entropy, the mean over samples and the members that can be asked about them, by class weight.

        Args:
            labels: class of each sample; None is unknown, and left out.

        Raises `DataError` for a class that is none of the decoder's, and where nothing is left to learn from.
        """
        if strange := [label for label in labels if label is not None and label not in self.classes]:
            raise DataError(f"unknown class {strange[0]!r}; the head tells {', '.join(self.classes)} apart")
        found, wanted = [], []
        for logits, owners in self.batch_logits(tokens).values():
            known = [at for at, owner in enumerate(owners) if labels[owner] is not None]
            found.append(logits[known])
            wanted += [self.classes.index(str(labels[owners[at]])) for at in known]
        if not wanted:
            raise DataError(f"none of these {len(labels)} samples has both a known class and rows: nothing to learn")
        every = torch.cat(found).float()
        weight = None if self.weights is None else every.new_tensor(self.weights)
        return nn.functional.cross_entropy(every, torch.tensor(wanted, device=every.device), weight)

    def decode(self, evidence: Mapping[Lane, Tensor], sample: Sample) -> Prediction[T]:
        """The answer of the first member that has what it needs, or a fatal problem that says why there is none.

        `confidence["label"]` and `["reply"]` are the probability of the given class under that member. A member beside
        it whose logits are no numbers is left out of the scores, and a problem says so.
        """
        with torch.inference_mode():
            asked = {name: tuple(found.double().tolist()) for name, found in self.logits(evidence).items()}
        if not asked:
            text = f"sample {sample.id!r} has no rows that any of {', '.join(self.members)} could read"
            return Prediction(sample.id, None, (Problem("no_rows", text, fatal=True),))
        member = next(iter(asked))
        logits = {name: values for name, values in asked.items() if all(map(math.isfinite, values))}
        problems = [_no_number(name, asked[name], fatal=name == member) for name in asked if name not in logits]
        if member not in logits:
            return Prediction(sample.id, None, tuple(problems))
        scores = self._scores(member, logits)
        value, said = self._verdict(scores, sample)
        problems += said
        if any(problem.fatal for problem in problems):
            return Prediction(sample.id, None, tuple(problems))
        at = self.classes.index(scores.label())
        calibrated = self.calibration is not None and member in self.calibration.maps
        return Prediction(
            sample.id,
            value,
            tuple(problems),
            confidence=_whole(scores.probabilities[member][at]),
            uncalibrated=_whole(scores.uncalibrated[member][at]) if calibrated else {},
        )

    def _scores(self, member: str, logits: Mapping[str, tuple[float, ...]]) -> Scores:
        known = self.calibration or Calibration({})
        calibrated = {name: known.map(name).probabilities([values])[0] for name, values in logits.items()}
        plain = {name: _PLAIN.probabilities([values])[0] for name, values in logits.items()}
        return Scores(
            member,
            logits,
            {name: tuple(found.tolist()) for name, found in calibrated.items()},
            {name: tuple(found.tolist()) for name, found in plain.items()},
            {name: value for name, value in self._thresholds.items() if name in logits},
            self.classes,
        )


def _whole(p: float) -> dict[str, float]:
    return {"label": p, "reply": p}


def _no_number(member: str, logits: Sequence[float], *, fatal: bool) -> Problem:
    return Problem("no_number", f"{member} gave {list(logits)}: look for broken weights or rows", member, fatal)
