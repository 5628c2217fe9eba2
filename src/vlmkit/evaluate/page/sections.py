"""What a report says, in the order in which it is read: each section with its plots and tables."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from vlmkit.evaluate.figures import FieldTable, Reliability, RobustnessRow, SliceRow
from vlmkit.evaluate.labels import LabelRow
from vlmkit.evaluate.page.curves import reliability_plot, risk_plot, threshold_plot
from vlmkit.evaluate.page.matrix import MOST, matrix_plot
from vlmkit.evaluate.page.parts import Plot, Section, alike, chunks, section
from vlmkit.evaluate.page.rows import Row, rows_plot
from vlmkit.evaluate.page.tables import (
    abstain_table,
    between,
    calibration_table,
    class_table,
    comparison_table,
    confusion_table,
    figures_table,
    marked,
    robustness_table,
    slice_table,
    threshold_table,
)
from vlmkit.evaluate.page.titles import shown_fields, titles
from vlmkit.evaluate.probabilities import LOWER
from vlmkit.evaluate.table import figure

if TYPE_CHECKING:
    from vlmkit.calibration.error import RiskCoverage
    from vlmkit.evaluate.report import Report

_STEPS = (0.02, 0.04, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)


def sections(report: Report) -> list[Section]:
    """Every section that the report has something for."""
    makers = (headline, classes, confusions, reliability, thresholds, risk, slices, comparisons, robustness)
    return [made for maker in makers if (made := maker(report)) is not None]


def headline(report: Report) -> Section:
    """Every metric with its interval beside every baseline, on one axis."""
    return Section(
        "figures",
        "Figures",
        "Dots are this head, with 95 % intervals; the other signs are answers that never looked at the samples"
        + (", and parts of the head that answered alone." if report.rivals else ".")
        + _apart(report),
        tuple(Plot(svg) for svg in headline_plots(report)),
        shown=(figures_table(report),),
    )


def headline_plots(report: Report) -> Iterator[str]:
    """The metrics between 0 and 1, some to a drawing."""
    rows = [_metric(report, name) for name in report.metrics if _on_axis(report, name)]
    for _, chunk in chunks(rows):
        yield rows_plot(chunk, f"{report.task}, {report.n} samples")


def classes(report: Report) -> Section | None:
    """F1 as bars with intervals, precision and recall on them, for the label and each closed field."""
    names = titles(report)
    fields = [(names[one.name], one.rows, one.elements) for one in shown_fields(report)]
    fields = fields or [("label", report.labels, False)]
    drawn = [
        Plot(rows_plot([_class(row) for row in chunk], f"{name} by class", subject="F1", bars=True), name + place)
        for name, rows, _ in fields
        for place, chunk in chunks(rows)
    ]
    lead = "F1 of each class with its 95 % interval; n is how often it is true. The most frequent stand first."
    tables = (class_table(name, rows, elements=elements) for name, rows, elements in fields)
    return section("classes", "By class", lead, drawn, tables)


def confusions(report: Report) -> Section | None:
    """One matrix a field."""
    names = titles(report)
    drawn = [Plot(matrix_plot(table), names[table.name], _field(table)) for table in shown_fields(report)]
    lead = "A row is a true class, a column what was answered. Blue is right, orange is wrong, grey had none; the "
    lead += "shade is the share of the row."
    if any(len(table.classes) > MOST for table in report.fields):
        lead += f" Beyond {MOST} classes the rarest are put together; the tables below have them all."
    tables = map(confusion_table, shown_fields(report))
    return section("confusions", "Confusions", lead, drawn, tables)


def reliability(report: Report) -> Section | None:
    """Bars of accuracy by confidence, before and after calibration where there was one."""
    drawn, names = [], titles(report)
    for same in alike(report.reliability, _bars):
        one, name = same[0], " and ".join(names[one.name] for one in same)
        if one.before is not None and one.ece_before is not None:
            svg = reliability_plot(one.before, name, one.ece_before, before=True)
            drawn.append(Plot(svg, f"{name}, before calibration: ECE {one.ece_before:.3f}", f"{one.n} answers"))
        when = "" if one.before is None else ", after calibration"
        svg = reliability_plot(one.after, name, one.ece_after)
        drawn.append(Plot(svg, f"{name}{when}: ECE {one.ece_after:.3f}", f"{one.n} answers"))
    lead = "How often answers are right where the head was so and so sure. Bars on the dashed line: it knows how sure "
    lead += "to be; below it: too sure. Few answers in a bar (n) make it jump."
    tables = (calibration_table(one) for one in report.reliability if one.metrics)
    made = section("reliability", "Reliability", lead, drawn, tables)
    paired = any(one.before is not None for one in report.reliability)
    return replace(made, pairs=True) if made and paired else made


def thresholds(report: Report) -> Section | None:
    """Precision, recall and F1 of each class by threshold."""
    several = "The head answers by no threshold, or by more than one."
    drawn = [
        Plot(threshold_plot(curve), f"class {curve.name}", several if curve.chosen is None else "")
        for curve in report.thresholds
    ]
    lead = "What answering a class from this probability on would give on these samples; the line is the threshold "
    lead += "that the head has. Choosing one here would tune it on the test."
    tables = tuple(map(threshold_table, report.thresholds))
    return section("thresholds", "Thresholds", lead, drawn, tables)


def risk(report: Report) -> Section | None:
    """Risk–coverage curves, and what to abstain below."""
    names = titles(report)
    drawn = []
    for same in alike(report.risk, _curve):
        name, curve = " and ".join(names[name] for name, _ in same), same[0][1]
        drawn.append(Plot(risk_plot(name, curve), name, f"AURC {curve.aurc:.3f}"))
    if not drawn:
        return None
    lead = "What is gained by answering only where the head is sure: abstain_below in Python and on the "
    lead += "command line. The dots are rows of the table; figures at them say below which confidence to abstain."
    shown = abstain_table(report.risk[:1])
    folded = (abstain_table(report.risk),) if len(report.risk) > 1 else ()
    return Section("risk", "Answering less", lead, tuple(drawn[:2]), tuple(drawn[2:]), (shown,), folded)


def slices(report: Report) -> Section | None:
    """One metric by slice as dots; all of them in tables."""
    drawn, tables = [], []
    for name, rows in sorted(report.slices.items(), key=lambda item: len(item[1]) == 1):
        names = list(dict.fromkeys(metric for row in rows for metric in row.metrics))
        shown = next((metric for metric in report.metrics if metric in names), names[0] if names else None)
        if shown is None:
            continue
        title = f"{shown} by {name}"
        dots = [_slice(row, shown) for row in rows if len(rows) > 1]  # one slice of all is the headline again
        drawn += [Plot(rows_plot(chunk, title), title + place) for place, chunk in chunks(dots)]
        tables.append(slice_table(name, names, rows))
    lead = "The same metric where samples share something. ! marks a slice that rests on too little."
    return section("slices", "By slice", lead, drawn, tables)


def comparisons(report: Report) -> Section | None:
    """Differences of two sets of answers to the same samples, with paired intervals."""
    drawn, beyond = [], dict[str, None]()
    for one in report.comparisons:
        ends = {name: (found.difference, *found.interval) for name, found in one.differences.items()}
        wide = {name for name, some in ends.items() if max(map(abs, some)) > 1}  # they would squash the others
        beyond |= dict.fromkeys(name for name in ends if name in wide)
        reach = _reach(abs(end) for name, some in ends.items() if name not in wide for end in some)
        rows = [
            Row(
                marked(name, report.lower_is_better),
                found.difference,
                found.interval,
                told=f"{found.first:.3f} vs {found.second:.3f}",
            )
            for name, found in one.differences.items()
            if name not in wide
        ]
        title = f"{one.first} less {one.second}"
        drawn += [
            Plot(rows_plot(chunk, title, limits=(-reach, reach), zero=0.0), title + place, f"{one.n} samples in both")
            for place, chunk in chunks(rows)
        ]
    lead = "Paired differences on the same samples: where an interval does not meet the line at 0, one of the two is "
    lead += "better beyond the luck of this draw; right of it the first, left of it where ↓ marks an error."
    lead += f" Beyond −1 to 1, and so in the table only: {', '.join(beyond)}." if beyond else ""
    tables = (comparison_table(one, report.lower_is_better) for one in report.comparisons)
    return section("comparisons", "Compared", lead, drawn, tables)


def robustness(report: Report) -> Section | None:
    """What disturbances of the input cost, a metric at a time."""
    reach = _reach(abs(end) for row in report.robustness for end in (row.difference, *row.interval))
    drawn = []
    for same in alike(report.robustness, lambda row: row.metric):
        title = f"change of {same[0].metric}"
        parts = chunks([_disturbed(row) for row in same])
        drawn += [
            Plot(rows_plot(part, title, limits=(-reach, reach), zero=0.0), title + place) for place, part in parts
        ]
    lead = "The same samples with their input disturbed; the dot is the change, its interval is paired."
    return section("robustness", "Robustness", lead, drawn, [robustness_table(report.robustness)])


def _disturbed(row: RobustnessRow) -> Row:
    told = f"{figure(row.undisturbed)} → {figure(row.disturbed)}"
    return Row(row.disturbance, row.difference, row.interval, f"n {row.n}", told=told)


def _metric(report: Report, name: str) -> Row:
    n = report.denominators.get(name, report.n)
    note = "↓" if name in report.lower_is_better else ""
    note += f" n {n}" if n != report.n else ""
    others = {**report.baselines, **report.rivals}
    return Row(
        name,
        report.metrics[name],
        report.intervals.get(name),
        note.strip(),
        {other: figures.get(name) for other, figures in others.items()},
    )


def _on_axis(report: Report, name: str) -> bool:
    """Whether a metric is a share, or an error of probabilities, whose values lie between 0 and 1 or are undefined."""
    if name in report.lower_is_better - LOWER:  # seconds or counts, which may lie below 1 by accident
        return False
    others = (figures.get(name) for figures in (*report.baselines.values(), *report.rivals.values()))
    values = (report.metrics[name], *report.intervals.get(name, ()), *others)
    return all(value is None or math.isnan(value) or 0.0 <= value <= 1.0 for value in values)


def _apart(report: Report) -> str:
    told = " ↓ marks those that are better when lower." if report.lower_is_better & report.metrics.keys() else ""
    beyond = [name for name in report.metrics if not _on_axis(report, name)]
    return told + (f" No shares from 0 to 1, and so in the table only: {', '.join(beyond)}." if beyond else "")


def _slice(row: SliceRow, metric: str) -> Row:
    note = f"n {row.n}{' !' if row.warning else ''}"
    return Row(row.slice, row.metrics.get(metric), row.intervals.get(metric), note)


def _class(row: LabelRow) -> Row:
    beside = {"precision": row.precision, "recall": row.recall}
    return Row(row.label, row.f1, row.f1_interval, f"n {row.n}", beside)


def _field(table: FieldTable) -> str:
    told = (f"{name} {figure(value)} ({between(table.intervals.get(name))})" for name, value in table.metrics.items())
    return " · ".join(told)


def _bars(one: Reliability) -> Hashable:
    return one.before, one.after


def _curve(one: tuple[str, RiskCoverage]) -> Hashable:
    return one[1]


def _reach(values: Iterable[float]) -> float:
    most = max((value for value in values if math.isfinite(value)), default=0.0)
    return next((step for step in _STEPS if most <= step), most)
