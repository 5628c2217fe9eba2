"""Join predictions to samples by id, score them, and put what a constant would have got beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar, cast

from vlmkit.errors import DataError
from vlmkit.evaluate.bootstrap import Rows, Table
from vlmkit.evaluate.figures import Outcome
from vlmkit.evaluate.labels import entropy_bits, label_rows
from vlmkit.evaluate.report import Report
from vlmkit.task import Scoring, Task
from vlmkit.types import Prediction, Sample

T = TypeVar("T")
V = TypeVar("V")

FEW = 30  # below this a percentile interval is too narrow to be believed
_NAMED = 5  # ids that a warning spells out


def evaluate(
    task: Task[T],
    samples: Iterable[Sample],
    predictions: Iterable[Prediction[T]],
    *,
    seed: int = 0,
    resamples: int = 1000,
    model: str = "",
    data: str = "",
) -> Report:
    """Score predictions against the truth of the samples with the same ids, in any order.

    A sample without a prediction, or with one that has no value, counts as wrong. Predictions of unknown ids and
    samples without truth are counted, listed and left out. Baselines learn from the evaluated truths themselves:
    the strongest answer that never looks. Every metric is taken as better when higher.

    Args:
        seed: of the resampling and of the chance baseline.
        resamples: bootstrap draws; 1000 or more.
        model, data: how the report names them.

    Raises:
        DataError: an id that comes twice, no sample with truth, no prediction about any of them, or fewer than 1000
            resamples.
    """
    if resamples < 1000:
        raise DataError(f"resamples={resamples}: an interval from fewer than 1000 draws is noise; give 1000 or more")
    by_id = _unique([(sample.id, sample) for sample in samples], "sample")
    answers = _unique([(prediction.sample_id, prediction) for prediction in predictions], "prediction")
    known: dict[str, T] = {key: sample.truth for key, sample in by_id.items() if sample.truth is not None}
    if not known:
        raise DataError(f"{data or task.name}: {len(by_id)} samples and no truth to compare with")
    _refuse_strangers(list(answers), list(by_id))
    scored = [by_id[key] for key in known]
    values = [answers[key].value if key in answers else None for key in known]
    outcomes, wrong = _outcomes(task.scoring, scored, answers)
    table = _table(task.scoring, [outcome.metrics for outcome in outcomes], list(known.values()), values)
    labels = [outcome.truth for outcome in outcomes]
    missing = tuple(key for key in known if key not in answers)
    failures = Counter(code for outcome in outcomes for code in outcome.problems)
    report = Report(
        task=task.name,
        n=len(known),
        metrics=table.means(),
        intervals=table.intervals(seed=seed, resamples=resamples),
        baselines=_baselines(task.scoring, scored, seed),
        model=model,
        data=data,
        denominators=table.denominators,
        labels=label_rows(labels, [outcome.answer for outcome in outcomes]),
        entropy_bits=entropy_bits(labels),
        failures=dict(failures.most_common()),
        missing=missing,
        unknown=tuple(key for key in answers if key not in by_id),
        unlabelled=tuple(key for key in by_id if key not in known),
        wrong=tuple(wrong),
        records=tuple(task.to_json(answer) for answer in answers.values() if answer.value is not None),
    )
    return replace(report, warnings=tuple(_warnings(report)))


def _unique(pairs: Sequence[tuple[str, V]], what: str) -> dict[str, V]:
    joined = dict(pairs)
    if len(joined) < len(pairs):
        twice = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
        raise DataError(f"{len(twice)} {what} ids come more than once: {_list(twice)}; ids join answers to truth")
    return joined


def _refuse_strangers(answers: Sequence[str], samples: Sequence[str]) -> None:
    """Predictions of which none is about these samples: a mix-up, and no model that is always wrong."""
    if answers and not set(answers) & set(samples):
        raise DataError(
            f"none of {len(answers)} predictions is about these samples: ids are like {_list(answers[:2])} there "
            f"and like {_list(samples[:2])} here"
        )


def _outcomes(
    scoring: Scoring[T], samples: Sequence[Sample], answers: Mapping[str, Prediction[T]]
) -> tuple[list[Outcome], list[Outcome]]:
    """All outcomes, and those without an answer or with a figure below half of a perfect answer's."""
    outcomes, wrong = [], []
    for sample in samples:
        answer, truth = answers.get(sample.id), cast(T, sample.truth)
        value = answer.value if answer else None
        label = None if value is None else scoring.label(value)
        problems = tuple(problem.code for problem in answer.problems) if answer else ("missing",)
        metrics = {**scoring.row(truth, value), **(scoring.checks(sample, value) if scoring.checks else {})}
        outcome = Outcome(sample.id, scoring.label(truth), label, problems, metrics)
        outcomes.append(outcome)
        if value is None or _far(metrics, scoring.row(truth, truth)):
            wrong.append(outcome)
    return outcomes, wrong


def _table(scoring: Scoring[T], rows: Rows, truths: Sequence[T], values: Sequence[T | None]) -> Table:
    pairs = zip(truths, values, strict=True)
    return Table(rows, scoring.combine, [scoring.counts(*pair) for pair in pairs] if scoring.counts else ())


def _far(found: Mapping[str, float | None], best: Mapping[str, float | None]) -> bool:
    return any((found.get(name) or 0.0) < value / 2 for name, value in best.items() if value is not None)


def _baselines(scoring: Scoring[T], samples: Sequence[Sample], seed: int) -> dict[str, dict[str, float]]:
    truths, found = [cast(T, sample.truth) for sample in samples], {}
    for name, drawn in scoring.baselines(truths, [sample.id for sample in samples], seed).items():
        pairs = zip(samples, drawn, strict=True)
        answers = [scoring.forced(*pair) if scoring.forced else pair[1] for pair in pairs]
        rows = [scoring.row(truth, answer) for truth, answer in zip(truths, answers, strict=True)]
        found[name] = _table(scoring, rows, truths, answers).means()
    return found


def _warnings(report: Report) -> Iterable[str]:
    if report.n < FEW:
        yield f"only {report.n} samples (fewer than {FEW}): the intervals are too narrow to be believed"
    if sum(row.n > 0 for row in report.labels) == 1:
        yield f"every sample has the label {report.labels[0].label!r}: this data cannot tell a model from a constant"
    for name, baseline in report.baselines.items():
        full = [metric for metric, value in baseline.items() if value >= 1.0]
        if full:
            yield f"baseline {name!r} reaches 1.0 in {', '.join(full)}: this data cannot tell a model from a constant"
    for metric, (low, _) in report.intervals.items():
        rivals = {name: figures.get(metric, low - 1) for name, figures in report.baselines.items()}
        beaten = {name: value for name, value in rivals.items() if value >= low}
        if beaten:
            name = max(beaten, key=lambda key: beaten[key])
            reached = f"which gets {beaten[name]:.3f}: the interval begins at {low:.3f}"
            yield f"{metric} is not clearly above baseline {name!r}, {reached}"
    for what, ids in (
        ("samples have no prediction and count as wrong", report.missing),
        ("predictions belong to no sample and were left out", report.unknown),
        ("samples have no truth and were left out", report.unlabelled),
    ):
        if ids:
            yield f"{len(ids)} {what}: {_list(ids)}"


def _list(ids: Sequence[str]) -> str:
    rest = len(ids) - _NAMED
    return ", ".join(ids[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
