"""Join predictions to samples by id, score them, and put what a constant would have got beside them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from inspect import getdoc, getmodule
from typing import Any, TypeVar

from vlmkit.evaluate.answered import Answered
from vlmkit.evaluate.baselines import baselines
from vlmkit.evaluate.bootstrap import Drawer, intervals, reaching
from vlmkit.evaluate.cautions import cautions
from vlmkit.evaluate.compare import RESAMPLES, refuse_few, rivals
from vlmkit.evaluate.elements import elements_of
from vlmkit.evaluate.fields import field_answers
from vlmkit.evaluate.figures import Case, Outcome, ThresholdCurve
from vlmkit.evaluate.join import Joined, join, listed
from vlmkit.evaluate.labels import entropy_bits, label_rows
from vlmkit.evaluate.probabilities import scorable, threshold_curves
from vlmkit.evaluate.reliability import REPLY, broken, confidences
from vlmkit.evaluate.report import Report
from vlmkit.evaluate.slices import slices_of
from vlmkit.evaluate.whole import sureness
from vlmkit.task import Scoring, Task
from vlmkit.types import Prediction, Sample

T = TypeVar("T")


def evaluate(
    task: Task[T],
    samples: Iterable[Sample],
    predictions: Iterable[Prediction[T]],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    model: str = "",
    data: str = "",
) -> Report:
    """Score predictions against the truth of the samples with the same ids, in any order.

    A sample without a prediction, or with one that has no value, counts as wrong. Predictions of unknown ids and
    samples without truth are counted, listed and left out. Baselines learn from the evaluated truths themselves:
    the strongest answer that never looks; `shuffled` gives each sample the truth of another one. A task's own metrics
    are taken as better when higher.

    Args:
        seed: of the resampling and of the baselines that draw.
        resamples: bootstrap draws; 1000 or more.
        model, data: how the report names them.

    Raises:
        DataError: an id that comes twice, no sample with truth, no prediction about any of them, fewer than 1000
            resamples, or probabilities of classes that are none.
    """
    refuse_few(resamples)
    joined = join(samples, predictions, data or task.name)
    probable, warnings = scorable(task.scoring)
    outcomes, best = _outcomes(task.scoring, joined)
    rows = [outcome.metrics for outcome in outcomes]
    head = Answered.of(
        task.scoring,
        joined.samples,
        joined.truths,
        joined.values,
        sure=sureness(joined.answers),
        rows=rows,
        probable=probable,
    )
    report = _headline(task, joined, outcomes, best, head)
    blind = baselines(task.scoring, joined, seed=seed, probable=probable)
    beside = {name: {one: found[one] for one in found if one in report.metrics} for name, found in blind.items()}
    report = replace(report, model=model, data=data, baselines=beside)
    report, more = _detailed(report, task.scoring, joined, head, seed=seed, resamples=resamples)
    return replace(report, warnings=(*warnings, *more, *cautions(report)))


def _headline(
    task: Task[T],
    joined: Joined[T],
    outcomes: Sequence[Outcome],
    best: Sequence[Mapping[str, float | None]],
    head: Answered,
) -> Report:
    labels = [outcome.truth for outcome in outcomes]
    pairs = list(zip(outcomes, best, strict=True))
    metrics = head.means()
    return Report(
        task=task.name,
        n=head.n,
        metrics=metrics,
        intervals={},
        baselines={},
        denominators=head.table.denominators,
        labels=label_rows(labels, [outcome.answer for outcome in outcomes]),
        entropy_bits=entropy_bits(labels),
        failures=dict(Counter(code for outcome in outcomes for code in outcome.problems).most_common()),
        missing=joined.missing,
        unknown=joined.unknown,
        unlabelled=joined.unlabelled,
        wrong=tuple(outcome for outcome, top in pairs if outcome.answer is None or _far(outcome.metrics, top)),
        records=tuple(task.joinable(one) for one in joined.predictions if one.value is not None),
        lower_is_better=head.lower(metrics),
        cases=_cases(task.scoring, joined, pairs),
        columns=_columns(task.scoring, joined),
        definitions=getdoc(module) or "" if (module := getmodule(task.scoring.row)) else "",
    )


def _detailed(
    report: Report, scoring: Scoring[T], joined: Joined[T], head: Answered, *, seed: int, resamples: int
) -> tuple[Report, list[str]]:
    """Everything that has an interval, from the same draws; and what has to be said about it."""
    fields = field_answers(scoring, joined.truths, joined.values)
    sure = list(confidences(scoring, joined.truths, joined.answers, fields, head.probabilities))
    lists = elements_of(scoring, joined.truths, joined.values)
    cut, warnings = slices_of(scoring, joined.samples, head)
    drawers: dict[tuple[str, ...], Drawer] = {("metrics",): head.drawn}
    drawers |= {("field", one.name): one.drawn for one in fields}
    drawers |= {("elements", one.name): one.drawn for one in lists}
    drawers |= {("reliability", one.name): one.drawn for one in sure}
    drawers |= {("slice", one.table, one.name): one.drawn for one in cut}
    ends = intervals(drawers, head.n, seed=seed, resamples=resamples)
    tables = [one.table(ends["field", one.name]) for one in fields]
    tables += [one.table(ends["elements", one.name]) for one in lists]
    found, comparisons = rivals(scoring, joined, head, name=report.model or "the head", seed=seed, resamples=resamples)
    rows = {
        table: tuple(one.row(ends["slice", table, one.name]) for one in cut if one.table == table)
        for table in dict.fromkeys(one.table for one in cut)
    }
    report = replace(
        report,
        intervals=reaching({name: ends["metrics",][name] for name in report.metrics}, report.metrics),
        labels=tables[0].rows,
        fields=tuple(tables),
        reliability=tuple(one.row(ends["reliability", one.name]) for one in sure),
        risk=tuple(one.risk() for one in sure),
        thresholds=_curves(scoring, joined, head),
        slices=rows,
        rivals=found,
        comparisons=tuple(comparisons),
    )
    if head.probabilities is not None:
        warnings += head.probabilities.notes()
    if scoring.notes is not None:
        warnings += scoring.notes(joined.answers)
    if odd := broken(joined.answers):
        warnings.append(f"{len(odd)} predictions have a confidence outside 0..1, which was left out: {listed(odd)}")
    return report, warnings


def _outcomes(scoring: Scoring[T], joined: Joined[T]) -> tuple[list[Outcome], list[Mapping[str, float | None]]]:
    """What became of each sample, and the figures of a perfect answer to it."""
    outcomes, best = [], []
    for sample, truth, answer in zip(joined.samples, joined.truths, joined.answers, strict=True):
        value = answer.value if answer else None
        label = None if value is None else scoring.label(value)
        problems = tuple(problem.code for problem in answer.problems) if answer else ("missing",)
        metrics = {**scoring.row(truth, value), **(scoring.checks(sample, value) if scoring.checks else {})}
        outcomes.append(Outcome(sample.id, scoring.label(truth), label, problems, metrics))
        best.append(scoring.row(truth, truth))
    return outcomes, best


def _far(found: Mapping[str, float | None], best: Mapping[str, float | None]) -> bool:
    return any((found.get(name) or 0.0) < value / 2 for name, value in best.items() if value is not None)


def _cases(
    scoring: Scoring[T], joined: Joined[T], pairs: Sequence[tuple[Outcome, Mapping[str, float | None]]]
) -> tuple[Case, ...]:
    """Worst first: no answer, then by the share of a perfect answer's figures; of equals the surest where they fail."""
    graded = []
    for place, (outcome, best) in enumerate(pairs):
        shares = [(outcome.metrics.get(name) or 0.0) / value for name, value in best.items() if value]
        share = sum(shares) / len(shares) if shares else 1.0
        answer = joined.answers[place]
        sure = answer.confidence.get(REPLY, 0.0) if answer else 0.0
        sure = sure if math.isfinite(sure) else 0.0
        graded.append((outcome.answer is not None, share, sure if share >= 1 else -sure, place))
    return tuple(_case(scoring, joined, i, pairs[i][0]) for *_, i in sorted(graded))


