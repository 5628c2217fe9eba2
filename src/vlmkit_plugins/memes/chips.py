"""The words of a text as chips, coloured by what each does to the logits, with what it does to `prob_hate` beneath."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize

INK, PALE = "#1f2933", "#66727f"
COLOURS = "RdBu_r"  # red raises, blue lowers, white does nothing; told apart without seeing red or green
CHIP_IN = 0.56
"""Height of a line of chips."""

_GAP_IN, _LETTERS = 0.1, 22
_NOTHING = 0.0005  # what three decimal places show as 0
_DARK = 0.6  # share of the largest margin from which on letters are white

Chip = tuple[str, float, Mapping[str, Any]]
"""Its text, its width in inches, and the word as `evidence.explain` gives it."""


def strip(
    axes: Axes,
    lines: Sequence[Sequence[Chip]],
    told: Mapping[str, Any],
    scale: Normalize,
    width_in: float,
    height_in: float,
) -> None:
    """Draw the chips into axes of that size, under a title; without chips, the reason why there are none."""
    from matplotlib import colormaps

    runs = any(row["n"] > 1 for row in told["words"] or [])
    title = f"words, left out one {'run' if runs else 'word'} at a time: by how much each raises prob_hate"
    axes.text(0, 1, title if lines else "words", fontsize=9, color=PALE, va="top")
    if not lines:
        axes.text(0, 1 - 0.4 / height_in, printed(told["reasons"].get("words", ""), 120), fontsize=9, color=INK)
    for number, line in enumerate(lines):
        left_in, y = 0.0, 1 - (0.44 + number * CHIP_IN) / height_in
        for text, wide_in, row in line:
            effect = row["effect"]
            margin = row["margin_effect"] or 0.0
            face, dark = colormaps[COLOURS](scale(margin)), abs(margin) > _DARK * (scale.vmax or 1)
            box = {"boxstyle": "round,pad=0.25", "facecolor": face, "edgecolor": "#cfd6dd", "linewidth": 0.6}
            middle = (left_in + wide_in / 2) / width_in
            style: dict[str, Any] = {"color": "white" if dark else INK, "bbox": box, "parse_math": False}
            axes.text(middle, y, text, fontsize=10, ha="center", va="center", **style)
            says = "no answer" if effect is None else "0" if abs(effect) < _NOTHING else f"{effect:+.3f}"
            axes.text(middle, y - 0.25 / height_in, says, fontsize=7.5, color=PALE, ha="center", va="center")
            left_in += wide_in + _GAP_IN


def wrapped(words: Sequence[Mapping[str, Any]], room_in: float) -> list[list[Chip]]:
    """Chips in lines that are at most so wide."""
    lines: list[list[Chip]] = []
    left_in = room_in
    for row in words:
        text = printed(row["text"], _LETTERS)
        wide_in = max(0.5, _width_in(text, 10) + 0.14)
        if left_in + wide_in > room_in:
            lines.append([])
            left_in = 0.0
        lines[-1].append((text, wide_in, row))
        left_in += wide_in + _GAP_IN
    return lines


def _width_in(text: str, points: float) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    path = TextPath((0, 0), text, size=points, prop=FontProperties(), usetex=False)
    return float(path.get_extents().width) / 72 if len(path.vertices) else 0.0


def printed(text: str, most: int) -> str:
    """Text that matplotlib's own font can show, at most so long; what it has no letter for becomes a box.

    It sets letters from left to right as they come, so words of scripts that run the other way are turned around.
    """
    from matplotlib.font_manager import FontProperties, findfont, get_font

    flat = " ".join(text.split())
    flat = flat if len(flat) <= most else f"{flat[: most - 1]}…"
    turned = " ".join(word[::-1] if _leftward(word) else word for word in flat.split(" "))
    font = get_font(findfont(FontProperties()))
    return "".join(letter if font.get_char_index(ord(letter)) else "\u25af" for letter in turned)


def _leftward(word: str) -> bool:
    return any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in word)
