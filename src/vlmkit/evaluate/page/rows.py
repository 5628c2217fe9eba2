"""Rows of figures: a name and a value, and below it a dot with its interval or a bar, beside what else is compared."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from vlmkit.evaluate.page.canvas import HEAD, INK, LINE, PALE, SERIES, TRACK, WIDTH, Sheet, fitted, style, width_of

_LEFT, _RIGHT = 8.0, WIDTH - 8.0
_ROW, _LEGEND, _AXIS = 40.0, 18.0, 24.0
_MARKERS = ("s", "^", "x", "D", "v", "P", "+", "p")
_MOST_LETTERS = 24  # of a name in the legend


@dataclass(frozen=True)
class Row:
    """One figure. Values are on the axis of the plot; NaN ones are not drawn.

    Attributes:
        value: None where there is none; `told` takes its place in words.
        interval: its ends, where it was drawn.
        note: a few words beside the value.
        beside: what else is marked on the same line, by the names of the legend.
    """

    name: str
    value: float | None
    interval: tuple[float, float] | None = None
    note: str = ""
    beside: Mapping[str, float | None] = field(default_factory=dict)
    told: str = ""


@style()
def rows_plot(
    rows: Sequence[Row],
    title: str,
    *,
    subject: str = "this head",
    limits: tuple[float, float] = (0.0, 1.0),
    bars: bool = False,
    zero: float | None = None,
) -> str:
    """The rows as SVG, with a legend above where something is beside, and the axis below.

    Args:
        subject: what the legend calls the rows' own values.
        limits: of the axis. zero: where a line is drawn through all rows.
        bars: draw values as bars from the left, else as dots.
    """
    names = list(dict.fromkeys(name for row in rows for name in row.beside))
    signs = {name: (_MARKERS[i % len(_MARKERS)], SERIES[1:][i % 7]) for i, name in enumerate(names)}
    lines = _legend_lines([subject, *names]) if names else []
    top = _LEGEND * len(lines) + (6 if lines else 0)
    sheet = Sheet(top + _ROW * len(rows) + _AXIS)
    _legend(sheet, lines, {subject: ("o", HEAD), **signs}, bars)
    scale = _Scale(*limits)
    bottom = top + _ROW * len(rows)
    for at in scale.ticks:
        strong = zero is not None and math.isclose(at, zero, abs_tol=1e-9)
        sheet.line((scale.x(at), scale.x(at)), (top + 4, bottom + 2), PALE if strong else LINE, linewidth=0.8, zorder=0)
        side = "left" if at == scale.ticks[0] else "right" if at == scale.ticks[-1] else "center"
        nudge = {"left": -6, "right": 6, "center": 0}[side]
        sheet.text(scale.x(at) + nudge, bottom + 16, scale.told(at), ha=side, color=PALE, fontsize=10)
    for place, row in enumerate(rows):
        _row(sheet, row, top + place * _ROW, scale, signs, bars)
    return sheet.svg(f"{title}: {'; '.join(_spoken(row) for row in rows)}")


class _Scale:
    """Values to pixels of the sheet."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high if high > low else low + 1.0
        self.ticks = [low + (self.high - low) * i / 4 for i in range(5)]

    def x(self, value: float) -> float:
        """Where a value lies; beyond the ends, at the end."""
        share = min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)
        return _LEFT + share * (_RIGHT - _LEFT)

    def told(self, value: float) -> str:
        """A tick in as few digits as tell it from the others."""
        return f"{round(value, 4):g}".replace("-", "−")


def _row(sheet: Sheet, row: Row, top: float, scale: _Scale, signs: Mapping[str, tuple[str, str]], bars: bool) -> None:
    words, middle = top + 15, top + 27
    value = row.told or _told(row)
    right = f"{value}  {row.note}".rstrip()
    sheet.text(2, words, fitted(row.name, _RIGHT - width_of(right, 10.5) - 14), fontsize=11.5)
    sheet.text(WIDTH - 2, words, row.note, ha="right", color=PALE, fontsize=10)
    sheet.text(WIDTH - 2 - (width_of(row.note, 10.5) + 8 if row.note else 0), words, value, ha="right", fontsize=10.5)
    if bars:
        sheet.box(_LEFT, middle - 5, _RIGHT - _LEFT, 10, TRACK)
    else:
        sheet.line((_LEFT, _RIGHT), (middle, middle), LINE, linewidth=0.8)
    if bars and _is_number(row.value):
        end = scale.x(row.value or 0.0)
        sheet.box(_LEFT, middle - 5, end - _LEFT, 10, HEAD, alpha=0.42)
        sheet.box(max(end - 2.5, _LEFT), middle - 5, 2.5, 10, HEAD)
    for name, beside in row.beside.items():
        if _is_number(beside):
            marker, colour = signs[name]
            sheet.mark(scale.x(beside or 0.0), middle, marker, colour, size=7)
    if row.interval is not None and all(map(math.isfinite, row.interval)):
        ends = (scale.x(row.interval[0]), scale.x(row.interval[1]))
        colour = INK if bars else HEAD
        sheet.line(ends, (middle, middle), colour, linewidth=1.6 if bars else 3.2, alpha=0.9 if bars else 0.55)
        for end in ends if bars else ():
            sheet.line((end, end), (middle - 3, middle + 3), colour, linewidth=1.6)
    if not bars and _is_number(row.value):
        sheet.mark(scale.x(row.value or 0.0), middle, "o", HEAD, full=True, size=8.5)


def _told(row: Row) -> str:
    if not _is_number(row.value):
        return "–"
    ends = row.interval
    between = f" ({ends[0]:.2f}–{ends[1]:.2f})" if ends and all(map(math.isfinite, ends)) else ""
    return f"{row.value:.3f}{between}"


def _spoken(row: Row) -> str:
    beside = [f"{name} {value:.3f}" for name, value in row.beside.items() if value is not None and _is_number(value)]
    return ", ".join([f"{row.name} {row.told or _told(row)}", *beside])


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _legend_lines(names: Iterable[str]) -> list[list[str]]:
    lines: list[list[str]] = [[]]
    used = 0.0
    for name in names:
        width = 24 + width_of(name[:_MOST_LETTERS], 10.5)
        if lines[-1] and used + width > WIDTH - 8:
            lines.append([])
            used = 0.0
        lines[-1].append(name)
        used += width
    return lines


def _legend(sheet: Sheet, lines: list[list[str]], signs: Mapping[str, tuple[str, str]], bars: bool) -> None:
    for number, names in enumerate(lines):
        x, y = 8.0, 13 + number * _LEGEND
        for name in names:
            marker, colour = signs[name]
            if bars and colour == HEAD:
                sheet.box(x - 6, y - 9, 12, 9, HEAD, alpha=0.42)
                sheet.box(x + 3.5, y - 9, 2.5, 9, HEAD)
            else:
                sheet.mark(x, y - 4, marker, colour, full=colour == HEAD, size=7)
            told = name if len(name) <= _MOST_LETTERS else name[: _MOST_LETTERS - 1] + "…"
            sheet.text(x + 8, y, told, color=PALE, fontsize=10.5)
            x += 24 + width_of(told, 10.5)
