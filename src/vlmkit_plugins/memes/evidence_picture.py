"""Evidence as one picture: the meme, where it moves the answer, what each word does, and the verdict beside them.

Colours show margins, figures show probabilities: where a head is very sure, nothing alone moves the probability.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vlmkit.errors import MissingExtraError, VlmkitError
from vlmkit.media import ImageSpec, open_image
from vlmkit.types import Image, Sample
from vlmkit_plugins.memes.chips import CHIP_IN, COLOURS, INK, PALE, printed, strip, wrapped
from vlmkit_plugins.memes.evidence import GRID

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

ALARM, TRACK, OVER, UNDER = "#b5541c", "#e8ecf0", "#b2182b", "#2166ac"
CALLED: Mapping[str, str] = {
    "mm_fusion": "both together",
    "text_expert": "words alone",
    "vision_expert": "picture alone",
}
"""What members are called in pictures, in the order of their bars."""
FAINT = 0.25
"""Margins below it are drawn pale even where none is larger: a picture of noise would look like one of evidence."""
MATTERS = 0.25  # of the largest margin of a word: from there on its place in the picture is outlined

_SPEC = ImageSpec(min_pixels=1, max_pixels=1_000_000, multiple_px=1)
_SIDE_IN, _VERDICT_IN, _GAP_IN, _EDGE_IN = 4.2, 4.5, 0.25, 0.2
_TITLE_IN, _BAR_IN = 0.36, 0.55  # above the pictures, and below them for the scale
_WIDEST, _NARROWEST = 1.6, 0.65  # width by height of what a picture is given
_CELLS, _CELL_PX = GRID + 1, 24  # steps of the window each way, and pixels that each is drawn with


def draw(told: Mapping[str, Any], sample: Sample, file: Path) -> None:
    """Write what `evidence.explain` found. Raises as `require_drawable` does."""
    require_drawable(file)
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    limit = max([FAINT, *(abs(row["margin_effect"] or 0.0) for row in told["words"] or [])])
    scale = Normalize(-limit, limit)
    pixels = _shown_pixels(sample) if told["regions"] else None
    wide_in = _SIDE_IN * min(max(pixels.shape[1] / pixels.shape[0], _NARROWEST), _WIDEST) if pixels is not None else 0
    width_in = max(9.0, 2 * (wide_in + _GAP_IN) * (pixels is not None) + _VERDICT_IN + 2 * _EDGE_IN)
    lines = wrapped(told["words"] or [], width_in - 2 * _EDGE_IN)
    strip_in = 0.5 + CHIP_IN * max(1, len(lines))
    height_in = _TITLE_IN + _SIDE_IN + _BAR_IN + strip_in
    figure = Figure(figsize=(width_in, height_in), dpi=120, facecolor="white")
    place = _Places(figure, width_in, height_in)
    left_in = _EDGE_IN
    if pixels is not None:
        _meme(place.axes(left_in, _TITLE_IN, wide_in, _SIDE_IN), pixels, told, sample, scale)
        left_in += wide_in + _GAP_IN
        warmth = _heat(place.axes(left_in, _TITLE_IN, wide_in, _SIDE_IN), pixels, told["regions"])
        _scale_bar(place.axes(left_in, _TITLE_IN + _SIDE_IN + 0.12, wide_in, 0.12), warmth)
        left_in += wide_in + _GAP_IN
    _verdict(place.axes(left_in + 0.1, _TITLE_IN, width_in - left_in - _EDGE_IN - 0.1, _SIDE_IN), told)
    axes = place.axes(_EDGE_IN, _TITLE_IN + _SIDE_IN + _BAR_IN, width_in - 2 * _EDGE_IN, strip_in)
    strip(axes, lines, told, scale, width_in - 2 * _EDGE_IN, strip_in)
    figure.savefig(file)


def require_drawable(file: Path) -> None:
    """Raises `VlmkitError` for a kind of file that cannot be drawn, `MissingExtraError` without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot") from error
    kinds = sorted(Figure().canvas.get_supported_filetypes())
    if file.suffix[1:].lower() not in kinds:
        raise VlmkitError(f"{file}: a picture's name ends with one of {', '.join(kinds)}")


