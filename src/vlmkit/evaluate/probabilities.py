"""What the probabilities of the classes are worth, where a task's answers give them.

A sample without an answer counts as one that held the true class impossible, and another one certain: answering less
cannot look better.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from vlmkit.calibration import error
from vlmkit.errors import DataError, MissingExtraError
from vlmkit.evaluate import weighted
from vlmkit.evaluate.bootstrap import Array
from vlmkit.evaluate.figures import ThresholdCurve
from vlmkit.task import Scoring

T = TypeVar("T")

RANKED = ("AUROC", "PR-AUC", "Brier", "log loss")
"""Figures of probabilities that only skill makes perfect."""
CALIBRATION = frozenset({"ECE", "adaptive ECE", "classwise ECE"})
"""Figures that a constant can be perfect in, by giving every class its frequency: no skill, and no bar for it."""
LOWER = CALIBRATION | {"Brier", "log loss"}
"""Figures that are errors: 0 is perfect."""
TWO = 2
_SUM = 1e-3  # how far the probabilities of one answer may be from 1 together
_POINTS = 512  # of a threshold curve: more than a plot shows


@dataclass(frozen=True, eq=False)
class Probabilities:
    """Probabilities `values [n, k]` of `k` classes in the task's order, and which of them is true, `truth [n]`.

    Attributes:
        given: which class is answered, `[n]`; of a sample without an answer the one that stands in.
        answered: which samples have an answer, `[n]`.
    """

    classes: tuple[str, ...]
    values: Array
    truth: NDArray[np.intp]
    given: NDArray[np.intp]
    answered: NDArray[np.bool_]

    @classmethod
    def of(cls, scoring: Scoring[T], ids: Sequence[str], truths: Sequence[T], answers: Sequence[T | None]) -> Self:
        """Of answers side by side with the truths.

        A true class that no answer names has probability 0 everywhere. Raises `DataError` for probabilities that are
        none, naming the sample.
        """
        labels = [scoring.label(truth) for truth in truths]
        given = [
            None if answer is None else _checked(scoring, key, answer) for key, answer in zip(ids, answers, strict=True)
        ]
        named = dict.fromkeys(name for row in given if row for name in row)
        said_of = (scoring.label(answer) for answer in answers if answer is not None)
        classes = tuple(named | dict.fromkeys(labels) | dict.fromkeys(said_of))
        truth = np.array([classes.index(label) for label in labels], dtype=np.intp)
        worst = np.argsort(-np.bincount(truth, minlength=len(classes)), kind="stable")  # the likeliest mistakes first
        values = np.zeros((len(labels), len(classes)))
        said = np.zeros(len(labels), dtype=np.intp)
        for place, (row, answer) in enumerate(zip(given, answers, strict=True)):
            if row is not None and answer is not None:
                values[place] = [row.get(name, 0.0) for name in classes]
                said[place] = classes.index(scoring.label(answer))
            elif len(classes) > 1:
                said[place] = next(other for other in worst if other != truth[place])
                values[place, said[place]] = 1.0
        return cls(classes, values, truth, said, np.array([row is not None for row in given]))

    def part(self, where: NDArray[np.intp]) -> Self:
        """The same of the samples at these places."""
        return type(self)(self.classes, self.values[where], self.truth[where], self.given[where], self.answered[where])

    @property
    def confidence(self) -> Array:
        """Of the class that is answered, which need not be the most probable one: a threshold may lie elsewhere."""
        sure: Array = self.values[np.arange(len(self.given)), self.given]
        return sure

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the class that is answered is the true one."""
        return np.asarray(self.given == self.truth)

    @property
    def judged(self) -> list[int]:
        """The classes whose ranking is judged: of two the positive one, else every one; both kinds have to occur."""
        wanted = range(len(self.classes))[1:] if len(self.classes) == TWO else range(len(self.classes))
        return [k for k in wanted if 0 < int((self.truth == k).sum()) < len(self.truth)]

    def means(self) -> dict[str, float]:
        """AUROC, PR-AUC, Brier score and log loss by scikit-learn, and three calibration errors.

        Of more than two classes AUROC and PR-AUC are the mean over the classes that occur, each against the rest. ECE
        is that of the class that is answered. Raises `MissingExtraError`.
        """
        metrics = sklearn_metrics()
        judged, one_hot = self.judged, self.truth[:, None] == np.arange(len(self.classes))
        auroc = [metrics.roc_auc_score(one_hot[:, k], self.values[:, k]) for k in judged]
        precision = [metrics.average_precision_score(one_hot[:, k], self.values[:, k]) for k in judged]
        sure = {name: math.nan for name in ("Brier", "log loss")}
        if len(self.classes) > 1:
            proba, labels = self.values / self.values.sum(axis=1, keepdims=True), range(len(self.classes))
            sure["Brier"] = metrics.brier_score_loss(self.truth, proba, labels=labels)
            sure["log loss"] = metrics.log_loss(self.truth, proba, labels=labels)
        found = {"AUROC": _mean(auroc), "PR-AUC": _mean(precision), **sure}
        found["ECE"] = error.ece(self.confidence, self.right)
        found["adaptive ECE"] = error.adaptive_ece(self.confidence, self.right)
        found["classwise ECE"] = error.classwise_ece(self.values, self.truth)
        return {name: float(value) for name, value in found.items()}

    def drawn(self, weights: Array) -> dict[str, Array]:
        """The same of every resample. Of more than two classes those that a draw lacks are left out of its means."""
        one_hot = self.truth[:, None] == np.arange(len(self.classes))
        columns = [(self.values[:, k], one_hot[:, k]) for k in range(len(self.classes))]
        judged = [columns[k] for k in self.judged]
        total = weights.sum(axis=1)
        squared, lost = self._per_sample(one_hot)
        with np.errstate(invalid="ignore", divide="ignore"):
            sure = {"Brier": weights @ squared / total, "log loss": weights @ lost / total}
        return {
            "AUROC": _mean_of([weighted.auroc(*column, weights) for column in judged], len(weights)),
            "PR-AUC": _mean_of([weighted.average_precision(*column, weights) for column in judged], len(weights)),
            **sure,
            "ECE": weighted.ece(self.confidence, self.right, weights),
            "adaptive ECE": weighted.adaptive_ece(self.confidence, self.right, weights),
            "classwise ECE": _mean_of([weighted.ece(*column, weights) for column in columns], len(weights)),
        }

    def _per_sample(self, one_hot: NDArray[np.bool_]) -> tuple[Array, Array]:
        """What each sample adds to the Brier score and to the log loss, which scikit-learn cuts at the same `eps`."""
        if len(self.classes) == 1:
            return np.full(len(self.truth), math.nan), np.full(len(self.truth), math.nan)
        proba = self.values / self.values.sum(axis=1, keepdims=True)
        squared = ((proba - one_hot) ** 2).sum(axis=1) / (2 if len(self.classes) == TWO else 1)
        eps = np.finfo(np.float64).eps
        return squared, -np.log(np.clip(proba[one_hot], eps, 1 - eps))

    def notes(self) -> Iterator[str]:
        """Why figures are undefined, and what stands in for answers that are not there."""
        if not self.judged:
            only = ", ".join(repr(self.classes[k]) for k in np.unique(self.truth))
            yield f"AUROC and PR-AUC are undefined: the truth holds one class only, {only}"
        if absent := int((~self.answered).sum()):
            yield f"{absent} samples without an answer count in figures of probabilities as certain of a wrong class"


