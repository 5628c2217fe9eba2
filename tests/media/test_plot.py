"""The plot says what each sampler picks."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from tests.media.films import SPEC, film
from vlmkit.errors import MissingExtraError
from vlmkit.media import plot_samplers
from vlmkit.types import Clip


def test_one_row_a_spec_under_the_curve() -> None:
    specs = [replace(SPEC, sampler="fps", fps=5.0), SPEC, replace(SPEC, sampler="entropy")]
    figure = plot_samplers(Clip(film(30)), specs)
    curve, *rows = figure.axes
    assert len(curve.lines) == 1 + len(specs)
    assert [np.size(line.get_xdata()) for line in curve.lines] == [30, 6, 8, 8]
    assert [len(row.child_axes) for row in rows] == [6, 8, 8]
    assert [row.get_title("left") for row in rows] == ["fps = 5", "uniform, 8 frames", "entropy, 8 frames"]


def test_no_spec_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        plot_samplers(Clip(film(2)), [])


def test_without_matplotlib_it_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'vlmkit\[plot\]'"):
        plot_samplers(Clip(film(2)), [SPEC])
