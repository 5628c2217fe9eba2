"""Truth beside answers as one picture: a row a clip, its frames, two bars on a frame axis, the names in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vlmkit.errors import MediaError, MissingExtraError
from vlmkit.media import VideoSpec, open_video
from vlmkit.types import Clip, Prediction, Sample
from vlmkit_plugins.warehouse.metrics import tiou
from vlmkit_plugins.warehouse.schema import CLIP_FRAMES, FPS, Operation, OperationSpan

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

THUMBNAILS = 5
# Muted, and told apart by lightness too (after P. Tol's qualitative schemes); nothing happens: grey.
COLOURS: Mapping[Operation, str] = {
    "Box Setup": "#4477aa",
    "Inner Packing": "#3a9fc9",
    "Tape": "#c9a227",
    "Put Items": "#228833",
    "Pack": "#8a6bbe",
    "Wrap": "#2e9c8d",
    "Label": "#e2764f",
    "Final Check": "#aa3377",
    "Idle": "#a7adb5",
    "Unknown": "#5f666e",
}
_INK, _PALE, _RIGHT, _WRONG, _TRACK = "#1f2933", "#7b8794", "#1a7f4b", "#c0392b", "#eef1f4"
_UPPER, _LOWER = 1.42, 0.58  # heights of the two bars, in a row from 0 to 2
_SIZE = VideoSpec(sampler="uniform", frames=THUMBNAILS, min_pixels=20_000, max_pixels=60_000, multiple_px=4)

Pairs = Sequence[tuple[Sample, Prediction[OperationSpan]]]


def draw(pairs: Pairs, path: Path) -> None:
    """Write the picture. A clip that cannot be decoded is an empty row that says why.

    Raises `MissingExtraError` without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot") from error

    figure = Figure(figsize=(14, 0.75 + 1.14 * len(pairs)), dpi=120, facecolor="white")
    top, bottom = 1 - 0.42 / figure.get_figheight(), 0.33 / figure.get_figheight()
    grid = figure.add_gridspec(
        len(pairs),
        3,
        width_ratios=(6.75, 4.2, 3.5),
        wspace=0.02,
        hspace=0.1,
        left=0.006,
        right=0.998,
        top=top,
        bottom=bottom,
    )
    rows = [tuple(figure.add_subplot(grid[row, column]) for column in range(3)) for row in range(len(pairs))]
    for (film, bars, words), (sample, prediction) in zip(rows, pairs, strict=True):
        _film(film, sample)
        _bars(bars, sample.truth, prediction.value)
        _words(words, sample.truth, prediction)
    _titles(figure, rows[0], pairs)
    rows[-1][1].set_xticks(range(0, CLIP_FRAMES + 1, FPS))
    rows[-1][1].tick_params(axis="x", labelbottom=True, labelsize=8, labelcolor=_PALE, length=0, pad=1)
    figure.savefig(path)


def _film(axes: Axes, sample: Sample) -> None:
    axes.set(xlim=(0, THUMBNAILS), ylim=(0, 1))
    axes.axis("off")
    clip = sample.media.get("video")
    try:
        frames = open_video(clip if isinstance(clip, Clip) else Clip(""), _SIZE)
    except MediaError as error:
        axes.text(0.03, 0.5, f"{sample.id}\n{error.reason}: {error.detail}", color=_WRONG, fontsize=9, va="center")
        return
    for place, (image, time_s) in enumerate(zip(frames.images, frames.times_s, strict=True)):
        tile = axes.inset_axes((place / THUMBNAILS, 0, 0.985 / THUMBNAILS, 1))
        tile.imshow(image, interpolation="antialiased")
        tile.axis("off")
        tag = {"facecolor": "black", "alpha": 0.45, "edgecolor": "none", "boxstyle": "round,pad=0.2"}
        tile.text(0.04, 0.06, f"{round(time_s * FPS)}", transform=tile.transAxes, color="white", fontsize=7, bbox=tag)


