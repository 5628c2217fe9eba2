"""Shapes in the units of what is drawn, wherever in a picture it stands, and the colours that they take."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

Point = tuple[float, float]
Colour = tuple[int, int, int]
Span = tuple[float, float]

INK: Colour = (28, 26, 32)
WHITE: Colour = (246, 245, 240)
_CORNERS = 24
_CIRCLE = tuple((math.cos(2 * math.pi * k / _CORNERS), math.sin(2 * math.pi * k / _CORNERS)) for k in range(_CORNERS))


class Pen:
    """Draws in units of half a subject: from -1 to 1 across and down, turned and mirrored as the subject stands.

    `centre_px` is where the subject's middle lies, `unit_px` how long a unit is, `turn` in radians.
    """

    def __init__(
        self, picture: Pillow.Image, centre_px: Point, unit_px: float, turn: float = 0.0, *, mirrored: bool = False
    ) -> None:
        self._draw = ImageDraw.Draw(picture)
        self._centre, self._unit = centre_px, unit_px
        self._cos, self._sin = math.cos(turn) * unit_px, math.sin(turn) * unit_px
        self._side = -1 if mirrored else 1

    def oval(self, x: float, y: float, rx: float, ry: float, fill: Colour, turn: float = 0.0) -> None:
        """A filled ellipse by its middle and half-axes."""
        cos, sin = math.cos(turn), math.sin(turn)
        self.poly([(x + rx * c * cos - ry * s * sin, y + rx * c * sin + ry * s * cos) for c, s in _CIRCLE], fill)

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: Colour) -> None:
        """A filled rectangle by two corners."""
        self.poly([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], fill)

    def poly(self, points: Sequence[Point], fill: Colour) -> None:
        """A filled polygon."""
        self._draw.polygon([self._at(point) for point in points], fill=fill)

    def line(self, points: Sequence[Point], fill: Colour, width: float) -> None:
        """An open line; `width` in units."""
        self._draw.line([self._at(point) for point in points], fill=fill, width=max(1, round(width * self._unit)))

    def _at(self, point: Point) -> Point:
        x, y = point[0] * self._side, point[1]
        return self._centre[0] + x * self._cos - y * self._sin, self._centre[1] + x * self._sin + y * self._cos


def tint(rng: np.random.Generator, hue: Span, saturation: Span = (0.45, 0.95), value: Span = (0.65, 1.0)) -> Colour:
    """A colour from three ranges; hue in turns, so that (0.9, 1.1) goes through red."""
    h, s, v = (float(rng.uniform(low, high)) for low, high in (hue, saturation, value))
    return shade(colorsys.hsv_to_rgb(h % 1, s, v), 255)


def shade(colour: Sequence[float], factor: float) -> Colour:
    """A colour darker (below 1) or lighter."""
    r, g, b = (min(255, max(0, round(part * factor))) for part in colour)
    return r, g, b


def wave(x0: float, x1: float, y: float, height: float, bows: float, points: int = 13) -> list[Point]:
    """Points of a wavy line from left to right."""
    shares = [k / (points - 1) for k in range(points)]
    return [(x0 + (x1 - x0) * s, y + height * math.sin(2 * math.pi * bows * s)) for s in shares]
