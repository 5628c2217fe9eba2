"""What the checks of an evaluation look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from vlmkit.evaluate.answered import Answered
from vlmkit.evaluate.baselines import baselines
from vlmkit.evaluate.join import Joined, join
from vlmkit.evaluate.probabilities import LOWER, RANKED, scorable
from vlmkit.evaluate.whole import sureness
from vlmkit.task import Task
from vlmkit.types import Prediction, Sample

T = TypeVar("T")
Ask = Callable[[Iterable[Sample]], Iterable[Prediction[T]]]


@dataclass(frozen=True, eq=False)
class Evidence(Generic[T]):
    """Samples, answers, and their figures.

    Attributes:
        every: all samples. head, blind: the figures of the head and of each baseline.
        judged: the figures that every sample counts in, and those of label and probabilities: their level of chance is
            that of an answer that never looks, which a recall or a precision alone has not.
        ask: answers to samples; None where they came from a file.
    """

    task: Task[T]
    every: tuple[Sample, ...]
    joined: Joined[T]
    head: Answered
    blind: dict[str, dict[str, float]]
    judged: tuple[str, ...]
    ask: Ask[T] | None
    seed: int

    @property
    def lower(self) -> frozenset[str]:
        """The names of figures that are better when lower."""
        return LOWER | self.task.scoring.lower

    def scored(self, values: Sequence[T | None], truths: Sequence[T] | None = None) -> Answered:
        """The same samples with other answers, or other truths."""
        probable = self.head.probabilities is not None
        known = self.joined.truths if truths is None else truths
        sure = sureness(self.joined.answers)
        return Answered.of(self.task.scoring, self.joined.samples, known, values, sure=sure, probable=probable)


class Unmade(Exception):
    """A check that cannot be made here; the message says why."""


def gathered(
    task: Task[T], samples: Sequence[Sample], predictions: Iterable[Prediction[T]], ask: Ask[T] | None, seed: int
) -> Evidence[T]:
    """From samples and predictions. Raises `DataError` as `evaluate` does."""
    joined = join(samples, predictions, task.name)
    probable, _ = scorable(task.scoring)
    sure = sureness(joined.answers)
    head = Answered.of(task.scoring, joined.samples, joined.truths, joined.values, sure=sure, probable=probable)
    counted = head.table.denominators
    own = (name for name in task.scoring.row(joined.truths[0], joined.truths[0]) if counted.get(name) == head.n)
    ranked = RANKED if probable else ()
    blind = baselines(task.scoring, joined, seed=seed, probable=probable)
    judged = (*own, "label accuracy", "label macro-F1", *ranked)
    return Evidence(task, tuple(samples), joined, head, blind, judged, ask, seed)
