"""Answers that are lists, class by class: what is counted are their elements, and not samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from vlmkit.evaluate.bootstrap import Array
from vlmkit.evaluate.figures import FieldTable, Interval
from vlmkit.evaluate.labels import LabelRow
from vlmkit.task import Scoring

T = TypeVar("T")
Both = tuple[str | None, str | None]
"""The true and the answered class of an element; None for the one that is lacking."""


@dataclass(frozen=True, eq=False)
class Elements:
    """The elements of all answers, by sample.

    Shapes: `n` samples, `k` classes.

    Attributes:
        name: what the answers list. pairs: of each sample. classes: those of truth and answers, the most frequent in
            the truth first, then by name.
        true, said, hit: how many of each class are true, answered, and both, `[n, k]`.
    """

    name: str
    pairs: tuple[Sequence[Both], ...]
    classes: tuple[str, ...]
    true: Array
    said: Array
    hit: Array

    def drawn(self, weights: Array) -> dict[str, Array]:
        """Micro-F1, macro-F1 over the classes that occur in the truth, and `F1 <class>`; NaN where a draw has none."""
        true, said, hit = (weights @ one for one in (self.true, self.said, self.hit))
        with np.errstate(invalid="ignore", divide="ignore"):
            f1 = np.where(true > 0, 2 * hit / (true + said), np.nan)
            macro = np.nan_to_num(f1).sum(axis=1) / (true > 0).sum(axis=1)
            micro = 2 * hit.sum(axis=1) / (true.sum(axis=1) + said.sum(axis=1))
        return {"micro-F1": micro, "macro-F1": macro, **{f"F1 {c}": f1[:, k] for k, c in enumerate(self.classes)}}

    def table(self, intervals: Mapping[str, Interval]) -> FieldTable:
        """Counts of elements, with the intervals of what was drawn; false ones are in no row of the matrix."""
        counts = Counter(pair for row in self.pairs for pair in row)
        columns: list[str | None] = [*self.classes, None]
        whole = self.drawn(np.ones((1, len(self.pairs))))
        sums = zip(*(one.sum(axis=0).astype(int).tolist() for one in (self.true, self.said, self.hit)), strict=True)
        return FieldTable(
            name=self.name,
            classes=self.classes,
            confusion=tuple(tuple(counts[truth, answer] for answer in columns) for truth in self.classes),
            rows=tuple(
                LabelRow(label, n, said, right, intervals.get(f"F1 {label}"))
                for label, (n, said, right) in zip(self.classes, sums, strict=True)
            ),
            metrics={name: float(whole[name][0]) for name in ("micro-F1", "macro-F1")},
            intervals={name: ends for name, ends in intervals.items() if not name.startswith("F1 ")},
            elements=True,
        )


def elements_of(scoring: Scoring[T], truths: Sequence[T], answers: Sequence[T | None]) -> list[Elements]:
    """Of each thing that the task's answers list; none where they are no lists."""
    if scoring.elements is None:
        return []
    rows = [scoring.elements(truth, answer) for truth, answer in zip(truths, answers, strict=True)]
    names = dict.fromkeys(name for row in rows for name in row)
    return [_elements(name, [row.get(name, ()) for row in rows]) for name in names]


def _elements(name: str, pairs: Sequence[Sequence[Both]]) -> Elements:
    often = Counter(truth for row in pairs for truth, _ in row if truth is not None)
    every = often.keys() | {said for row in pairs for _, said in row if said is not None}
    classes = tuple(sorted(every, key=lambda label: (-often[label], label)))
    place = {label: k for k, label in enumerate(classes)}
    true, said, hit = (np.zeros((len(pairs), len(classes))) for _ in range(3))
    for i, row in enumerate(pairs):
        for truth, answer in row:
            if truth is not None:
                true[i, place[truth]] += 1
            if answer is not None:
                said[i, place[answer]] += 1
            if truth is not None and truth == answer:
                hit[i, place[truth]] += 1
    return Elements(name, tuple(pairs), classes, true, said, hit)
