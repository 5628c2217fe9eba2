"""Drawing in scene units, and the colours of one clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

Point = tuple[float, float]
Colour = tuple[int, int, int]

UNITS = (160.0, 120.0)
"""Width and height of the scene in drawing units, whatever the size in pixels."""
DARKEST, BRIGHTEST = 14, 241
"""All colours stay inside, so that noise of up to +-14 can be added to bytes without wrapping round."""


class Pen:
    """Shapes on a picture. `origin` and `scale` place a group of shapes; `px` is pixels a unit."""

    def __init__(self, picture: Pillow.Image, px: float, origin: Point = (0.0, 0.0), scale: float = 1.0) -> None:
        self._draw = ImageDraw.Draw(picture)
        self._k = px * scale
        self._x = origin[0] * px
        self._y = origin[1] * px

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: Colour, edge: Colour | None = None) -> None:
        """An upright rectangle; corners in any order."""
        left, right = sorted((x0, x1))
        top, bottom = sorted((y0, y1))
        self._draw.rectangle((*self._at((left, top)), *self._at((right, bottom))), fill=fill, outline=edge)

    def oval(self, x: float, y: float, rx: float, ry: float, fill: Colour, edge: Colour | None = None) -> None:
        """An ellipse by centre and half-axes."""
        self._draw.ellipse((*self._at((x - rx, y - ry)), *self._at((x + rx, y + ry))), fill=fill, outline=edge)

    def poly(self, points: Sequence[Point], fill: Colour, edge: Colour | None = None) -> None:
        """A filled polygon."""
        self._draw.polygon([self._at(p) for p in points], fill=fill, outline=edge)

    def line(self, points: Sequence[Point], fill: Colour, width: float) -> None:
        """An open line; `width` in units."""
        self._draw.line([self._at(p) for p in points], fill=fill, width=max(1, round(width * self._k)))

    def _at(self, point: Point) -> Point:
        return (point[0] * self._k + self._x, point[1] * self._k + self._y)


@dataclass(frozen=True)
class Look:
    """The colours of one clip: light and hue differ by clip, gloves, sleeves and table by subject."""

    wall: Colour
    floor: Colour
    table: Colour
    card: Colour
    card_light: Colour
    card_dark: Colour
    inside: Colour
    tape: Colour
    paper: Colour
    film: Colour
    film_light: Colour
    steel: Colour
    tool: Colour
    beam: Colour
    ink: Colour
    skin: Colour
    hair: Colour
    glove: Colour
    sleeve: Colour
    items: tuple[Colour, ...]
    passer_by: Colour
    truck: Colour


_GLOVES = (
    (228, 214, 60), (60, 190, 110), (235, 235, 232), (240, 130, 50),
    (70, 150, 225), (200, 80, 160), (150, 220, 70), (110, 110, 120),
)  # fmt: skip
_SLEEVES = (
    (40, 60, 120), (120, 45, 50), (50, 105, 65), (85, 85, 95),
    (30, 110, 125), (125, 90, 40), (95, 55, 125), (60, 65, 60),
)  # fmt: skip
_TABLES = (
    (112, 122, 130), (96, 118, 108), (134, 120, 112), (90, 100, 124),
    (128, 128, 120), (106, 96, 112), (82, 112, 120), (120, 112, 98),
)  # fmt: skip
_ITEMS = ((220, 60, 60), (60, 170, 80), (70, 100, 220), (235, 195, 60), (170, 80, 190), (60, 200, 200))
STYLES = len(_GLOVES)


def look(style: int, rng: np.random.Generator) -> Look:
    """The colours of one clip of the subject with this style; light and white balance are drawn from `rng`."""
    light = rng.uniform(0.82, 1.12)
    gain = light * rng.uniform(0.94, 1.06, size=3)
    wobble = rng.integers(-8, 9, size=(32, 3))
    counter = iter(range(len(wobble)))

    def tint(colour: Sequence[int]) -> Colour:
        mixed = (np.asarray(colour) + wobble[next(counter)]) * gain
        r, g, b = (int(v) for v in np.clip(mixed, DARKEST, BRIGHTEST))
        return (r, g, b)

    return Look(
        wall=tint((164, 168, 170)),
        floor=tint((132, 128, 122)),
        table=tint(_TABLES[style]),
        card=tint((186, 140, 88)),
        card_light=tint((214, 172, 118)),
        card_dark=tint((142, 100, 58)),
        inside=tint((84, 58, 36)),
        tape=tint((232, 222, 160)),
        paper=tint((232, 232, 226)),
        film=tint((136, 190, 224)),
        film_light=tint((214, 234, 244)),
        steel=tint((74, 78, 84)),
        tool=tint((204, 44, 44)),
        beam=tint((240, 40, 50)),
        ink=tint((44, 44, 48)),
        skin=tint((212, 164, 134)),
        hair=tint((64, 48, 38)),
        glove=tint(_GLOVES[style]),
        sleeve=tint(_SLEEVES[style]),
        items=tuple(tint(c) for c in _ITEMS),
        passer_by=tint((70, 62, 84)),
        truck=tint((222, 160, 40)),
    )
