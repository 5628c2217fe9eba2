"""Rows of text as a table for a terminal."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns two spaces apart, the first flush left and the others flush right. Wide letters count as two cells."""
    lines = [header, *rows]
    widths = [max(_width(line[column]) for line in lines) for column in range(len(header))]
    drawn = [_line(line, widths) for line in lines]
    drawn.insert(1, "  ".join("─" * width for width in widths))
    return "\n".join(line.rstrip() for line in drawn)


def figure(value: float | None) -> str:
    """Three digits after the point; a dash where there is nothing to show."""
    return "–" if value is None or math.isnan(value) else f"{round(value, 3) + 0.0:.3f}"  # no -0.000


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = zip(cells, widths, strict=True)
    return "  ".join([_left(*first), *(_right(*cell) for cell in rest)])


def _left(cell: str, width: int) -> str:
    return cell + " " * (width - _width(cell))


def _right(cell: str, width: int) -> str:
    return " " * (width - _width(cell)) + cell


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
