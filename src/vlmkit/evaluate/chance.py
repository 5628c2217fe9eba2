"""Whether the figures of an evaluation are worth what they say, beside answers that cannot know."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vlmkit.evaluate.evidence import Evidence, Unmade
from vlmkit.evaluate.join import join
from vlmkit.evaluate.probabilities import CALIBRATION

T = TypeVar("T")

SHUFFLES = 20
_SPREADS = 3  # standard deviations of what shuffling gives, which are no proof of anything
_TINY = 1e-9
_LEVELLED = ("label accuracy", "label macro-F1", "AUROC")  # no answer that never looks is above their known level


def baselines_below_one(evidence: Evidence[T]) -> tuple[bool, str]:
    """Whether no answer that never looks is perfect."""
    figures = evidence.blind
    reached = [
        (value, name, metric)
        for name, found in figures.items()
        for metric, value in found.items()
        if metric in evidence.judged and not math.isnan(value)
    ]
    full = [
        f"{name!r} in {metric}"
        for value, name, metric in reached
        if (value <= _TINY if metric in evidence.lower else value >= 1 - _TINY)
    ]
    if full:
        return False, f"perfect without looking: {', '.join(full)}; this data cannot tell a model from a constant"
    value, name, metric = max(one for one in reached if one[2] not in evidence.lower)
    return True, f"the best is {name!r} with {value:.3f} in {metric}"


def shuffled_truth(evidence: Evidence[T]) -> tuple[bool, str]:
    """Whether the head's answers are worth no more than chance where the truths are another sample's."""
    n = evidence.head.n
    generator = np.random.default_rng(evidence.seed)
    rows = []
    for _ in range(SHUFFLES):
        order = generator.permutation(n)
        rows.append(evidence.scored(evidence.joined.values, [evidence.joined.truths[i] for i in order]).compared())
    real, blind = evidence.head.compared(), list(evidence.blind.values())
    high: list[str] = []
    told: list[str] = []
    for name in evidence.judged:
        sign = -1 if name in evidence.lower else 1
        drawn = np.array([sign * row[name] for row in rows])
        level = max([*(sign * one[name] for one in blind if name in one), *_known(evidence, name)], default=np.nan)
        spread = _SPREADS * float(drawn.std()) + _TINY
        kept = drawn.mean() >= sign * real[name] - spread or name in _LEVELLED
        figures = f"{name} {sign * drawn.mean():.3f} (chance {sign * level:.3f}, with its own truths {real[name]:.3f})"
        (high if drawn.mean() > level + spread and kept else told).append(figures)
    if high:
        return False, f"against shuffled truths: {'; '.join(high)}: this pays for something else than being right"
    return True, f"against shuffled truths: {'; '.join(told)}"


def _known(evidence: Evidence[T], name: str) -> Iterator[float]:
    """The most that can be had without looking, where theory says it."""
    shares = np.unique(np.array(evidence.head.label.truths, dtype=str), return_counts=True)[1] / evidence.head.n
    levels = {"label accuracy": float(shares.max()), "label macro-F1": 1 / len(shares), "AUROC": 0.5}
    if name in levels:
        yield levels[name]


def dropped_predictions(evidence: Evidence[T]) -> tuple[bool, str]:
    """Whether leaving answers out helps: perfect ones in any figure, wrong ones in those that every sample counts in.

    A precision, and with it an F1, may well rise where a false alarm is left out.
    """
    there = np.array([value is not None for value in evidence.joined.values])
    perfect, wrong = np.flatnonzero(there & _perfect(evidence)), np.flatnonzero(there & ~evidence.head.label.right)
    perfect = np.random.default_rng(evidence.seed).permutation(perfect)[: (len(perfect) + 1) // 2]
    if not len(perfect) and not len(wrong):
        raise Unmade("no answer is perfect, and none is wrong")
    every = [name for name in evidence.head.compared() if name not in CALIBRATION]
    means = [name for name in evidence.judged if name != "label macro-F1"]
    dropped = [
        (f"{len(places)} {kind}", places, names)
        for kind, places, names in (("perfect", perfect, every), ("wrong", wrong, means))
        if len(places)
    ]
    if risen := [line for one in dropped for line in _risen(evidence, *one)]:
        return False, "; ".join(risen)
    told = ", ".join(what for what, *_ in dropped)
    return True, f"answers left out: {told}; no score rose, and each was counted as missing"


def _perfect(evidence: Evidence[T]) -> NDArray[np.bool_]:
    row, joined = evidence.task.scoring.row, evidence.joined
    pairs = zip(joined.truths, joined.values, strict=True)
    same = np.array([row(truth, value) == row(truth, truth) for truth, value in pairs], dtype=bool)
    found: NDArray[np.bool_] = evidence.head.label.right & same
    return found


def _risen(evidence: Evidence[T], what: str, places: NDArray[np.intp], names: Sequence[str]) -> Iterator[str]:
    gone = {evidence.joined.samples[place].id for place in places}
    left = [one for one in evidence.joined.predictions if one.sample_id not in gone]
    counted = gone & set(join(evidence.every, left, evidence.task.name).missing) if left else gone
    if len(counted) < len(gone):
        yield f"of {what} answers left out {len(gone) - len(counted)} are not counted as missing"
    values = list(evidence.joined.values)
    for place in places:
        values[place] = None
    full, less = evidence.head.compared(), evidence.scored(values).compared()
    for name in names:
        sign = -1 if name in evidence.lower else 1
        if sign * less.get(name, np.nan) > sign * full[name] + _TINY:
            yield f"{name} goes from {full[name]:.3f} to {less[name]:.3f} with {what} answers left out"
