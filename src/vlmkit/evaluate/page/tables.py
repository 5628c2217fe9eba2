"""The figures behind the plots, as text."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vlmkit.evaluate.figures import (
    Comparison,
    FieldTable,
    Interval,
    Reliability,
    RobustnessRow,
    SliceRow,
    ThresholdCurve,
)
from vlmkit.evaluate.labels import LabelRow
from vlmkit.evaluate.page.curves import operating_points, threshold_points
from vlmkit.evaluate.table import figure

if TYPE_CHECKING:
    from vlmkit.calibration.error import RiskCoverage
    from vlmkit.evaluate.report import Report


@dataclass(frozen=True)
class Table:
    """Rows of text; the first column names the row."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def figures_table(report: Report) -> Table:
    """Every metric with its interval, how many samples it counts, and what baselines and rivals get."""
    others = {**report.baselines, **report.rivals}
    rows = [
        [
            marked(name, report.lower_is_better),
            figure(value),
            between(report.intervals.get(name)),
            str(report.denominators.get(name, report.n)),
            *(figure(figures.get(name)) for figures in others.values()),
        ]
        for name, value in report.metrics.items()
    ]
    return Table("All figures", ["metric", "value", "95 % interval", "n", *others], rows)


def class_table(name: str, rows: Sequence[LabelRow], *, elements: bool = False) -> Table:
    """The classes of a field; of `elements` of lists also how many were missed, and how many answers are false."""
    cells = [
        [
            row.label,
            *(str(row.n), str(row.predicted)),
            *((str(row.n - row.right), str(row.predicted - row.right)) if elements else ()),
            *(figure(row.precision), figure(row.recall), figure(row.f1)),
            between(row.f1_interval),
        ]
        for row in rows
    ]
    counted = ["n", "answered", *(("missed", "false") if elements else ())]
    return Table(f"{name} by class", ["class", *counted, "precision", "recall", "F1", "95 % of F1"], cells)


def confusion_table(table: FieldTable) -> Table:
    """Counts, a row a true class."""
    rows = [[name, *map(str, counts)] for name, counts in zip(table.classes, table.confusion, strict=True)]
    return Table(f"{table.name}: counts", ["truth ↓  answer →", *table.classes, table.lacking], rows)


def calibration_table(one: Reliability) -> Table:
    """The errors of a field's confidences."""
    rows = [[name, figure(value), between(one.intervals.get(name))] for name, value in one.metrics.items()]
    return Table(f"{one.name}: calibration", ["figure", "value", "95 % interval"], rows)


def threshold_table(curve: ThresholdCurve) -> Table:
    """Precision, recall and F1 of a class at some thresholds."""
    rows = [
        [f"{at:.3f}" + (" (chosen)" if at == curve.chosen else ""), *map(figure, found)]
        for at, *found in threshold_points(curve)
    ]
    return Table(f"{curve.name} by threshold", ["threshold", "precision", "recall", "F1"], rows)


def marked(metric: str, lower: Collection[str]) -> str:
    """The name of a metric, with an arrow where less is better."""
    return f"{metric} ↓" if metric in lower else metric


def comparison_table(one: Comparison, lower: Collection[str] = ()) -> Table:
    """Metrics of two sets of answers, and their paired differences."""
    rows = [
        [
            marked(name, lower),
            *(figure(found.first), figure(found.second)),
            *(f"{found.difference:+.3f}", between(found.interval), f"{found.better:.1%}"),
        ]
        for name, found in one.differences.items()
    ]
    header = ["metric", one.first, one.second, "difference", "95 % of it", f"{one.first} better"]
    return Table(f"{one.first} and {one.second}", header, rows)


def abstain_table(curves: Sequence[tuple[str, RiskCoverage]]) -> Table:
    """What to abstain below to answer about so much, and how much of that is wrong."""
    rows = [
        [name, f"{threshold:.15g}", f"{share:.1%}", f"{wrong:.1%}"]
        for name, curve in curves
        for _, share, threshold, wrong in operating_points(curve)
    ]
    return Table("Abstain below", ["confidence of", "abstain below", "answered", "of these wrong"], rows)


def slice_table(name: str, metrics: Sequence[str], rows: Sequence[SliceRow]) -> Table:
    """All metrics by slice."""
    cells = [[row.slice, str(row.n), *(figure(row.metrics.get(one)) for one in metrics), row.warning] for row in rows]
    return Table(f"By {name}", ["slice", "n", *metrics, "warning"], cells)


def robustness_table(rows: Sequence[RobustnessRow]) -> Table:
    """What each disturbance costs, and whom it leaves out."""
    cells = [
        [
            row.disturbance,
            row.modality,
            str(row.n),
            row.metric,
            figure(row.undisturbed),
            figure(row.disturbed),
            between(row.interval),
            "–" if math.isnan(row.relative_loss) else f"{row.relative_loss:.1%}",
            ", ".join(f"{count} {reason}" for reason, count in row.left_out.items()),
        ]
        for row in rows
    ]
    header = ["disturbance", "of", "n", "metric", "undisturbed", "disturbed", "95 % of the change", "lost", "left out"]
    return Table("Disturbances", header, cells)


def between(interval: Interval | None) -> str:
    """Both ends of an interval; a dash where none was drawn."""
    return "–" if interval is None else f"{figure(interval[0])} … {figure(interval[1])}"
