"""People on the pitch: a player from behind with a large number, officials, and the small ones of a wide view."""

from __future__ import annotations

import numpy as np
from PIL import Image as Pillow

from vlmkit_plugins.football.pen import (
    HAIRS,
    INK,
    JERSEYS,
    LIGHT_JERSEYS,
    SKINS,
    WHITE,
    Colour,
    Pen,
    Point,
    shade,
)

_DIGITS = (
    "111101101101111", "010110010010111", "111001111100111", "111001111001111", "101101111001001",
    "111100111001111", "111100111101111", "111001010010010", "111101111101111", "111101111001111",
)  # three across, five down  # fmt: skip
CELL_PX = 5.0
"""Side of one of a digit's 3 x 5 cells."""
SPRITE_PX = (88, 124)
"""Width and height of a player in close-up; he stands in the middle, his neck at `NECK`."""
NECK: Point = (44.0, 44.0)
_OVERSAMPLING = 2

Hands = tuple[Point, Point]
DOWN: Hands = ((-27.0, 44.0), (27.0, 44.0))
UP: Hands = ((-25.0, -30.0), (25.0, -30.0))
OVERHEAD: Hands = ((-8.0, -29.0), (8.0, -29.0))
RUNNING: Hands = ((-32.0, 30.0), (29.0, 20.0))


def number_on(pen: Pen, number: int, x: float, y: float, fill: Colour, cell: float = CELL_PX) -> None:
    """A number of one or two digits with its middle at (x, y)."""
    text = str(number)
    left = x - (len(text) * 3 * cell + (len(text) - 1) * cell * 0.8) / 2
    for digit in text:
        for place, is_on in enumerate(_DIGITS[int(digit)]):
            if is_on == "1":
                x0, y0 = left + place % 3 * cell, y - 2.5 * cell + place // 3 * cell
                pen.box(x0, y0, x0 + cell, y0 + cell, fill)
        left += 3.8 * cell


def close_up(team: str, number: int, hands: Hands, rng: np.random.Generator) -> Pillow.Image:
    """A player from behind, RGBA of `SPRITE_PX`, transparent around him."""
    skin, hair = head(rng)
    picture = Pillow.new("RGBA", (_OVERSAMPLING * SPRITE_PX[0], _OVERSAMPLING * SPRITE_PX[1]), (*JERSEYS[team], 0))
    pen = Pen(picture, _OVERSAMPLING, NECK)
    shirt = JERSEYS[team]
    ink = INK if team in LIGHT_JERSEYS else WHITE
    torso(pen, shirt, skin, hair, hands)
    number_on(pen, number, 0, 26, ink)
    return picture.reduce(_OVERSAMPLING)


def torso(pen: Pen, shirt: Colour, skin: Colour, hair: Colour, hands: Hands, *, faces: bool = False) -> None:
    """Head, shirt, arms and the top of the shorts; the origin is the neck, shoulders are 23 away."""
    dark = shade(shirt, 0.78)
    for side, hand in zip((-1, 1), hands, strict=True):
        shoulder = (side * 19.0, 8.0)
        elbow = ((shoulder[0] + hand[0]) / 2 + side * 5, (shoulder[1] + hand[1]) / 2)
        pen.line([shoulder, elbow], dark, 10)
        pen.line([elbow, hand], skin, 7)
        pen.oval(*hand, 4.5, 4.5, skin)
    pen.box(-21, 54, 21, 90, shade(shirt, 0.6) if shirt != JERSEYS["black"] else (60, 60, 66))
    pen.poly([(-24, 5), (-9, 0), (9, 0), (24, 5), (22, 57), (-22, 57)], shirt, dark)
    pen.box(-4, -6, 4, 3, skin)
    pen.oval(0, -14, 10, 12, skin if faces else hair)
    if faces:
        pen.oval(0, -21, 10, 6, hair)
        pen.oval(-4, -13, 1.5, 1.5, INK)
        pen.oval(4, -13, 1.5, 1.5, INK)


def small(shirt: Colour, skin: Colour, step: int, scale: float = 1.0) -> Pillow.Image:
    """A player of a wide view, RGBA, about 8 x 16 pixels, with his legs in one of two places."""
    size = (round(10 * scale), round(18 * scale))
    picture = Pillow.new("RGBA", (size[0] * 2, size[1] * 2), (*shirt, 0))
    pen = Pen(picture, 2 * scale, (5.0, 0.0))
    spread = 2.6 if step else 0.8
    pen.line([(-0.8, 10), (-spread, 17)], INK, 2)
    pen.line([(0.8, 10), (spread, 17)], INK, 2)
    pen.box(-2.6, 4, 2.6, 11, shirt)
    pen.box(-2.6, 9.5, 2.6, 12, shade(shirt, 0.6))
    pen.oval(0, 2.4, 2.0, 2.3, skin)
    return picture.reduce(2)


def head(rng: np.random.Generator) -> tuple[Colour, Colour]:
    """A skin and a hair."""
    return SKINS[int(rng.integers(len(SKINS)))], HAIRS[int(rng.integers(len(HAIRS)))]
