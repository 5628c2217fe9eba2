"""A picture of what each sampler picks out of one film, over the curve that the entropy sampler follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vlmkit.errors import MissingExtraError
from vlmkit.media.spec import VideoSpec
from vlmkit.media.video import Frames, entropy_curve, open_video
from vlmkit.types import Clip

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_THUMBNAILS = 10  # more would be too small to see; all picks still have a tick


def plot_samplers(clip: Clip, specs: Sequence[VideoSpec]) -> Figure:
    """One row of thumbnails a spec, with a tick on a common time axis for every pick, under the entropy curve.

    Raises `MissingExtraError` without matplotlib, `MediaError` for the clip, `ValueError` for no spec.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot") from error

    if not specs:
        raise ValueError("no spec to plot; give at least one VideoSpec")
    times_s, bits = entropy_curve(clip, specs[0])
    picked = [open_video(clip, spec) for spec in specs]
    figure = Figure(figsize=(11, 2.2 + 1.5 * len(specs)), layout="constrained")
    curve, *rows = figure.subplots(1 + len(specs), 1, height_ratios=[1.6, *([1.5] * len(specs))])
    curve.plot(times_s, bits, color="0.25", linewidth=1)
    curve.set(ylabel="bits", title=f"Entropy of the difference from the frame before: {clip.name}")
    curve.set_xlim(0, picked[0].duration_s)
    for number, (row, spec, frames) in enumerate(zip(rows, specs, picked, strict=True)):
        colour = f"C{number}"
        heights = [_at(time_s, times_s, bits) for time_s in frames.times_s]
        curve.plot(frames.times_s, heights, "o", color=colour, label=_label(spec))
        _draw_row(row, frames, colour, picked[0].duration_s)
        row.set_title(_label(spec), loc="left", fontsize=9, color=colour)
    rows[-1].set_xlabel("seconds after the clip's start")
    curve.legend(loc="upper right", fontsize=8)
    return figure


def _draw_row(axes: Axes, frames: Frames, colour: str, end_s: float) -> None:
    axes.set(xlim=(0, end_s), ylim=(0, 1), yticks=[])
    axes.vlines(frames.times_s, 0, 0.15, color=colour, linewidth=2)
    shown = frames.images[:: -(-len(frames.images) // _MOST_THUMBNAILS)]
    times_s = frames.times_s[:: -(-len(frames.images) // _MOST_THUMBNAILS)]
    for i, (image, time_s) in enumerate(zip(shown, times_s, strict=True)):
        left, right = i / len(shown), (i + 1) / len(shown)
        thumbnail = axes.inset_axes((left + 0.004, 0.3, right - left - 0.008, 0.7))
        thumbnail.imshow(image)
        thumbnail.set(xticks=[], yticks=[])
        middle_s = (left + right) / 2 * end_s
        axes.plot([time_s, middle_s], [0.15, 0.3], color=colour, linewidth=0.6)


def _label(spec: VideoSpec) -> str:
    return f"fps = {spec.fps:g}" if spec.sampler == "fps" else f"{spec.sampler}, {spec.frames} frames"


def _at(time_s: float, times_s: Sequence[float], bits: Sequence[float]) -> float:
    nearest = min(range(len(times_s)), key=lambda i: abs(times_s[i] - time_s))
    return bits[nearest]