class _Places:
    """Axes at inches from the top left corner."""

    def __init__(self, figure: Figure, width_in: float, height_in: float) -> None:
        self._figure, self._width_in, self._height_in = figure, width_in, height_in

    def axes(self, left_in: float, top_in: float, width_in: float, height_in: float) -> Axes:
        """Without frame and ticks, from 0 to 1 each way."""
        bottom_in = self._height_in - top_in - height_in
        box = (left_in / self._width_in, bottom_in / self._height_in, width_in / self._width_in)
        axes = self._figure.add_axes((*box, height_in / self._height_in))
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.axis("off")
        return axes


def heat_of(regions: Mapping[str, Any]) -> NDArray[np.float64]:
    """`[7, 7]`, the whole picture in steps of the window: the mean margin of the windows over each."""
    width, height = regions["size_px"]
    total, count = np.zeros((_CELLS, _CELLS)), np.zeros((_CELLS, _CELLS))
    for row in regions["items"]:
        if row["margin_effect"] is not None:
            left, top, right, bottom = row["box_px"]
            place = (_cells(top, bottom, height), _cells(left, right, width))
            total[place] += row["margin_effect"]
            count[place] += 1
    return np.asarray(total / np.maximum(count, 1))


def _cells(start_px: int, end_px: int, side_px: int) -> slice:
    first = round(_CELLS * start_px / side_px)
    return slice(first, max(first + 1, round(_CELLS * end_px / side_px)))


def word_boxes(words: Sequence[Mapping[str, Any]], lines: Sequence[Mapping[str, Any]]) -> list[tuple[Any, float]]:
    """Boxes of recognised lines that hold a word that matters, each with the largest margin of its words.

    Lines and words are both in reading order: a line takes the next words that are spelt as its own.
    """
    margins = [row["margin_effect"] or 0.0 for row in words]
    least = max(FAINT, MATTERS * max(map(abs, margins), default=0.0))
    found, at = [], 0
    for line in lines:
        inside = []
        for spelt in str(line.get("text", "")).split():
            near = next((k for k in range(at, len(words)) if _same(spelt, words[k]["text"])), None)
            if near is not None:
                inside.append(margins[near])
                at = near + 1
        strongest = max(inside, key=abs, default=0.0)
        if line.get("bbox") is not None and abs(strongest) >= least:
            found.append((line["bbox"], strongest))
    return found


def _same(spelt: str, word: str) -> bool:
    return spelt.casefold() in word.casefold().split() or spelt.casefold() == word.casefold()


def _shown_pixels(sample: Sample) -> NDArray[np.uint8] | None:
    picture = sample.media.get("image")
    return open_image(picture, _SPEC).image if isinstance(picture, Image) else None


def _meme(axes: Axes, pixels: NDArray[np.uint8], told: Mapping[str, Any], sample: Sample, scale: Normalize) -> None:
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    width, height = told["regions"]["size_px"]
    axes.imshow(pixels, extent=(0, width, height, 0))
    boxes = word_boxes(told["words"] or [], sample.meta.get("ocr") or [])
    for (x1, y1, x2, y2), margin in boxes:
        colour = colormaps[COLOURS](scale(margin))
        axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor="white", linewidth=4))
        axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linewidth=2.2))
    _frame(axes, width, height, f"{sample.id}{' · outlined: words that matter' if boxes else ''}")


def _heat(axes: Axes, pixels: NDArray[np.uint8], regions: Mapping[str, Any]) -> Normalize:
    """Gives the scale of its colours: means over windows are smaller than what a word does."""
    from matplotlib import colormaps
    from matplotlib.colors import Normalize

    width, height = regions["size_px"]
    grey = 255 - (255 - pixels.mean(axis=-1)) * 0.55
    axes.imshow(grey, cmap="gray", vmin=0, vmax=255, extent=(0, width, height, 0))
    heat = _smooth(heat_of(regions))
    limit = max(FAINT, float(np.abs(heat).max()))
    scale = Normalize(-limit, limit)
    layer = colormaps[COLOURS](scale(heat))
    layer[..., 3] = 0.85 * np.sqrt(np.abs(heat) / limit)
    axes.imshow(layer, extent=(0, width, height, 0))
    most = max((abs(row["effect"]) for row in regions["items"] if row["effect"] is not None), default=0.0)
    _frame(axes, width, height, f"regions, covered in turn: prob_hate ±{most:.3f}")
    return scale


