"""Truth beside answers as one picture: a row a clip, its frames, two bars on a clock, the events in words."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vlmkit.errors import MediaError, MissingExtraError
from vlmkit.media import VideoSpec, open_video
from vlmkit.times import hms
from vlmkit.types import Clip, Prediction, Sample
from vlmkit_plugins.football.found import HIT, matched
from vlmkit_plugins.football.schema import Event, EventClass, Events

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

THUMBNAILS = 6
MOST_LINES = 5
"""Lines of words beside a clip."""
# Muted, and told apart by lightness too (after P. Tol's qualitative schemes); cards in their own colours.
COLOURS: Mapping[EventClass, str] = {
    "Goal": "#228833",
    "Penalty Shot": "#3a9fc9",
    "Red Card": "#c8323c",
    "Yellow Card": "#d9b62c",
    "Corner Kick": "#e2764f",
    "Free Kick": "#4464aa",
    "Throw In": "#8a6bbe",
    "Offside": "#2e9c8d",
    "Goal Line Event": "#7fb069",
    "Woodworks": "#8c6d46",
    "Shot on Target": "#aa3377",
    "Hat Trick": "#5f666e",
}
_INK, _PALE, _RIGHT, _WRONG, _TRACK = "#1f2933", "#7b8794", "#1a7f4b", "#c0392b", "#eef1f4"
_UPPER, _LOWER = 1.42, 0.58  # heights of the two bars, in a row from 0 to 2
_LETTERS = 74  # of a line of words
_SHORT_S = 120.0  # up to here the clock counts seconds
_SIZE = VideoSpec(sampler="uniform", frames=THUMBNAILS, min_pixels=8_000, max_pixels=40_000, multiple_px=2)

Pairs = Sequence[tuple[Sample, Prediction[Events]]]


class _Line(NamedTuple):
    """An event in words: its class and time, what is said of it, and whether that is as it should be."""

    event: Event
    text: str
    is_right: bool


def draw(pairs: Pairs, path: Path) -> None:
    """Write the picture. A clip that cannot be decoded is an empty row that says why.

    Raises `MissingExtraError` without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot") from error

    figure = Figure(figsize=(15, 0.75 + 0.98 * len(pairs)), dpi=120, facecolor="white")
    top, bottom = 1 - 0.42 / figure.get_figheight(), 0.33 / figure.get_figheight()
    ratios = (7.4, 3.4, 4.8)
    spaces = {"wspace": 0.02, "hspace": 0.1, "left": 0.006, "right": 0.998, "top": top, "bottom": bottom}
    grid = figure.add_gridspec(max(1, len(pairs)), 3, width_ratios=ratios, **spaces)
    rows = [tuple(figure.add_subplot(grid[row, column]) for column in range(3)) for row in range(len(pairs))]
    lengths = [_film(film, sample) for (film, _, _), (sample, _) in zip(rows, pairs, strict=True)]
    span_s = max([1.0, *(_span(*pair, length) for pair, length in zip(pairs, lengths, strict=True))])
    for (_, bars, words), (sample, prediction), length in zip(rows, pairs, lengths, strict=True):
        _bars(bars, sample.truth, prediction.value, length, span_s)
        _words(words, sample.truth, prediction)
    if rows:
        _titles(figure, rows[0], pairs)
        rows[-1][1].tick_params(axis="x", labelbottom=True, labelsize=8, labelcolor=_PALE, length=0, pad=1)
    figure.savefig(path)


def _span(sample: Sample, prediction: Prediction[Events], length: float | None) -> float:
    """How far the clock has to go for this row."""
    known = [event.end_s for events in (sample.truth, prediction.value) for event in (events.root if events else ())]
    return max([length or 0.0, *known])


def _film(axes: Axes, sample: Sample) -> float | None:
    """The strip of frames; how long the film is, where it can be decoded."""
    axes.set(xlim=(0, THUMBNAILS), ylim=(0, 1))
    axes.axis("off")
    clip = sample.media.get("video")
    try:
        frames = open_video(clip if isinstance(clip, Clip) else Clip(""), _SIZE)
    except MediaError as error:
        axes.text(0.03, 0.5, f"{sample.id}\n{error.reason}: {error.detail}", color=_WRONG, fontsize=9, va="center")
        return None
    for place, (image, time_s) in enumerate(zip(frames.images, frames.times_s, strict=True)):
        tile = axes.inset_axes((place / THUMBNAILS, 0, 0.985 / THUMBNAILS, 1))
        tile.imshow(image, interpolation="antialiased")
        tile.axis("off")
        tag = {"facecolor": "black", "alpha": 0.45, "edgecolor": "none", "boxstyle": "round,pad=0.2"}
        said = f"{time_s:.1f} s" if frames.duration_s <= _SHORT_S else hms(time_s)
        tile.text(0.04, 0.06, said, transform=tile.transAxes, color="white", fontsize=7, bbox=tag)
    return frames.duration_s


