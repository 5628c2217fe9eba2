"""What a map does to the figures of one member or field: before, after on samples that it was not fitted to, inside."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vlmkit.calibration.error import brier, ece
from vlmkit.calibration.fit import Method, cross_fitted, fit, notes, worse_than_none
from vlmkit.calibration.maps import Array, Map, Temperature
from vlmkit.calibration.record import Change, Chosen, Fitted
from vlmkit.calibration.thresholds import Rule, choose
from vlmkit.errors import DataError

FEW = 30  # samples; below it a fitted map says more about them than about the head
RARE = 10  # samples of the rarest class
ANSWERS = ("wrong", "right")

_WORSE = 0.01  # of a log loss: less is noise

Labels = NDArray[np.intp]


@dataclass
class Evidence:
    """What one member or field said about samples, and what was true of them.

    Attributes:
        classes: what the logits are of. `ANSWERS` where they are the log-odds of a given answer.
        logits: one row a sample. labels: the index of its true class.
    """

    name: str
    classes: tuple[str, ...]
    logits: list[tuple[float, ...]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)

    def add(self, logits: tuple[float, ...], label: int) -> None:
        """One sample more."""
        self.logits.append(logits)
        self.labels.append(label)


@dataclass(frozen=True)
class Row:
    """One map, and what is known of it."""

    name: str
    map: Map
    fitted: Fitted


def measured(evidence: Evidence, method: Method, rule: Rule | None) -> Row:
    """Fit a map and measure it; with `rule` and two classes choose a threshold, too.

    A threshold that cannot be had is left out, and a note says so. Raises `DataError` as `fit` does, for a class of one
    sample (a map that hangs on it could be tried on nothing else), and for a map that is worse than none.
    """
    logits, labels = np.array(evidence.logits, np.float64), np.array(evidence.labels, np.intp)
    if len(labels) > 1 and len(known := set(evidence.labels)) == 1:
        raise DataError(f"all {len(labels)} samples are {evidence.classes[known.pop()]!r}: give samples of every class")
    found = fit(method, logits, labels)
    if why := worse_than_none(found):
        raise DataError(why)
    plain, inside = Temperature(1.0).probabilities(logits), found.probabilities(logits)
    crossed = cross_fitted(method, logits, labels)
    if crossed is None:
        rare = next(name for at, name in enumerate(evidence.classes) if evidence.labels.count(at) == 1)
        raise DataError(f"only 1 of {len(labels)} samples is {rare!r}: a map cannot hang on one sample; bring more")

    def change(measure: Callable[[Array, Labels], float]) -> Change:
        before, after, within = (_finite(measure(p, labels)) for p in (plain, crossed, inside))
        return Change(before=before, after=after, inside=within)

    of_answers = evidence.classes == ANSWERS
    said = list(notes(found))
    chosen = None
    if rule is not None and len(evidence.classes) == 2 and not of_answers:
        try:
            chosen = _chosen(inside[:, 1], labels, rule)
            said += _one_sided(chosen, inside[:, 1], evidence.classes)
        except DataError as error:
            said.append(f"{error}; the threshold stays .5")
    lost = change(_log_loss)
    if lost.before is not None and (lost.after is None or lost.after > lost.before * (1 + _WORSE)):
        said.append("log loss on other samples gets worse: the map does not help; bring more, or take another method")
    fitted = Fitted(
        n=len(labels),
        positives=int(labels.sum()) if len(evidence.classes) == 2 else None,
        method=method,
        ece=change(lambda p, truth: _ece(p, truth, of_answers)),
        brier=change(_brier),
        log_loss=lost,
        threshold=chosen,
        notes=tuple(said),
    )
    return Row(evidence.name, found, fitted)


def _chosen(p: Array, labels: Labels, rule: Rule) -> Chosen:
    best = choose(p, labels, rule)
    figures = {"macro_f1": best.macro_f1, "precision": best.precision, "recall": best.recall}
    return Chosen(value=best.value, f1=best.best_f1, **figures)


def _one_sided(chosen: Chosen, p: Array, classes: tuple[str, ...]) -> Iterator[str]:
    given = p >= chosen.value
    if given.all() or not given.any():
        yield f"the threshold answers {classes[int(given[0])]!r} to every sample: it tells nothing apart"


def cautions(evidence: Evidence) -> Iterator[str]:
    """What to know before a figure is believed: few samples, few of a class."""
    n = len(evidence.labels)
    if n < FEW:
        yield f"only {n} samples (fewer than {FEW}): a map says more about them than about the head"
    for index, name in enumerate(evidence.classes):
        if (count := evidence.labels.count(index)) < RARE:
            yield f"only {count} of {n} are {name!r} (fewer than {RARE})"


def _ece(p: Array, labels: Labels, of_answers: bool) -> float:
    """Of the given answer: the one that the confidence is about, or else the most probable class."""
    return ece(p[:, 1], labels == 1) if of_answers else ece(p.max(axis=1), p.argmax(axis=1) == labels)


def _brier(p: Array, labels: Labels) -> float:
    if p.shape[1] == 2:
        return brier(p[:, 1], labels == 1)
    return float(sum(brier(p[:, each], labels == each) for each in range(p.shape[1])))


def _log_loss(p: Array, labels: Labels) -> float:
    with np.errstate(divide="ignore"):
        return float(-np.log(np.take_along_axis(p, labels[:, None], axis=1)).mean())


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
