"""What happens when: the truth of a film above, what was answered below, on one axis of seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from vlmkit.evaluate.page.canvas import INK, LINE, PALE, SERIES, TRACK, WIDTH, Sheet, style, width_of
from vlmkit.task import Span
from vlmkit.times import mmss

_LEFT, _RIGHT = 48.0, WIDTH - 10.0
_BAR, _GAP = 20.0, 6.0
_MOST_LANES = 4
_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)


def colours_of(labels: Iterable[str]) -> dict[str, str]:
    """One colour a label, the same in every strip; names stand in the bars, so that colours may come again."""
    return {label: SERIES[place % len(SERIES)] for place, label in enumerate(dict.fromkeys(labels))}


@style()
def strip_plot(
    truth: Sequence[Span], answer: Sequence[Span] | None, end_s: float, colours: Mapping[str, str], name: str
) -> str:
    """Two rows of spans, 0 to `end_s`; an answer of None says so in its place. Overlapping spans get lanes."""
    rows = [("truth", _lanes(truth)), ("answer", _lanes(answer or ()))]
    heights = [max(len(lanes), 1) * _BAR for _, lanes in rows]
    sheet = Sheet(6 + sum(heights) + _GAP + 22)
    end_s = max(end_s, 1e-3)
    bottom = 6 + sum(heights) + _GAP
    _axis(sheet, end_s, bottom)
    y = 6.0
    for (word, lanes), height in zip(rows, heights, strict=True):
        sheet.text(_LEFT - 8, y + height / 2 + 4, word, ha="right", color=PALE, fontsize=10.5)
        sheet.box(_LEFT, y + 1, _RIGHT - _LEFT, height - 2, TRACK, alpha=0.7)
        for lane, spans in enumerate(lanes):
            _lane(sheet, spans, y + lane * _BAR, end_s, colours)
        if word == "answer" and answer is None:
            sheet.text(_LEFT + 6, y + height / 2 + 4, "no answer", color=PALE, fontsize=10.5)
        y += height + _GAP
    spoken = [f"truth {_spoken(truth)}", "no answer" if answer is None else f"answer {_spoken(answer)}"]
    return sheet.svg(f"{name}: {'; '.join(spoken)}")


def _axis(sheet: Sheet, end_s: float, bottom: float) -> None:
    step = next((step for step in _STEPS_S if end_s / step <= 6), end_s / 5)
    for place in range(int(end_s / step + 1e-6) + 1):
        at_s = place * step
        x = _LEFT + at_s / end_s * (_RIGHT - _LEFT)
        sheet.line((x, x), (6, bottom + 2), LINE, linewidth=0.8, zorder=0)
        told = f"{at_s:g} s" if end_s < 120 else mmss(at_s)
        sheet.text(x, bottom + 15, told, ha="center", color=PALE, fontsize=10)


def _lane(sheet: Sheet, spans: Sequence[Span], y: float, end_s: float, colours: Mapping[str, str]) -> None:
    """Bars with their names: in them and behind, where the next one leaves room; else before them."""
    scale = (_RIGHT - _LEFT) / end_s
    taken = _LEFT
    for place, span in enumerate(spans):
        left = _LEFT + min(max(span.start_s, 0.0), end_s) * scale
        width = max(min(span.end_s, end_s) * scale + _LEFT - left, 2.0)
        sheet.box(left, y + 2, width, _BAR - 4, colours[span.label], alpha=0.9)
        following = spans[place + 1].start_s * scale + _LEFT if place + 1 < len(spans) else _RIGHT
        behind, wide = max(following - left - 6, 0.0), width_of(span.label, 10.5)
        before, taken = left - taken - 6, left + width
        if wide <= behind:
            sheet.text(left + 4, y + _BAR / 2 + 4, span.label, color=INK, fontsize=10.5, gid="halo")
            taken = max(taken, left + 4 + wide)
        elif wide <= before:
            sheet.text(left - 4, y + _BAR / 2 + 4, span.label, ha="right", color=INK, fontsize=10.5, gid="halo")


def _lanes(spans: Sequence[Span]) -> list[list[Span]]:
    """Spans by start, each in the first lane that is free; the last lane takes what is left."""
    lanes: list[list[Span]] = []
    for span in sorted(spans, key=lambda one: (one.start_s, one.end_s)):
        free = next((lane for lane in lanes if lane[-1].end_s <= span.start_s), None)
        if free is None and len(lanes) < _MOST_LANES:
            lanes.append(free := [])
        (lanes[-1] if free is None else free).append(span)
    return lanes


def _spoken(spans: Sequence[Span]) -> str:
    return ", ".join(f"{span.label} {span.start_s:g}–{span.end_s:g} s" for span in spans) or "nothing"
