"""A report in a notebook: the headline plot and the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vlmkit.errors import MissingExtraError
from vlmkit.evaluate.page.sections import headline_plots
from vlmkit.evaluate.page.tables import class_table, figures_table
from vlmkit.markup import html_table

if TYPE_CHECKING:
    from vlmkit.evaluate.report import Report


def notebook(report: Report) -> str:
    """HTML for a cell; without matplotlib the tables alone."""
    try:
        plots = "".join(f'<div style="flex:1 1 20em;max-width:30em">{svg}</div>' for svg in headline_plots(report))
    except MissingExtraError:
        plots = ""
    tables = [figures_table(report)]
    tables += [class_table(one.name, one.rows) for one in report.fields[:1]] or [class_table("label", report.labels)]
    told = [html_table(one.header, one.rows) for one in tables]
    told += [html_table(["warning"], [[warning] for warning in report.warnings])] if report.warnings else []
    rows = f'<div style="display:flex;flex-wrap:wrap;gap:12px 28px">{plots}</div>' if plots else ""
    return f"<div>{rows}{''.join(told)}</div>"
