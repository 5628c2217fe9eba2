"""What a head loses where its samples are spoilt."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

import numpy as np

from vlmkit.evaluate.answered import Answered
from vlmkit.evaluate.compare import RESAMPLES, differences, refuse_few
from vlmkit.evaluate.disturb import Disturbance, disturbances
from vlmkit.evaluate.evidence import Ask
from vlmkit.evaluate.figures import Difference, RobustnessRow
from vlmkit.evaluate.join import Joined, join
from vlmkit.evaluate.report import Report
from vlmkit.task import Task
from vlmkit.types import Prediction, Sample

T = TypeVar("T")

METRICS = ("label macro-F1", "score")
"""What is compared: how the label fares, and a task's own weighted score where it has one."""


def disturbed(
    report: Report,
    task: Task[T],
    samples: Iterable[Sample],
    predictions: Iterable[Prediction[T]],
    *,
    ask: Ask[T],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Report:
    """The report with what each disturbance costs.

    Pictures: JPEG quality 50, 20 and 10, a Gaussian blur of 1, 2 and 4 px; texts: 5 % and 15 % of the letters left out,
    swapped or replaced by ones that look alike, by the seed; each modality taken out. Each is compared with the given
    answers to the same samples, paired; samples that it does not apply to are counted by reason.

    Args:
        predictions: the head's answers to the samples as they are. ask: the head; every disturbance asks it once about
            every sample.

    Raises:
        DataError: as `evaluate` does.
    """
    refuse_few(resamples)
    joined = join(samples, predictions, task.name)
    rows: list[RobustnessRow] = []
    for one in disturbances(task.accepts, task.requires):
        rows += _rows(one, task, joined, ask, seed=seed, resamples=resamples)
    only = [
        f"{modality} is disturbed by its removal alone" for modality in ("video", "audio") if modality in task.accepts
    ]
    return replace(report, robustness=tuple(rows), warnings=(*report.warnings, *only))


def _rows(
    one: Disturbance, task: Task[T], joined: Joined[T], ask: Ask[T], *, seed: int, resamples: int
) -> Iterator[RobustnessRow]:
    where: list[int] = []
    left_out: Counter[str] = Counter()

    def given() -> Iterator[Sample]:
        for place, sample in enumerate(joined.samples):
            found = one.spoil(replace(sample, truth=None), seed)
            if isinstance(found, str):
                left_out[found] += 1
                continue
            where.append(place)
            yield found

    answers = [answer.value for answer in ask(given())]
    if not where:
        found = dict.fromkeys(METRICS[:1], Difference(math.nan, math.nan, math.nan, (math.nan, math.nan), math.nan))
    else:
        found = _differences(task, joined, np.array(where, dtype=np.intp), answers, seed=seed, resamples=resamples)
    for name in (name for name in METRICS if name in found):
        apart = found[name]
        lost = (apart.second - apart.first) / apart.second if apart.second else math.nan
        yield RobustnessRow(
            disturbance=one.name,
            modality=one.modality,
            n=len(where),
            metric=name,
            undisturbed=apart.second,
            disturbed=apart.first,
            difference=apart.difference,
            interval=apart.interval,
            relative_loss=lost,
            left_out=dict(left_out),
        )


def _differences(
    task: Task[T], joined: Joined[T], where: np.ndarray, answers: list[T | None], *, seed: int, resamples: int
) -> dict[str, Difference]:
    samples, truths = [joined.samples[i] for i in where], [joined.truths[i] for i in where]
    before = [joined.values[i] for i in where]
    first, second = (Answered.of(task.scoring, samples, truths, values, probable=False) for values in (answers, before))
    return differences(first, second, seed=seed, resamples=resamples)
