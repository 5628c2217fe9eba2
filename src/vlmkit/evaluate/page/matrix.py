"""Confusion matrices: which class was answered where which was true."""

from __future__ import annotations

from collections.abc import Sequence

from vlmkit.evaluate.figures import FieldTable
from vlmkit.evaluate.page.canvas import HEAD, INK, ON, PALE, SECOND, TRACK, WIDTH, Sheet, fitted, style, width_of

MOST = 14
"""Classes of a drawing; what is rarer is put together, and the table has all."""
_FEW = 5  # up to this many classes have names below that lie flat
_DARK = 0.55  # share of a row from which words on it change their colour
_GAP, _LONGEST = 6.0, 112.0


@style()
def matrix_plot(table: FieldTable) -> str:
    """Counts, shaded by their share of the truth's row: blue is right, orange wrong, grey had none."""
    classes, counts = folded(table)
    k = len(classes)
    left = min(max(width_of(name, 10.5) for name in [*classes, "truth ↓"]), _LONGEST) + 12
    cell = min((WIDTH - left - _GAP - 2) / (k + 1), 100.0)
    answers = [*classes, table.lacking]
    flat = k <= _FEW and all(width_of(name, 10) <= cell + 4 for name in answers)
    below = 18.0 if flat else min(max(width_of(name, 10) for name in answers), _LONGEST) * 0.75 + 14
    top = 22.0
    height = min(cell, 46.0) if k <= _FEW else cell
    sheet = Sheet(top + height * k + below + 18)
    sheet.text(left - 6, 13, "truth ↓", ha="right", color=PALE, fontsize=10)
    sheet.text(left, 13, "answer →", color=PALE, fontsize=10)
    for row, (name, line) in enumerate(zip(classes, counts, strict=True)):
        y = top + row * height
        sheet.text(left - 6, y + height / 2 + 4, fitted(name, left - 10, 10.5), ha="right", fontsize=10.5)
        for column, count in enumerate(line):
            x = left + column * cell + (_GAP if column == k else 0)
            colour = PALE if column == k else HEAD if column == row else SECOND
            _cell(sheet, (x, y, cell, height), count, count / max(sum(line), 1), colour)
    bottom = top + k * height
    for column, name in enumerate(answers):
        x = left + (column + 0.5) * cell + (_GAP if column == k else 0)
        looks = {"ha": "center"} if flat else {"ha": "right", "rotation": 48}
        colour = PALE if column == k else INK
        sheet.text(x + (0 if flat else 4), bottom + 13, fitted(name, _LONGEST, 10), color=colour, fontsize=10, **looks)
    return sheet.svg(f"{table.name}: {_spoken(classes, counts)}")


def folded(table: FieldTable, most: int = MOST) -> tuple[list[str], list[list[int]]]:
    """Classes and counts, the rarest put together where there are more than `most`."""
    k = len(table.classes)
    if k <= most:
        return list(table.classes), [list(line) for line in table.confusion]
    kept = most - 1
    groups = [[place] for place in range(kept)] + [list(range(kept, k))]
    counts = [
        [sum(table.confusion[i][j] for i in rows for j in columns) for columns in [*groups, [k]]] for rows in groups
    ]
    return [*table.classes[:kept], f"{k - kept} others"], counts


def _cell(sheet: Sheet, place: tuple[float, float, float, float], count: int, share: float, colour: str) -> None:
    x, y, width, height = place
    sheet.box(x + 0.75, y + 0.75, width - 1.5, height - 1.5, TRACK, alpha=0.6)
    if not count:
        return
    sheet.box(x + 0.75, y + 0.75, width - 1.5, height - 1.5, colour, alpha=0.1 + 0.9 * share)
    words = ON if share > _DARK else INK
    size = min(12.0 if height > 24 else 10.0, width / max(width_of(str(count), 1.15), 1))
    roomy = height >= 34 and width >= 44
    sheet.text(
        x + width / 2,
        y + height / 2 + (0 if roomy else size * 0.36),
        str(count),
        ha="center",
        color=words,
        fontsize=size,
    )
    if roomy:
        sheet.text(x + width / 2, y + height / 2 + 13, f"{share:.0%}", ha="center", color=words, fontsize=9.5)


def _spoken(classes: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    right = sum(line[place] for place, line in enumerate(counts))
    return f"{right} of {sum(map(sum, counts))} on the diagonal of {len(classes)} classes"
