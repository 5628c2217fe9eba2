"""The label and the closed fields of answers, class by class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vlmkit.evaluate.bootstrap import Array
from vlmkit.evaluate.figures import FieldTable, Interval
from vlmkit.evaluate.labels import label_rows
from vlmkit.task import Scoring

T = TypeVar("T")

LABEL = "label"


@dataclass(frozen=True, eq=False)
class FieldAnswers:
    """The classes of one field, side by side over `n` samples.

    Attributes:
        truths: None where the truth does not have the field; such samples do not count. answers: None where there is
            no answer, or none in this field.
    """

    name: str
    truths: tuple[str | None, ...]
    answers: tuple[str | None, ...]

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Which samples count, `[n]`."""
        return np.array([truth is not None for truth in self.truths])

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which samples have the true class, `[n]`."""
        pairs = zip(self.truths, self.answers, strict=True)
        return np.array([truth is not None and truth == answer for truth, answer in pairs])

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Those of truth and answers, the most frequent in the truth first, then by name."""
        n = Counter(truth for truth in self.truths if truth is not None)
        pairs = zip(self.truths, self.answers, strict=True)
        said = {answer for truth, answer in pairs if truth is not None and answer is not None}
        return tuple(sorted(n.keys() | said, key=lambda name: (-n[name], name)))

    def part(self, where: NDArray[np.intp]) -> FieldAnswers:
        """The same of the samples at these places."""
        return FieldAnswers(self.name, tuple(self.truths[i] for i in where), tuple(self.answers[i] for i in where))

    def means(self) -> dict[str, float]:
        """Accuracy, macro-F1 over the classes that occur in the truth, micro-F1; NaN where nothing counts."""
        found = self.drawn(np.ones((1, len(self.truths))))
        return {name: float(found[name][0]) for name in ("accuracy", "macro-F1", "micro-F1")}

    def drawn(self, weights: Array) -> dict[str, Array]:
        """The same of every resample, and `F1 <class>` of each class; NaN where a draw has none of it."""
        true, said, hit = (weights @ one for one in self._one_hot)
        with np.errstate(invalid="ignore", divide="ignore"):
            f1 = np.where(true > 0, 2 * hit / (true + said), np.nan)
            macro = np.nan_to_num(f1).sum(axis=1) / (true > 0).sum(axis=1)
            accuracy = hit.sum(axis=1) / true.sum(axis=1)
            micro = 2 * hit.sum(axis=1) / (true.sum(axis=1) + said.sum(axis=1))
        by_class = {f"F1 {name}": f1[:, k] for k, name in enumerate(self.classes)}
        return {"accuracy": accuracy, "macro-F1": macro, "micro-F1": micro, **by_class}

    def table(self, intervals: Mapping[str, Interval]) -> FieldTable:
        """The confusion matrix and the figures by class, with the intervals of what was drawn."""
        pairs = [(t, a) for t, a in zip(self.truths, self.answers, strict=True) if t is not None]
        counts = Counter(pairs)
        columns: list[str | None] = [*self.classes, None]
        rows = {row.label: row for row in label_rows([t for t, _ in pairs], [a for _, a in pairs])}
        return FieldTable(
            name=self.name,
            classes=self.classes,
            confusion=tuple(tuple(counts[truth, answer] for answer in columns) for truth in self.classes),
            rows=tuple(replace(rows[name], f1_interval=intervals.get(f"F1 {name}")) for name in self.classes),
            metrics=self.means(),
            intervals={name: ends for name, ends in intervals.items() if not name.startswith("F1 ")},
        )

    @cached_property
    def _one_hot(self) -> tuple[Array, Array, Array]:
        place = {name: k for k, name in enumerate(self.classes)}
        shape = (len(self.truths), len(self.classes))
        true, said = np.zeros(shape), np.zeros(shape)
        for i, (truth, answer) in enumerate(zip(self.truths, self.answers, strict=True)):
            if truth is not None:
                true[i, place[truth]] = 1.0
                if answer is not None:
                    said[i, place[answer]] = 1.0
        return true, said, true * said


def field_answers(scoring: Scoring[T], truths: Sequence[T], answers: Sequence[T | None]) -> tuple[FieldAnswers, ...]:
    """The label first, then the closed fields of the task by their paths."""
    labels = FieldAnswers(
        LABEL,
        tuple(scoring.label(truth) for truth in truths),
        tuple(None if answer is None else scoring.label(answer) for answer in answers),
    )
    if scoring.fields is None:
        return (labels,)
    wanted = [scoring.fields(truth) for truth in truths]
    given = [{} if answer is None else scoring.fields(answer) for answer in answers]
    paths = [path for path in dict.fromkeys(path for row in wanted for path in row) if path != LABEL]
    closed = (
        FieldAnswers(path, tuple(row.get(path) for row in wanted), tuple(row.get(path) for row in given))
        for path in paths
    )
    return labels, *closed