def _smooth(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same map with soft borders: where the window stood says no more than that."""
    from PIL import Image as pillow

    height, width = cells.shape
    size_px = (width * _CELL_PX, height * _CELL_PX)
    return np.asarray(pillow.fromarray(cells.astype(np.float32)).resize(size_px, pillow.Resampling.BILINEAR), float)


def _frame(axes: Axes, width: int, height: int, title: str) -> None:
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_anchor("NW")
    axes.set_title(printed(title, 64), loc="left", fontsize=9, color=PALE, pad=5, parse_math=False)


def _scale_bar(axes: Axes, scale: Normalize) -> None:
    limit = float(scale.vmax or FAINT)
    axes.imshow(np.linspace(-limit, limit, 256)[None], cmap=COLOURS, aspect="auto", extent=(-limit, limit, 0, 1))
    axes.set(xlim=(-limit, limit), ylim=(0, 1), yticks=[], xticks=[-limit, 0, limit])
    axes.axis("on")
    axes.set_xticklabels([f"-{limit:.1f} lowers", "logits", f"raises +{limit:.1f}"])
    axes.tick_params(labelsize=7.5, colors=PALE, length=2)
    first, _, last = axes.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")
    for spine in axes.spines.values():
        spine.set_visible(False)


def _verdict(axes: Axes, told: Mapping[str, Any]) -> None:
    answer = told["answer"]
    says = "hateful" if answer["label"] else "not hateful"
    sign = "≥" if answer["label"] else "<"
    line = f"prob_hate {answer['prob_hate']:.3f} {sign} threshold {answer['threshold']:.3f}"
    axes.text(0, 0.98, f"label {answer['label']}: {says}", fontsize=17, color=INK, va="top", weight="bold")
    axes.text(0, 0.86, f"{line}, by {answer['model']}", fontsize=10, color=INK, va="top")
    bottom = _members(axes, answer)
    for row, (text, colour) in enumerate(_remarks(told)):
        axes.text(0, bottom - 0.02 - 0.062 * row, printed(text, 70), fontsize=9, color=colour, va="top")


def _members(axes: Axes, answer: Mapping[str, Any]) -> float:
    """A bar a member, with the threshold from which it says hateful; gives where they end."""
    y = 0.72
    for name, alone in CALLED.items():
        chance, at = answer["experts"].get(name), answer["thresholds"].get(name)
        bold = "bold" if name == answer["model"] else "normal"
        axes.text(0, y, f"{name}, {alone}", fontsize=9, color=INK if chance is not None else PALE, weight=bold)
        axes.barh(y - 0.045, 0.8, height=0.05, color=TRACK)
        if chance is None:
            axes.text(0.01, y - 0.045, "not asked", fontsize=8, color=PALE, va="center")
        else:
            over = at is not None and chance >= at
            axes.barh(y - 0.045, 0.8 * chance, height=0.05, color=OVER if over else UNDER)
            axes.text(0.82, y - 0.045, f"{chance:.3f}", fontsize=9, color=INK, va="center")
        if at is not None:
            axes.plot([0.8 * at] * 2, [y - 0.082, y - 0.008], color=INK, linewidth=1.4)
        y -= 0.16
    axes.text(0, y + 0.03, "bars: probability of hate; the mark is the member's threshold", fontsize=7.5, color=PALE)
    return y


def _remarks(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = told["disagreement"]
    votes = {name: found[name] for name in CALLED if found[name] is not None}
    if found["flag"] is None:
        lines = [("one member alone could be asked", PALE)]
    elif found["flag"]:
        lines = [(f"the members disagree: {', '.join(f'{CALLED[n]} {v}' for n, v in votes.items())}", ALARM)]
    else:
        lines = [(f"the members agree: all say {next(iter(votes.values()))}", INK)]
    lines += [(f"{row['code']}: {row['message']}", ALARM) for row in told["problems"][:2]]
    if told["answer"]["synthetic"]:
        lines.append(("trained on synthetic data only: this says nothing about real memes", ALARM))
    return [*lines, ("what this head's answer depends on, not a decision", PALE)]
