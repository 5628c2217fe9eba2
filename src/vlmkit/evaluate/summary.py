"""A report as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vlmkit.evaluate.page.tables import Table, class_table, comparison_table, figures_table, robustness_table
from vlmkit.evaluate.table import figure, text_table

if TYPE_CHECKING:
    from vlmkit.evaluate.figures import Reliability
    from vlmkit.evaluate.report import Report

_SURE = ("accuracy", "confidence", "ECE before", "ECE", "adaptive ECE", "Brier", "AURC")


def summary(report: Report) -> str:
    """Failed checks first, then figures, classes, comparisons, checks and disturbances, and warnings at the end."""
    return "\n\n".join(_parts(report))


def _parts(report: Report) -> Iterator[str]:
    head = f"{report.task}: {report.n} samples" + (f" of {report.data}" if report.data else "")
    head += f", {len(report.labels)} labels, {report.entropy_bits:.2f} bits"
    yield head + (f"; {report.model}" if report.model else "")
    yield from (f"THE CHECK {one.name!r} FAILED: {one.detail}" for one in report.sanity if not one.passed)
    yield _text(figures_table(report))
    yield _text(class_table("label", report.labels))
    yield from (_text(class_table(one.name, one.rows, elements=True)) for one in report.fields if one.elements)
    if report.reliability:
        yield text_table(["confidence of", "n", *_SURE], [_sure(one) for one in report.reliability])
    for one in report.comparisons:
        yield f"{one.first} and {one.second}, {one.n} samples, {one.resamples} paired resamples\n\n" + _text(
            comparison_table(one)
        )
    if report.sanity:
        yield "\n".join(f"{'passed' if one.passed else 'FAILED'}  {one.name}: {one.detail}" for one in report.sanity)
    if report.robustness:
        yield _text(robustness_table(report.robustness))
    if report.failures:
        yield "problems: " + ", ".join(f"{code} × {count}" for code, count in report.failures.items())
    if report.warnings:
        yield "\n".join(f"warning: {warning}" for warning in report.warnings)


def _sure(one: Reliability) -> list[str]:
    return [one.name, str(one.n), *(figure(one.metrics.get(name)) for name in _SURE)]


def _text(table: Table) -> str:
    return text_table(table.header, table.rows)
