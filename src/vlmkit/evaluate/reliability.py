"""Whether a head is right as often as it says: of the whole answer and of each closed field.

Only answers that are there have a confidence; how many they are stands beside each figure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vlmkit.calibration import error
from vlmkit.evaluate import weighted
from vlmkit.evaluate.bootstrap import Array, reaching
from vlmkit.evaluate.fields import LABEL, FieldAnswers
from vlmkit.evaluate.figures import Interval, Reliability
from vlmkit.evaluate.probabilities import Probabilities
from vlmkit.task import Scoring
from vlmkit.types import Prediction

T = TypeVar("T")

REPLY = "reply"


@dataclass(frozen=True, eq=False)
class Confidences:
    """What was said to be how sure, and what was right.

    Attributes:
        where: the places of the `m` samples that have both. after, before: `[m]`, as the head gives them, and as the
            model itself did where that is calibrated. right: `[m]`.
    """

    name: str
    where: NDArray[np.intp]
    after: Array
    before: Array | None
    right: NDArray[np.bool_]

    def means(self) -> dict[str, float]:
        """Accuracy, mean confidence, ECE, adaptive ECE, Brier score of being right, AURC; `… before` calibration."""
        found = _means(self.after, self.right)
        return found if self.before is None else found | _named_before(_means(self.before, self.right))

    def drawn(self, weights: Array) -> dict[str, Array]:
        """The same of every resample."""
        drawn = weights[:, self.where]
        found = _drawn(self.after, self.right, drawn)
        return found if self.before is None else found | _named_before(_drawn(self.before, self.right, drawn))

    def row(self, intervals: Mapping[str, Interval]) -> Reliability:
        """The diagram before and after calibration."""
        before, means = self.before, self.means()
        return Reliability(
            name=self.name,
            before=None if before is None else error.reliability_bins(before, self.right),
            after=error.reliability_bins(self.after, self.right),
            ece_before=None if before is None else error.ece(before, self.right),
            ece_after=error.ece(self.after, self.right),
            n=len(self.right),
            metrics=means,
            intervals=reaching(intervals, means),
        )

    def risk(self) -> tuple[str, error.RiskCoverage]:
        """What is gained by answering only where the head is sure."""
        return self.name, error.risk_coverage(self.after, self.right)


def confidences(
    scoring: Scoring[T],
    truths: Sequence[T],
    answers: Sequence[Prediction[T] | None],
    fields: Sequence[FieldAnswers],
    judged: Probabilities | None,
) -> Iterator[Confidences]:
    """One a name that answers have a confidence in and that can be right or wrong, the whole answer first.

    Answers without confidences, from a file say, are taken by the probability of their likeliest class, as `label`.
    """
    right = {one.name: (one.counted, one.right) for one in fields}
    if scoring.right is not None:
        pairs = zip(truths, answers, strict=True)
        whole = [a is not None and a.value is not None and scoring.right(t, a.value) for t, a in pairs]
        right = {REPLY: (np.ones(len(truths), dtype=bool), np.array(whole)), **right}
    given = {name for one in answers if one is not None for name in one.confidence}
    for name, (counted, hit) in right.items():
        if name in given:
            yield from _of(name, counted, hit, answers)
    if LABEL not in given and judged is not None:
        there = [i for i, one in enumerate(answers) if one is not None and one.value is not None]
        where = np.array(there, dtype=np.intp)
        if there:
            yield Confidences(LABEL, where, judged.confidence[where], None, judged.right[where])


def broken(answers: Sequence[Prediction[T] | None]) -> list[str]:
    """The samples with a confidence that is no probability; it is left out."""
    return [one.sample_id for one in answers if one is not None and not all(map(_legal, one.confidence.values()))]


def _of(
    name: str, counted: NDArray[np.bool_], right: NDArray[np.bool_], answers: Sequence[Prediction[T] | None]
) -> Iterator[Confidences]:
    found = [
        (place, one.confidence[name], one.uncalibrated.get(name))
        for place, one in enumerate(answers)
        if one is not None and one.value is not None and counted[place] and _legal(one.confidence.get(name))
    ]
    if not found:
        return
    where = np.array([place for place, _, _ in found], dtype=np.intp)
    after = np.array([p for _, p, _ in found])
    raw = [p for _, _, p in found if p is not None and _legal(p)]
    yield Confidences(name, where, after, np.array(raw) if len(raw) == len(found) else None, right[where])


def _legal(p: float | None) -> bool:
    return p is not None and 0 <= p <= 1  # false for NaN, too


def _means(p: Array, right: NDArray[np.bool_]) -> dict[str, float]:
    return {
        "accuracy": float(right.mean()),
        "confidence": float(p.mean()),
        "ECE": error.ece(p, right),
        "adaptive ECE": error.adaptive_ece(p, right),
        "Brier": error.brier(p, right),
        "AURC": error.risk_coverage(p, right).aurc,
    }


def _drawn(p: Array, right: NDArray[np.bool_], weights: Array) -> dict[str, Array]:
    total = weights.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = {
            "accuracy": weights @ right / total,
            "confidence": weights @ p / total,
            "Brier": weights @ (p - right) ** 2 / total,
        }
    return {
        **means,
        "ECE": weighted.ece(p, right, weights),
        "adaptive ECE": weighted.adaptive_ece(p, right, weights),
        "AURC": weighted.aurc(p, right, weights),
    }


V = TypeVar("V")


def _named_before(found: Mapping[str, V]) -> dict[str, V]:
    return {f"{name} before": value for name, value in found.items() if name != "accuracy"}
