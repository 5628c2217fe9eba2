"""Truth beside verdicts as one picture: a card a meme, with its words, what each member says, and where they differ."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmkit.errors import MediaError, MissingExtraError
from vlmkit.media import ImageSpec, open_image
from vlmkit.types import Image, Prediction, Sample
from vlmkit_plugins.memes.chips import INK, PALE, printed
from vlmkit_plugins.memes.evidence_picture import ALARM, CALLED, OVER, TRACK, UNDER
from vlmkit_plugins.memes.schema import Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

RIGHT, WRONG, UNKNOWN = "#1a7f4b", "#c0392b", "#9aa5b1"
SAYS = ("not hateful", "hateful")

_COLUMNS = 3
_CARD_IN = (5.1, 2.8)
_EDGE_IN, _TITLE_IN, _GAP_IN = 0.15, 0.62, 0.16
_SIDE_IN = 1.95  # of the square that holds the picture
_PANEL_IN, _BAR_IN, _BAR_WIDE_IN = 2.28, 3.32, 1.2  # from the card's left edge to its words, and to its bars
_LETTERS, _PANEL_LETTERS = 28, 46  # of a line of the caption, and of a remark
_MOST_LINES = 3
_TRIES = 5
_SPEC = ImageSpec(min_pixels=1, max_pixels=160_000, multiple_px=1)

Pairs = Sequence[tuple[Sample, Prediction[Verdict]]]


def draw(pairs: Pairs, path: Path) -> None:
    """Write the picture. A picture that cannot be opened says why in its place, and so does a missing verdict.

    Raises `MissingExtraError` without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot") from error

    columns = max(1, min(_COLUMNS, len(pairs)))
    rows = -(-len(pairs) // columns)
    wide_in, tall_in = _CARD_IN
    width_in = columns * (wide_in + _GAP_IN) - _GAP_IN + 2 * _EDGE_IN
    height_in = _TITLE_IN + rows * (tall_in + _GAP_IN) + _EDGE_IN
    figure = Figure(figsize=(width_in, height_in), dpi=120, facecolor="white")
    title = _axes(figure.add_axes((0, 1 - _TITLE_IN / height_in, 1, _TITLE_IN / height_in)), width_in, _TITLE_IN)
    _title(title, pairs)
    for place, (sample, prediction) in enumerate(pairs):
        row, column = divmod(place, columns)
        left_in, top_in = _EDGE_IN + column * (wide_in + _GAP_IN), _TITLE_IN + row * (tall_in + _GAP_IN)
        box = (left_in / width_in, 1 - (top_in + tall_in) / height_in, wide_in / width_in, tall_in / height_in)
        card = _axes(figure.add_axes(box), wide_in, tall_in)
        _frame(card, sample.truth, prediction.value)
        _meme(card, sample)
        _answer(card, sample, prediction)
    figure.savefig(path)


def verdict(truth: Verdict | None, answer: Verdict | None) -> tuple[str, str]:
    """A verdict in words that say whether it is right, and the colour that says the same."""
    if answer is None:
        return "✗ no answer", WRONG
    if truth is None:
        return SAYS[answer.label], UNKNOWN
    right = truth.label == answer.label
    return f"{'✓' if right else '✗'} {SAYS[answer.label]}", RIGHT if right else WRONG


def _axes(axes: Axes, width_in: float, height_in: float) -> Axes:
    """In inches from the top left corner."""
    axes.set(xlim=(0, width_in), ylim=(height_in, 0))
    axes.axis("off")
    return axes


def _words(axes: Axes, x_in: float, y_in: float, text: str, most: int = 80, **style: Any) -> Text:
    given: dict[str, Any] = {"fontsize": 9, "color": INK, "va": "center", "parse_math": False, **style}
    return axes.text(x_in, y_in, printed(text, most), **given)


def _fit(lines: Sequence[Text], room_in: float) -> None:
    """Make all lines smaller until the longest one fits: capitals are wider than other letters."""
    for _ in range(_TRIES):  # widths are whole pixels a letter, so they do not follow the size exactly
        widest_in = max((one.get_window_extent().width / one.axes.figure.dpi for one in lines if one.axes), default=0.0)
        if widest_in <= room_in:
            return
        for one in lines:
            one.set_fontsize(0.97 * float(one.get_fontsize()) * room_in / widest_in)


def _title(axes: Axes, pairs: Pairs) -> None:
    provenance = next((prediction.provenance for _, prediction in pairs if prediction.provenance), {})
    told = f"preset {provenance['preset']}" if "preset" in provenance else "memes"
    told += ", trained on synthetic data only" if provenance.get("synthetic") else ""
    _words(axes, _EDGE_IN, 0.2, told, fontsize=11)
    key = "bars: probability of hate, red where it reaches the member's threshold, the mark"
    _words(axes, _EDGE_IN, 0.44, key, 100, fontsize=8.5, color=PALE)


def _frame(axes: Axes, truth: Verdict | None, answer: Verdict | None) -> None:
    from matplotlib.patches import Rectangle

    wide_in, tall_in = _CARD_IN
    axes.add_patch(Rectangle((0, 0), wide_in, tall_in, facecolor="#fafbfc", edgecolor="#dde2e7", linewidth=1.2))
    axes.add_patch(Rectangle((0, 0), 0.06, tall_in, facecolor=verdict(truth, answer)[1], linewidth=0))


def _meme(axes: Axes, sample: Sample) -> None:
    from matplotlib.patches import Rectangle

    left_in = top_in = 0.17
    picture = sample.media.get("image")
    lines = ["no picture"]
    if isinstance(picture, Image):
        try:
            pixels = open_image(picture, _SPEC).image
        except MediaError as error:
            lines = [f"picture: {error.reason}", *textwrap.wrap(error.detail, _LETTERS, max_lines=4, placeholder=" …")]
        else:
            tall, wide = pixels.shape[:2]
            scale = _SIDE_IN / max(tall, wide)
            left_in, top_in = left_in + (_SIDE_IN - wide * scale) / 2, top_in + (_SIDE_IN - tall * scale) / 2
            extent = (left_in, left_in + wide * scale, top_in + tall * scale, top_in)
            axes.imshow(pixels, extent=extent, aspect="auto", interpolation="antialiased", zorder=2)
            _axes(axes, *_CARD_IN)  # imshow has moved the limits
            lines = []
    if lines:
        axes.add_patch(Rectangle((left_in, top_in), _SIDE_IN, _SIDE_IN, fill=False, edgecolor=UNKNOWN, linestyle=":"))
    style: dict[str, Any] = {"color": PALE if picture is None else WRONG, "fontsize": 8, "ha": "center"}
    middle_in = left_in + _SIDE_IN / 2
    _fit([_words(axes, middle_in, 0.95 + 0.17 * row, one, **style) for row, one in enumerate(lines)], _SIDE_IN - 0.1)
    _caption(axes, sample)


def _caption(axes: Axes, sample: Sample) -> None:
    said = " ".join((sample.text or "").split())
    lines = textwrap.wrap(f"“{said}”", _LETTERS, max_lines=_MOST_LINES, placeholder=" …”") if sample.has_words else []
    top_in = 0.17 + _SIDE_IN + 0.16
    style: dict[str, Any] = {"weight": "bold"} if lines else {"color": PALE}
    style |= {"ha": "center", "fontsize": 8.5}
    middle_in = 0.17 + _SIDE_IN / 2
    found = [
        _words(axes, middle_in, top_in + 0.17 * row, one, **style) for row, one in enumerate(lines or ["no words"])
    ]
    _fit(found, _SIDE_IN)


def _answer(axes: Axes, sample: Sample, prediction: Prediction[Verdict]) -> None:
    answer = prediction.value
    truth = sample.truth if isinstance(sample.truth, Verdict) else None
    _fit([_words(axes, _PANEL_IN, 0.24, sample.id, 60, fontsize=8, color=PALE)], _CARD_IN[0] - _PANEL_IN - 0.1)
    text, colour = verdict(truth, answer)
    known = SAYS[truth.label] if truth is not None else "not known"
    for y_in, who, says, paint in ((0.55, "truth", known, INK if truth else PALE), (0.85, "head", text, colour)):
        _words(axes, _PANEL_IN, y_in, who, color=PALE)
        _words(axes, _PANEL_IN + 0.5, y_in, says, color=paint, fontsize=12, weight="bold")
    if answer is not None:
        _bars(axes, answer)
    _remarks(axes, prediction, 2.3 if answer is not None else 1.25)


def _bars(axes: Axes, answer: Verdict) -> None:
    found = {**answer.experts, answer.model: answer.prob_hate}
    marks = {**answer.thresholds, answer.model: answer.threshold}
    for row, (member, name) in enumerate(CALLED.items()):
        y_in, p, at = 1.25 + 0.32 * row, found.get(member), marks.get(member)
        answers = member == answer.model
        _words(axes, _PANEL_IN, y_in, name, weight="bold" if answers else "normal", color=INK if answers else PALE)
        if p is None:
            _words(axes, _BAR_IN, y_in, "not asked", fontsize=8, color=PALE)
            continue
        height_in = 0.17 if answers else 0.1
        axes.barh(y_in, _BAR_WIDE_IN, left=_BAR_IN, height=height_in, color=TRACK)
        over = at is not None and p >= at
        axes.barh(y_in, p * _BAR_WIDE_IN, left=_BAR_IN, height=height_in, color=OVER if over else UNDER)
        if at is not None:
            mark_in = _BAR_IN + at * _BAR_WIDE_IN
            axes.plot([mark_in, mark_in], [y_in - 0.12, y_in + 0.12], color=INK, linewidth=1.6)
        _words(axes, _BAR_IN + _BAR_WIDE_IN + 0.1, y_in, f"{p:.2f}", weight="bold" if answers else "normal")


def _remarks(axes: Axes, prediction: Prediction[Verdict], top_in: float) -> None:
    lines: list[tuple[str, str]] = []
    if prediction.value is not None and prediction.value.disagree:
        lines.append(("⚑ the members disagree", ALARM))
    for problem in prediction.problems:
        where = f" ({problem.where})" if problem.where else ""
        text = f"{problem.code}{where}: {problem.message}"
        wrapped = textwrap.wrap(text, _PANEL_LETTERS, max_lines=4 if problem.fatal else 2, placeholder=" …")
        lines += [(line, WRONG if problem.fatal else INK) for line in wrapped]
    told = lines[: int((_CARD_IN[1] - top_in) / 0.18)]
    found = [
        _words(axes, _PANEL_IN, top_in + 0.18 * row, line, color=colour, fontsize=8.5)
        for row, (line, colour) in enumerate(told)
    ]
    _fit(found, _CARD_IN[0] - _PANEL_IN - 0.1)