def _bars(axes: Axes, truth: Events | None, answer: Events | None, length: float | None, span_s: float) -> None:
    axes.set(xlim=(-0.14 * span_s, 1.02 * span_s), ylim=(-0.15, 2.15), yticks=[])
    axes.tick_params(axis="x", length=0, labelbottom=False)
    ticks = _ticks(span_s)
    axes.set_xticks(ticks, [f"{at:g}" if span_s <= _SHORT_S else hms(at) for at in ticks])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.vlines(ticks, 0.1, 1.9, color="#dde2e7", linewidth=0.7, zorder=0)
    for height, name, events in ((_UPPER, "truth", truth), (_LOWER, "head", answer)):
        axes.text(-0.02 * span_s, height, name, ha="right", va="center", fontsize=8.5, color=_PALE)
        if events is None:
            continue
        axes.barh(height, length or span_s, height=0.5, color=_TRACK, zorder=1)
        for event in events.root:
            wide = event.end_s - event.start_s
            axes.barh(height, wide, left=event.start_s, height=0.62, color=COLOURS[event.event], zorder=2)


def _ticks(span_s: float) -> list[float]:
    steps = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)
    step = next((step for step in steps if span_s / step <= 7), math.ceil(span_s / 7))
    return [float(at) for at in range(0, math.floor(span_s) + 1, step)]


def _words(axes: Axes, truth: Events | None, prediction: Prediction[Events]) -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.axis("off")
    if prediction.value is None:
        problem = next(problem for problem in prediction.problems if problem.fatal)
        axes.text(0.0, 0.5, f"no answer: {problem.code}", va="center", fontsize=9.5, color=_WRONG)
        return
    lines = _lines(truth, prediction.value)
    if not lines:
        axes.text(0.0, 0.5, "no event", va="center", fontsize=9, color=_PALE if truth is None else _RIGHT)
        return
    kept = lines if len(lines) <= MOST_LINES else lines[: MOST_LINES - 1]
    step = 1 / (MOST_LINES + 0.2)
    y = 0.5 + step * (min(len(lines), MOST_LINES) - 1) / 2
    for event, text, is_right in kept:
        colour = _INK if truth is None else _RIGHT if is_right else _WRONG
        axes.plot(0.012, y, "s", markersize=5.5, color=COLOURS[event.event])
        axes.text(0.035, y, textwrap.shorten(text, _LETTERS, placeholder=" …"), va="center", fontsize=8, color=colour)
        y -= step
    if len(kept) < len(lines):
        axes.text(0.035, y, f"and {len(lines) - len(kept)} more", va="center", fontsize=8, color=_PALE)


def _lines(truth: Events | None, answer: Events) -> list[_Line]:
    """The answer's events, and those of the truth that it misses, by time."""
    if truth is None:
        return [_Line(event, f"{_when(event)} {event.description}", True) for event in answer.root]
    found = matched(truth, answer)
    lines = []
    for pair in found.pairs:
        said, wanted = answer[pair.answer].description, truth[pair.truth].description
        mark = "" if said == wanted else " ✗"
        lines.append(_Line(answer[pair.answer], f"{_when(answer[pair.answer])} {said}{mark}", not mark))
    lines += [_Line(truth[k], f"missed: {_when(truth[k])} {truth[k].description}", False) for k in found.misses]
    lines += [_Line(answer[k], f"false: {_when(answer[k])} {answer[k].description}", False) for k in found.false_alarms]
    return sorted(lines, key=lambda line: line.event.start_s)


def _when(event: Event) -> str:
    """Time and class."""
    short = event.end_s <= _SHORT_S
    when = f"{event.start_s:g}–{event.end_s:g} s" if short else f"{event.start_time}–{event.end_time}"
    return f"{when} {event.event}:"


def _titles(figure: Figure, first: tuple[Axes, ...], pairs: Pairs) -> None:
    provenance = next((prediction.provenance for _, prediction in pairs if prediction.provenance), {})
    told = f"preset {provenance['preset']}" if "preset" in provenance else "football"
    if provenance.get("synthetic"):
        told += ", trained on synthetic data only"
    titles = (f"{THUMBNAILS} of a clip's frames · {told}", "events on the clip's clock", f"events (tIoU ≥ {HIT:g})")
    for axes, text, shift in zip(first, titles, (0.0, 0.12, 0.0), strict=True):
        axes.text(shift, 1.07, text, transform=axes.transAxes, fontsize=10, color=_PALE, va="bottom")
