"""Curves: reliability, precision and recall by threshold, and what is gained by answering less."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from vlmkit.evaluate.figures import ThresholdCurve
from vlmkit.evaluate.page.canvas import HEAD, INK, PALE, SECOND, THIRD, WIDTH, Sheet, style, width_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from vlmkit.calibration.error import Bin, RiskCoverage

_LEFT, _WIDE = 40.0, WIDTH - 52.0
SHARES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)
"""Shares of answers that a reader may want to keep."""
_POINTS = 600  # of a curve as it is drawn
_MARKED = (0.9, 0.8, 0.7, 0.5)  # of them, those far enough apart for a figure at their dot


@style()
def reliability_plot(bins: Sequence[Bin], name: str, ece: float, *, before: bool = False) -> str:
    """Accuracy by confidence as bars, the diagonal of a head that knows, and how many answers each bar is made of."""
    colour = SECOND if before else HEAD
    sheet = Sheet(300)
    axes = sheet.panel(_LEFT, 12, _WIDE, 186)
    _shares(axes, "share that is right")
    axes.tick_params(labelbottom=False)
    full = [one for one in bins if one.n and one.accuracy is not None]
    for one in full:
        accuracy = one.accuracy or 0.0
        axes.bar((one.low + one.high) / 2, accuracy, 0.88 * (one.high - one.low), color=colour, alpha=0.75, linewidth=0)
        if not accuracy:
            axes.plot([one.low, one.high], [0, 0], color=colour, linewidth=2.5, clip_on=False)
    axes.plot([0, 1], [0, 1], color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
    dots = [(one.confidence, one.accuracy) for one in full]
    axes.plot(*zip(*dots, strict=True) if dots else ((), ()), "o", color=INK, markersize=3.5, clip_on=False)
    count = sheet.panel(_LEFT, 216, _WIDE, 46)
    most = max((one.n for one in full), default=1)
    count.set(xlim=(0, 1), ylim=(0, most * 1.35), yticks=[])
    _ticks(count)
    for one in full:
        count.bar((one.low + one.high) / 2, one.n, 0.88 * (one.high - one.low), color=PALE, alpha=0.6, linewidth=0)
        told = f"{one.n}" if one.n < 1000 else f"{one.n / 1000:.1f}k"
        count.text(
            (one.low + one.high) / 2, one.n + most * 0.06, told, ha="center", va="bottom", color=PALE, fontsize=9
        )
    sheet.text(_LEFT - 8, 258, "n", ha="right", color=PALE, fontsize=10)
    sheet.text(_LEFT + _WIDE / 2, 295, "confidence", ha="center", color=PALE, fontsize=10.5)
    when = "before calibration" if before else "as given"
    return sheet.svg(f"Reliability of {name}, {when}: ECE {ece:.3f} over {sum(one.n for one in bins)} answers")


@style()
def threshold_plot(curve: ThresholdCurve) -> str:
    """Precision, recall and F1 of a class over the threshold; the chosen one is a line through them."""
    sheet = Sheet(272)
    looks = (("precision", curve.precision, SECOND, (0, (5, 2))), ("recall", curve.recall, THIRD, (0, (1, 1.6))))
    lines = (*looks, ("F1", curve.f1, HEAD, "solid"))
    x = _LEFT
    for name, _, colour, dashes in lines:
        sheet.line((x, x + 20), (11, 11), colour, linewidth=2.2, linestyle=dashes, solid_capstyle="butt")
        sheet.text(x + 25, 15, name, color=PALE, fontsize=10.5)
        x += 44 + width_of(name, 10.5)
    axes = sheet.panel(_LEFT, 30, _WIDE, 200)
    _shares(axes, "")
    for _, values, colour, dashes in lines:
        axes.plot(_thin(curve.thresholds), _thin(values), color=colour, linewidth=2, linestyle=dashes, clip_on=False)
    if curve.chosen is not None:
        axes.axvline(curve.chosen, color=INK, linewidth=1.2)
        side = "right" if curve.chosen > 0.6 else "left"
        axes.annotate(
            f"chosen: {curve.chosen:.3f}",
            (curve.chosen, 0.03),
            (-5 if side == "right" else 5, 0),
            textcoords="offset points",
            ha=side,
            color=INK,
            fontsize=10.5,
        )
    sheet.text(
        _LEFT + _WIDE / 2, 266, f"threshold on the probability of {curve.name}", ha="center", color=PALE, fontsize=10.5
    )
    chosen = "none chosen" if curve.chosen is None else f"chosen {curve.chosen:.3f}"
    return sheet.svg(f"Precision, recall and F1 of {curve.name} by threshold; {chosen}")


@style()
def risk_plot(name: str, curve: RiskCoverage) -> str:
    """The share of wrong answers over the share that is answered; dots say below which confidence the rest abstains."""
    sheet = Sheet(272)
    sheet.text(2, 14, "share of the given answers that is wrong", color=PALE, fontsize=10.5)
    axes = sheet.panel(_LEFT, 26, _WIDE, 200)
    most = max([*curve.risk, 0.05])
    axes.set(xlim=(0, 1), ylim=(0, min(1.0, most * 1.15)))
    _ticks(axes)
    _percents(axes)
    axes.step(
        [0, *_thin(curve.coverage)],
        [curve.risk[0], *_thin(curve.risk)],
        where="pre",
        color=HEAD,
        linewidth=2,
        clip_on=False,
    )
    told = list(operating_points(curve))
    for wanted, coverage, threshold, risk in told:
        axes.plot([coverage], [risk], "o", color=HEAD, markersize=6.5, markeredgecolor=HEAD, clip_on=False)
        if wanted in _MARKED:
            told_ = f"{threshold:.15g}".lstrip("0")
            below = risk > 0.2 * axes.get_ylim()[1]
            looks: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "color": INK, "gid": "halo"}
            axes.annotate(told_, (coverage, risk), (0, -16 if below else 8), fontsize=10, **looks)
    sheet.text(_LEFT + _WIDE / 2, 262, "share that is answered", ha="center", color=PALE, fontsize=10.5)
    points = ", ".join(
        f"below {threshold:.15g} leaves {share:.0%} with {risk:.1%} wrong" for _, share, threshold, risk in told
    )
    return sheet.svg(f"Risk and coverage of {name}, AURC {curve.aurc:.3f}; abstaining {points}")


def threshold_points(curve: ThresholdCurve) -> Iterator[tuple[float, float, float, float]]:
    """`(threshold, precision, recall, F1)` at tenths and at the chosen threshold, ascending."""
    wanted = {place / 10 for place in range(1, 10)} | ({curve.chosen} if curve.chosen is not None else set())
    for threshold in sorted(wanted):
        place = bisect_left(curve.thresholds, threshold - 1e-9)
        if place < len(curve.thresholds):
            yield threshold, curve.precision[place], curve.recall[place], curve.f1[place]


def operating_points(curve: RiskCoverage) -> Iterator[tuple[float, float, float, float]]:
    """`(share wanted, share answered, abstain below, share of it that is wrong)`, where the curve has such a point.

    A threshold is taken that keeps at least the share that is wanted, and as little more as confidences allow; of those
    that keep the same answers, one that is short to type.
    """
    last = None
    for wanted in SHARES:
        place = next((i for i, share in enumerate(curve.coverage) if share >= wanted - 1e-9), None)
        if place is not None and place != last:
            last = place
            lower = curve.thresholds[place + 1] if place + 1 < len(curve.thresholds) else -1.0
            yield wanted, curve.coverage[place], _short(curve.thresholds[place], lower), curve.risk[place]


def _short(threshold: float, lower: float) -> float:
    """A number of few digits above `lower` and up to `threshold`: rounding a confidence itself may withhold it."""
    for digits in range(2, 16):
        for cut in (round(threshold, digits), math.floor(threshold * 10**digits) / 10**digits):
            if lower < cut <= threshold:
                return cut
    return threshold


def _thin(values: Sequence[float]) -> Sequence[float]:
    """Some values, evenly, and the last: a drawing has some 300 pixels, a curve may have a point for each sample."""
    step = len(values) / _POINTS
    return values if step <= 1 else [*(values[int(place * step)] for place in range(_POINTS)), values[-1]]


def _shares(axes: Axes, label: str) -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "", ".5", "", "1"])
    axes.set_ylabel(label, fontsize=10.5, color=PALE, labelpad=2)
    _ticks(axes)


def _ticks(axes: Axes) -> None:
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])


def _percents(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{round(100 * share, 2):g} %"))
