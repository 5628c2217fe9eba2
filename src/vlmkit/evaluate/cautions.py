"""What a reader of figures has to be told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vlmkit.evaluate.figures import Comparison
from vlmkit.evaluate.join import listed
from vlmkit.evaluate.probabilities import CALIBRATION, RANKED
from vlmkit.evaluate.report import Report
from vlmkit.evaluate.slices import FEW, FEW_OF_A_CLASS


def cautions(report: Report) -> Iterator[str]:
    """Little data, baselines that do as well, rivals that do as well, ids that do not join."""
    yield from _few(report)
    yield from _solved(report)
    yield from _beaten(report)
    yield from _rivalled(report.comparisons)
    for table, rows in report.slices.items():
        if few := [row.slice for row in rows if row.warning]:
            yield f"slices {table!r}: {len(few)} of {len(rows)} rest on too little: {listed(few)}"
    for what, ids in (
        ("samples have no prediction and count as wrong", report.missing),
        ("predictions belong to no sample and were left out", report.unknown),
        ("samples have no truth and were left out", report.unlabelled),
    ):
        if ids:
            yield f"{len(ids)} {what}: {listed(ids)}"


def _few(report: Report) -> Iterator[str]:
    if report.n < FEW:
        yield f"only {report.n} samples (fewer than {FEW}): the intervals are too narrow to be believed"
    counted = {"samples": report.labels}
    counted |= {f"{one.name}s": one.rows for one in report.fields if one.elements}
    for what, rows in counted.items():
        if rare := [f"{row.label} ({row.n})" for row in rows if 0 < row.n < FEW_OF_A_CLASS]:
            yield f"classes of fewer than {FEW_OF_A_CLASS} {what}: {listed(rare)}; their figures rest on chance"


def _solved(report: Report) -> Iterator[str]:
    if sum(row.n > 0 for row in report.labels) == 1:
        yield f"every sample has the label {report.labels[0].label!r}: this data cannot tell a model from a constant"
    perfect: dict[str, list[str]] = {}
    for name, baseline in report.baselines.items():
        skill = {metric: value for metric, value in baseline.items() if metric in RANKED or _of_all(report, metric)}
        errors = report.lower_is_better
        full = [metric for metric, value in skill.items() if (value <= 0.0 if metric in errors else value >= 1.0)]
        if full:
            perfect.setdefault(", ".join(full), []).append(name)
    for metrics, names in perfect.items():
        who = ("baselines " if len(names) > 1 else "baseline ") + ", ".join(map(repr, names))
        yield f"{who} cannot be beaten in {metrics}: this data cannot tell a model from a constant"


def _of_all(report: Report, metric: str) -> bool:
    """Whether every sample counts in it. In a recall, say, whoever gives everybody the label in question is perfect."""
    return report.denominators.get(metric) == report.n


def _beaten(report: Report) -> Iterable[str]:
    for metric, (low, high) in report.intervals.items():
        rivals = {name: figures[metric] for name, figures in report.baselines.items() if metric in figures}
        sign, end, word = (-1, high, "below") if metric in report.lower_is_better else (1, low, "above")
        most = 0.0 if sign < 0 else 1.0  # nobody can be past that
        if metric in CALIBRATION or (most in rivals.values() and not _of_all(report, metric)):
            continue
        beaten = {name: value for name, value in rivals.items() if sign * value >= sign * end}
        if beaten:
            name = max(beaten, key=lambda key: sign * beaten[key])
            side = "ends" if sign < 0 else "begins"
            reached = f"which gets {beaten[name]:.3f}: the interval {side} at {end:.3f}"
            yield f"{metric} is not clearly {word} baseline {name!r}, {reached}"


def _rivalled(comparisons: Iterable[Comparison]) -> Iterator[str]:
    for one in comparisons:
        even = [metric for metric, found in one.differences.items() if found.interval[0] <= 0 <= found.interval[1]]
        if even:
            yield f"{one.first} is not clearly different from {one.second} in {', '.join(even)}"
