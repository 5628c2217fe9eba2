"""What the truth is made of, and how each label fares."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class LabelRow:
    """One label. `precision` and `recall` are None where their denominators, `predicted` and `n`, are 0.

    `f1_interval`: the 95 % percentile bootstrap interval of `f1`, where it was drawn.
    """

    label: str
    n: int
    predicted: int
    right: int
    f1_interval: tuple[float, float] | None = None

    @property
    def recall(self) -> float | None:
        """Share of the samples with this label that got it."""
        return self.right / self.n if self.n else None

    @property
    def precision(self) -> float | None:
        """Share of the answers with this label that are right."""
        return self.right / self.predicted if self.predicted else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of both: hits by the mean of `n` and `predicted`; None for a label that is never true."""
        return 2 * self.right / (self.n + self.predicted) if self.n else None


def label_rows(truths: Sequence[str], answers: Sequence[str | None]) -> tuple[LabelRow, ...]:
    """Every label of truth or answers, the most frequent first, then by name."""
    n, predicted = Counter(truths), Counter(answer for answer in answers if answer is not None)
    right = Counter(truth for truth, answer in zip(truths, answers, strict=True) if truth == answer)
    labels = sorted(n.keys() | predicted.keys(), key=lambda label: (-n[label], label))
    return tuple(LabelRow(label, n[label], predicted[label], right[label]) for label in labels)


def entropy_bits(labels: Sequence[str]) -> float:
    """Shannon entropy of the label frequencies. 0: every sample has the same label, so a constant is always right."""
    total = len(labels)
    return sum(count / total * math.log2(total / count) for count in Counter(labels).values())
