"""What can be had without looking at the samples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from vlmkit.evaluate.answered import Answered
from vlmkit.evaluate.join import Joined
from vlmkit.task import Scoring

T = TypeVar("T")

SHUFFLED = "shuffled"
_DRAWS = 100
_COMPARISONS = 5_000  # of one sample with one drawn answer; one draw of that many samples is its own mean


def baselines(scoring: Scoring[T], joined: Joined[T], *, seed: int, probable: bool) -> dict[str, dict[str, float]]:
    """The figures of the task's own, and of `shuffled`: the truths themselves, each given to a sample that is drawn.

    Those that draw are drawn again and again, up to 100 times on few samples, and the mean of their figures stands: one
    draw on twenty samples may lie far off. Each answer is given what the sample forces on any.

    Args:
        probable: whether to score probabilities.
    """
    draws = max(1, min(_DRAWS, _COMPARISONS // len(joined.samples)))
    found: dict[str, list[dict[str, float]]] = {}
    fixed: dict[str, Sequence[T]] = {}
    for number in range(draws):
        for name, answers in _given(scoring, joined, seed + number):
            if number and name in fixed and fixed[name] == answers:
                continue  # a constant is the same every time
            fixed.setdefault(name, answers)
            pairs = zip(joined.samples, answers, strict=True)
            forced = [scoring.forced(*pair) if scoring.forced else pair[1] for pair in pairs]
            scored = Answered.of(scoring, joined.samples, joined.truths, forced, probable=probable)
            found.setdefault(name, []).append(scored.compared())
    return {name: _means(rows) for name, rows in found.items()}


def _given(scoring: Scoring[T], joined: Joined[T], seed: int) -> Iterator[tuple[str, Sequence[T]]]:
    ids = [sample.id for sample in joined.samples]
    own = scoring.baselines(joined.truths, ids, seed)
    yield from own.items()
    if SHUFFLED not in own:
        order = np.random.default_rng(seed).permutation(len(ids))
        yield SHUFFLED, [joined.truths[place] for place in order]


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """By metric, over the draws that define it."""
    names = dict.fromkeys(name for row in rows for name in row)
    defined = {name: [row[name] for row in rows if not math.isnan(row.get(name, math.nan))] for name in names}
    return {name: sum(values) / len(values) if values else math.nan for name, values in defined.items()}
