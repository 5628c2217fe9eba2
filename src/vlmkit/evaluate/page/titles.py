"""What fields are called on a page, and which of them are the same one twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vlmkit.evaluate.figures import FieldTable

if TYPE_CHECKING:
    from vlmkit.evaluate.report import Report


def titles(report: Report) -> dict[str, str]:
    """What fields are called on the page: the last part of their path, where only one field has it."""
    paths = [table.name for table in report.fields] + [one.name for one in report.reliability]
    paths = list(dict.fromkeys([*paths, *(name for name, _ in report.risk)]))
    last = [path.rpartition(".")[2] for path in paths]
    found = {path: name if last.count(name) == 1 else path for path, name in zip(paths, last, strict=True)}
    for same in report.fields[1:]:
        if _same(same, report.fields[0]):
            found[report.fields[0].name] = f"{report.fields[0].name} ({found[same.name]})"
            break
    return found


def shown_fields(report: Report) -> Iterator[FieldTable]:
    """The label, and the closed fields but one that is the label itself."""
    for place, table in enumerate(report.fields):
        if place == 0 or not _same(table, report.fields[0]):
            yield table


def _same(one: FieldTable, other: FieldTable) -> bool:
    return (one.classes, one.confusion) == (other.classes, other.confusion)