def _bars(axes: Axes, truth: OperationSpan | None, answer: OperationSpan | None) -> None:
    axes.set(xlim=(-19, CLIP_FRAMES + 3), ylim=(-0.15, 2.15), yticks=[])
    axes.tick_params(axis="x", length=0, labelbottom=False)
    axes.set_xticks(range(0, CLIP_FRAMES + 1, FPS))
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.vlines(range(0, CLIP_FRAMES + 1, FPS), 0.1, 1.9, color="#dde2e7", linewidth=0.7, zorder=0)
    for height, name, span in ((_UPPER, "truth", truth), (_LOWER, "head", answer)):
        axes.text(-2.5, height, name, ha="right", va="center", fontsize=8.5, color=_PALE)
        axes.barh(height, CLIP_FRAMES, height=0.5, color=_TRACK, zorder=1)
        if span is None:
            continue
        start, end = span.temporal_segment.start_frame, span.temporal_segment.end_frame
        axes.barh(height, end - start, left=start, height=0.62, color=COLOURS[span.dominant_operation], zorder=2)
        wide = end - start > 30
        place = (start + end) / 2 if wide else (end + 1.5 if end < CLIP_FRAMES - 25 else start - 1.5)
        side = "center" if wide else ("left" if end < CLIP_FRAMES - 25 else "right")
        colour = "white" if wide else _INK
        axes.text(place, height, f"{start} – {end}", ha=side, va="center", fontsize=8, color=colour, zorder=3)


def _words(axes: Axes, truth: OperationSpan | None, prediction: Prediction[OperationSpan]) -> None:
    axes.set(xlim=(0, 1), ylim=(-0.15, 2.15))
    axes.axis("off")
    answer = prediction.value
    if truth is not None:
        _names(axes, _UPPER, truth)
    if answer is None:
        problem = next(problem for problem in prediction.problems if problem.fatal)
        axes.text(0.0, _LOWER, f"no answer: {problem.code}", va="center", fontsize=9.5, color=_WRONG)
    elif truth is None:
        _names(axes, _LOWER, answer)
    else:
        same = (
            answer.dominant_operation == truth.dominant_operation,
            answer.anticipated_next_operation == truth.anticipated_next_operation,
        )
        _names(axes, _LOWER, answer, same)
        ratio = tiou(truth.temporal_segment, answer.temporal_segment)
        colour = _RIGHT if ratio >= 0.5 else _WRONG
        axes.text(0.98, _LOWER, f"tIoU {ratio:.2f}", ha="right", va="center", fontsize=9, color=colour)


def _names(axes: Axes, height: float, span: OperationSpan, same: tuple[bool, bool] | None = None) -> None:
    for place, text in enumerate((span.dominant_operation, span.anticipated_next_operation)):
        left = 0.45 * place
        right = same is None or same[place]
        colour = _INK if same is None else _RIGHT if right else _WRONG
        axes.plot(left + 0.012, height, "s", markersize=6, color=COLOURS[text])
        axes.text(left + 0.04, height, text if right else f"{text} ✗", va="center", fontsize=9.5, color=colour)
    axes.text(0.405, height, "→", va="center", ha="center", fontsize=11, color=_PALE)


def _titles(figure: Figure, first: tuple[Axes, ...], pairs: Pairs) -> None:
    provenance = next((prediction.provenance for _, prediction in pairs if prediction.provenance), {})
    told = f"preset {provenance['preset']}" if "preset" in provenance else "warehouse"
    if provenance.get("synthetic"):
        told += ", trained on synthetic data only"
    titles = (f"five of a clip's frames · {told}", "segment, in frames (25 a second)", "operation  →  the next one")
    for axes, text, shift in zip(first, titles, (0.0, 19 / 147, 0.0), strict=True):
        axes.text(shift, 1.07, text, transform=axes.transAxes, fontsize=10, color=_PALE, va="bottom")