def threshold_curves(found: Probabilities, chosen: Mapping[str, float]) -> tuple[ThresholdCurve, ...]:
    """One a judged class, at every probability that came; thinned evenly above 512. Raises `MissingExtraError`."""
    metrics = sklearn_metrics()
    curves = []
    for k in found.judged:
        precision, recall, at = metrics.precision_recall_curve(found.truth == k, found.values[:, k])
        precision, recall = precision[:-1], recall[:-1]  # the last point stands for "no answer at all"
        f1 = np.divide(2 * precision * recall, precision + recall, out=np.zeros_like(recall), where=recall > 0)
        kept = np.unique(np.linspace(0, len(at) - 1, min(len(at), _POINTS)).astype(int))
        lines = [tuple(line[kept].tolist()) for line in (at, precision, recall, f1)]
        name = found.classes[k]
        curves.append(ThresholdCurve(name, chosen.get(name), *lines))
    return tuple(curves)


def scorable(scoring: Scoring[T]) -> tuple[bool, list[str]]:
    """Whether probabilities can be scored, and what to say where they could be and scikit-learn is not installed."""
    if scoring.probabilities is None:
        return False, []
    try:
        sklearn_metrics()
    except MissingExtraError as absent:
        return False, [
            f"AUROC, PR-AUC, Brier score, log loss and ECE of the class, and threshold curves, are left out: {absent}"
        ]
    return True, []


def sklearn_metrics() -> Any:
    """scikit-learn's metrics. Raises `MissingExtraError`."""
    try:
        from sklearn import metrics
    except ImportError as error:
        raise MissingExtraError("sklearn", "report") from error
    return metrics


def _checked(scoring: Scoring[T], sample_id: str, answer: T) -> Mapping[str, float]:
    found = scoring.probabilities(answer) if scoring.probabilities else {}
    legal = all(0 <= p <= 1 for p in found.values())  # false for NaN, too
    if not found or not legal or abs(sum(found.values()) - 1) > _SUM:
        raise DataError(f"{sample_id}: the probabilities of an answer are 0..1 and sum to 1; given {dict(found)}")
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def _mean_of(drawn: Sequence[Array], r: int) -> Array:
    """Mean over classes a resample; NaN where all are."""
    if not drawn:
        return np.full(r, math.nan)
    stacked = np.array(drawn)
    defined = ~np.isnan(stacked)
    with np.errstate(invalid="ignore"):
        found: Array = np.nan_to_num(stacked).sum(axis=0) / defined.sum(axis=0)
    return found
