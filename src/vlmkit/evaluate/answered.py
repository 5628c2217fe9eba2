"""One set of answers beside the truths: every figure of them, over all samples, over some, and over resamples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from vlmkit.evaluate.bootstrap import Array, Rows, Table
from vlmkit.evaluate.fields import FieldAnswers, field_answers
from vlmkit.evaluate.probabilities import LOWER, Probabilities
from vlmkit.evaluate.whole import Whole
from vlmkit.task import Scoring
from vlmkit.types import Sample

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Answered:
    """Answers to `n` samples with truth; a sample without an answer counts as wrong.

    Attributes:
        table: the task's own figures. label: the classes. probabilities: None where the task has none.
        whole: the task's own figures that are no means; None where it has none. worse_higher: those of its own that
            are better when lower.
    """

    n: int
    table: Table
    label: FieldAnswers
    probabilities: Probabilities | None
    whole: Whole | None = None
    worse_higher: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        scoring: Scoring[T],
        samples: Sequence[Sample],
        truths: Sequence[T],
        answers: Sequence[T | None],
        *,
        sure: Sequence[Mapping[str, float]] | None = None,
        rows: Rows | None = None,
        probable: bool = True,
    ) -> Self:
        """Answers side by side with samples and truths.

        Args:
            sure: the confidences of each answer, where it has any; no figure but `whole` asks for them.
            rows: the task's figures of each sample, where they are known already.
            probable: whether to score probabilities, which takes scikit-learn.
        """
        pairs = list(zip(truths, answers, strict=True))
        found = [scoring.row(*pair) for pair in pairs] if rows is None else rows
        table = Table(found, scoring.combine, [scoring.counts(*pair) for pair in pairs] if scoring.counts else ())
        judged = None
        if probable and scoring.probabilities is not None:
            judged = Probabilities.of(scoring, [sample.id for sample in samples], truths, answers)
        label = field_answers(scoring, truths, answers)[0]
        return cls(len(pairs), table, label, judged, Whole.of(scoring, truths, answers, sure), scoring.lower)

    def part(self, where: NDArray[np.intp]) -> Self:
        """The same of the samples at these places."""
        judged = None if self.probabilities is None else self.probabilities.part(where)
        whole = None if self.whole is None else self.whole.part(where)
        parts = self.table.part(where), self.label.part(where), judged, whole
        return type(self)(len(where), *parts, self.worse_higher)

    def means(self) -> dict[str, float]:
        """The task's own figures, then those of probabilities; where a name is both, the task's own."""
        own = self.table.means() | self._single()
        judged = {} if self.probabilities is None else self.probabilities.means()
        return own | {name: value for name, value in judged.items() if name not in own}

    def drawn(self, weights: Array) -> dict[str, Array]:
        """The same of every resample."""
        own = self.table.drawn(weights) | (dict(self.whole.drawn(weights)) if self.whole is not None else {})
        judged = {} if self.probabilities is None else self.probabilities.drawn(weights)
        return own | {name: values for name, values in judged.items() if name not in own}

    def compared(self) -> dict[str, float]:
        """`means`, and how the label fares: what two sets of answers are compared in."""
        return self.means() | {f"label {name}": value for name, value in self.label.means().items()}

    def compared_draws(self, weights: Array) -> dict[str, Array]:
        """`compared` of every resample."""
        label = {f"label {name}": values for name, values in self.label.drawn(weights).items() if name[:3] != "F1 "}
        return self.drawn(weights) | label

    def lower(self, own: Mapping[str, float]) -> frozenset[str]:
        """The figures among these that are errors, hence better when lower."""
        judged = frozenset() if self.probabilities is None else LOWER & own.keys() - set(self.table.names)
        return judged | self.worse_higher & own.keys()

    def _single(self) -> dict[str, float]:
        if self.whole is None:
            return {}
        return {name: float(values[0]) for name, values in self.whole.drawn(np.ones((1, self.n))).items()}
