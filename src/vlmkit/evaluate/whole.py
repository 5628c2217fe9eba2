"""Figures that are no means of samples, over all samples or over some (`Scoring.whole`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from vlmkit.evaluate.bootstrap import Array, Drawer
from vlmkit.task import Scoring
from vlmkit.types import Prediction

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Whole:
    """What draws the figures of all `n` samples, and the places of those that count here, `[m]`."""

    drawer: Drawer
    n: int
    where: NDArray[np.intp]

    @classmethod
    def of(
        cls,
        scoring: Scoring[T],
        truths: Sequence[T],
        answers: Sequence[T | None],
        sure: Sequence[Mapping[str, float]] | None,
    ) -> Self | None:
        """None where the task has no such figures; `sure` None: no answer says how sure it is."""
        if scoring.whole is None:
            return None
        n = len(truths)
        return cls(scoring.whole(truths, answers, [{}] * n if sure is None else sure), n, np.arange(n))

    def part(self, where: NDArray[np.intp]) -> Self:
        """The same of the samples at these places, each of which is named once."""
        return replace(self, where=self.where[where])

    def drawn(self, weights: Array) -> Mapping[str, Array]:
        """From `[r, m]`, how often each was drawn."""
        every = np.zeros((len(weights), self.n))
        every[:, self.where] = weights
        return self.drawer(every)


def sureness(predictions: Iterable[Prediction[T] | None]) -> list[Mapping[str, float]]:
    """The confidences of each answer; none where there is no answer.

    Of what a calibration has no map for, the model's own figure: whatever ranks answers is content with that.
    """
    return [{} if one is None else {**one.uncalibrated, **one.confidence} for one in predictions]