def _case(scoring: Scoring[T], joined: Joined[T], place: int, outcome: Outcome) -> Case:
    sample, truth, value = joined.samples[place], joined.truths[place], joined.values[place]
    case = Case(sample, joined.answers[place], outcome)
    if scoring.spans is not None:
        answered = tuple(scoring.spans(value, sample)) if value is not None else ()
        case = replace(case, true_spans=tuple(scoring.spans(truth, sample)), answered_spans=answered)
    if scoring.fields is not None:
        given = dict(scoring.fields(value)) if value is not None else {}
        case = replace(case, true_fields=dict(scoring.fields(truth)), answered_fields=given)
    if scoring.elements is not None:
        named = scoring.elements(truth, value).items()
        case = replace(case, pairs=tuple((name, *both) for name, pairs in named for both in pairs))
    return case


def _columns(scoring: Scoring[T], joined: Joined[T]) -> tuple[Mapping[str, Any], ...]:
    """The room's own line of every sample, behind its place in the data."""
    if scoring.columns is None:
        return ()
    return tuple({"index": place, **scoring.columns(*pair)} for place, pair in enumerate(joined.every))


def _curves(scoring: Scoring[T], joined: Joined[T], head: Answered) -> tuple[ThresholdCurve, ...]:
    if head.probabilities is None:
        return ()
    given = [scoring.thresholds(value) for value in joined.values if value is not None and scoring.thresholds]
    chosen = {}
    for name in dict.fromkeys(name for row in given for name in row):
        values = {row[name] for row in given if name in row}
        if len(values) == 1:  # answers by several thresholds have no one place on the curve
            chosen[name] = values.pop()
    return threshold_curves(head.probabilities, chosen)
