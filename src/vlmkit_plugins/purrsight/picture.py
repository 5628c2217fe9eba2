"""Truth beside answers as one picture: a row a sample, what it brought, eight fields in words, risk on its scale."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vlmkit.errors import MissingExtraError
from vlmkit.types import Prediction, Sample
from vlmkit_plugins.purrsight.exhibits import INK, PALE, exhibit, words
from vlmkit_plugins.purrsight.schema import MARKERS, NOT_OBSERVED, VOCABULARY, CatReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RIGHT, WRONG, UNSEEN = "#1a7f4b", "#c0392b", "#7d8894"
RISKS: Mapping[int, str] = {1: "#3f8f5f", 2: "#8d9c2f", 3: "#c99a1d", 4: "#d2712a", 5: "#c0392b"}
"""One colour a rating; the number stands beside it as well."""

_WIDTH_IN, _ROW_IN, _TOP_IN, _BOTTOM_IN = 15.0, 1.9, 0.42, 0.14
_SHARES = (5.6, 5.2, 4.2)  # of the width: what was given, the fields, risk and remarks
_TRUTH, _HEAD, _SURE = 0.22, 0.51, 0.97  # where a field's columns stand in their share
_CELL, _SCALE = 0.09, 0.15  # a rating's width, and where the scale begins
_TRACK = "#eef1f4"
_LETTERS = 62  # of a remark's line
_MOST_LINES = 6

Pairs = Sequence[tuple[Sample, Prediction[CatReport]]]


def draw(pairs: Pairs, path: Path) -> None:
    """Write the picture. A medium that cannot be opened says why in its place, and so does a missing answer.

    The advice is left out: matplotlib's own font has no Chinese. Raises `MissingExtraError` without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot") from error

    height_in = _TOP_IN + _ROW_IN * len(pairs) + _BOTTOM_IN
    figure = Figure(figsize=(_WIDTH_IN, height_in), dpi=120, facecolor="white")
    edges = {"left": 0.008, "right": 0.994, "top": 1 - _TOP_IN / height_in, "bottom": _BOTTOM_IN / height_in}
    grid = figure.add_gridspec(len(pairs), 3, width_ratios=_SHARES, wspace=0.03, hspace=0.16, **edges)
    for row, (sample, prediction) in enumerate(pairs):
        given, fields, remarks = (figure.add_subplot(grid[row, column]) for column in range(3))
        for axes in (given, fields, remarks):
            axes.set(xlim=(0, 1), ylim=(0, 1))
            axes.axis("off")
        if row:
            given.plot([0, sum(_SHARES) / _SHARES[0]], [1.08, 1.08], color="#d8dde3", linewidth=0.8, clip_on=False)
        else:
            _titles(given, fields, remarks, pairs)
        exhibit(given, sample)
        _fields(fields, sample.truth, prediction)
        _risk(remarks, sample.truth, prediction.value)
        _remarks(remarks, prediction)
    figure.savefig(path)


def _fields(axes: Axes, truth: CatReport | None, prediction: Prediction[CatReport]) -> None:
    wanted = truth.fields if truth else {}
    given = prediction.value.fields if prediction.value else {}
    for row, name in enumerate(VOCABULARY):
        part = "physical_markers" if name in MARKERS else "classification"
        y = 1 - (row + 0.5) / len(VOCABULARY)
        words(axes, 0, y, name.replace("_", " "), color=PALE, fontsize=8.5)
        if wanted:
            colour = UNSEEN if wanted[name] == NOT_OBSERVED else INK
            words(axes, _TRUTH, y, str(wanted[name]), color=colour)
        if given:
            text, colour = verdict(wanted.get(name), given[name])
            words(axes, _HEAD, y, text, color=colour)
        if (sure := prediction.confidence.get(f"diagnostic.{part}.{name}")) is not None:
            words(axes, _SURE, y, f"{sure:.2f}", color=PALE, fontsize=8, ha="right")
    if not given:
        words(axes, _HEAD, 0.56, "✗ no answer", color=WRONG)
    middle = 1 - len(MARKERS) / len(VOCABULARY)
    axes.plot([0, _SURE], [middle, middle], color="#e3e7eb", linewidth=0.7)


def verdict(truth: str | int | None, answer: str | int) -> tuple[str, str]:
    """An answer in words that say whether it is right, and the colour that says the same."""
    if truth is None:
        return str(answer), UNSEEN if answer == NOT_OBSERVED else INK
    if truth == answer:
        return f"✓ {answer}", UNSEEN if answer == NOT_OBSERVED else RIGHT
    if answer == NOT_OBSERVED:
        return f"✗ {answer}: missed", WRONG
    return f"✗ {answer}: invented" if truth == NOT_OBSERVED else f"✗ {answer}", WRONG


def _risk(axes: Axes, truth: CatReport | None, answer: CatReport | None) -> None:
    for y, who, report in ((0.9, "truth", truth), (0.72, "head", answer)):
        words(axes, 0, y, who, color=PALE, fontsize=8.5)
        rating = report.fields["risk_rating"] if report else None
        known = rating if isinstance(rating, int) else 0
        for step in RISKS:
            colour = RISKS[known] if step <= known else _TRACK
            axes.barh(y, 0.92 * _CELL, left=_SCALE + (step - 1) * _CELL, height=0.12, align="center", color=colour)
        says = "–" if rating is None else str(rating)
        if report is answer and answer is not None and rating is not None:
            says, colour = verdict(truth.fields["risk_rating"] if truth else None, rating)
        else:
            colour = INK if known else UNSEEN
        words(axes, _SCALE + (len(RISKS) + 0.2) * _CELL, y, says, color=colour)


def _remarks(axes: Axes, prediction: Prediction[CatReport]) -> None:
    lines = [(f"seen: {', '.join(prediction.used) or 'nothing'}", PALE)]
    for problem in prediction.problems:
        where = f" ({problem.where})" if problem.where else ""
        text = f"{problem.code}{where}: {problem.message}" if problem.fatal else f"{problem.code}{where}"
        lines += [(line, WRONG if problem.fatal else INK) for line in textwrap.wrap(text, _LETTERS, max_lines=3)]
    if prediction.value is not None:
        told = textwrap.wrap(f"“{prediction.value.behavioral_summary}”", _LETTERS, max_lines=3, placeholder=" …”")
        lines += [(line, INK) for line in told]
    for row, (line, colour) in enumerate(lines[:_MOST_LINES]):
        words(axes, 0, 0.53 - row * 0.098, line, color=colour, fontsize=8.5)


def _titles(given: Axes, fields: Axes, remarks: Axes, pairs: Pairs) -> None:
    provenance = next((prediction.provenance for _, prediction in pairs if prediction.provenance), {})
    told = f"preset {provenance['preset']}" if "preset" in provenance else "purrsight"
    if provenance.get("synthetic"):
        told += ", trained on synthetic data only"
    for axes, x, text in (
        (given, 0.0, f"what was given · {told}"),
        (fields, _TRUTH, "truth"),
        (fields, _HEAD, "head"),
        (remarks, 0.0, "risk, 1 to 5"),
    ):
        words(axes, x, 1.09, text, color=PALE, fontsize=10, va="bottom")
    words(fields, _SURE, 1.09, "confidence", color=PALE, fontsize=8, va="bottom", ha="right")
