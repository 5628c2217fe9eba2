"""Which of two sets of answers to the same samples is the better one, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TypeVar

import numpy as np

from vlmkit.errors import DataError
from vlmkit.evaluate.answered import Answered
from vlmkit.evaluate.bootstrap import Array, drawn, percentiles
from vlmkit.evaluate.figures import Comparison, Difference
from vlmkit.evaluate.join import Joined, join, listed
from vlmkit.evaluate.probabilities import CALIBRATION, scorable
from vlmkit.evaluate.whole import sureness
from vlmkit.task import Scoring, Task
from vlmkit.types import Prediction, Sample

T = TypeVar("T")

RESAMPLES = 1000  # an interval from fewer draws is noise


def compare(
    task: Task[T],
    samples: Iterable[Sample],
    first: Iterable[Prediction[T]],
    second: Iterable[Prediction[T]],
    *,
    names: tuple[str, str] = ("first", "second"),
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Paired bootstrap of two sets of answers: both are scored on each draw of samples, so what is hard is so for both.

    A sample without an answer counts as wrong, and is listed. B. Efron and R. Tibshirani, "An Introduction to the
    Bootstrap" (1993), chapter 13; paired as in P. Koehn, "Statistical significance tests for machine translation
    evaluation" (EMNLP 2004). Without scikit-learn figures of probabilities are left out.

    Raises:
        DataError: answers about other samples than these, on either side; fewer than 1000 resamples.
    """
    refuse_few(resamples)
    every = list(samples)
    sides = [join(every, given, task.name) for given in (first, second)]
    for name, side in zip(names, sides, strict=True):
        if side.unknown:
            raise DataError(
                f"{name}: {len(side.unknown)} predictions are about samples that are not in the data: "
                f"{listed(side.unknown)}; two sets of answers are compared on the same samples"
            )
    scored = [_answered(task.scoring, side) for side in sides]
    return Comparison(
        *names,
        n=scored[0].n,
        resamples=resamples,
        differences=differences(*scored, seed=seed, resamples=resamples),
        missing_first=sides[0].missing,
        missing_second=sides[1].missing,
    )


def rivals(
    scoring: Scoring[T], joined: Joined[T], head: Answered, *, name: str, seed: int, resamples: int
) -> tuple[dict[str, Mapping[str, float]], list[Comparison]]:
    """The figures of what parts of the head would have answered alone, and the head against each of them.

    Each is compared on the samples that it could be asked about; the others are listed.
    """
    if scoring.rivals is None:
        return {}, []
    given = [{} if value is None else scoring.rivals(value) for value in joined.values]
    figures: dict[str, Mapping[str, float]] = {}
    comparisons = []
    for rival in dict.fromkeys(rival for row in given for rival in row):
        where = np.array([place for place, row in enumerate(given) if rival in row], dtype=np.intp)
        samples, truths = [joined.samples[i] for i in where], [joined.truths[i] for i in where]
        probable = head.probabilities is not None
        alone = Answered.of(scoring, samples, truths, [given[i][rival] for i in where], probable=probable)
        figures[rival] = alone.means()
        found = differences(head.part(where), alone, seed=seed, resamples=resamples)
        absent = tuple(sample.id for sample, row in zip(joined.samples, given, strict=True) if rival not in row)
        comparisons.append(Comparison(name, rival, len(where), resamples, found, missing_second=absent))
    return figures, comparisons


def differences(first: Answered, second: Answered, *, seed: int, resamples: int) -> dict[str, Difference]:
    """Every figure that both have, over the same draws of the same samples.

    But for calibration errors: resampling makes each larger, by more the fewer different confidences there are.
    """
    ones, twos = first.compared(), second.compared()
    lower = first.lower(ones)
    draws = drawn({0: first.compared_draws, 1: second.compared_draws}, first.n, seed=seed, resamples=resamples)
    found = {}
    for name in (name for name in ones if name in twos and name not in CALIBRATION):
        apart = draws[0].get(name, _NONE) - draws[1].get(name, _NONE)
        better = _share_above(-apart if name in lower else apart)
        found[name] = Difference(ones[name], twos[name], ones[name] - twos[name], percentiles(apart), better)
    return found


def refuse_few(resamples: int) -> None:
    """Raises `DataError` for fewer than 1000 resamples."""
    if resamples < RESAMPLES:
        raise DataError(
            f"resamples={resamples}: an interval from fewer than {RESAMPLES} draws is noise; give {RESAMPLES} or more"
        )


_NONE: Array = np.array([math.nan])


def _share_above(apart: Array) -> float:
    apart = apart[~np.isnan(apart)]
    return float((apart > 0).mean() + (apart == 0).mean() / 2) if len(apart) else math.nan


def _answered(scoring: Scoring[T], side: Joined[T]) -> Answered:
    sure, probable = sureness(side.answers), scorable(scoring)[0]
    return Answered.of(scoring, side.samples, side.truths, side.values, sure=sure, probable=probable)
