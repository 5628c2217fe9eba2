"""What is neither nice nor foul: landscapes, and the invented badge of hate on whatever bears it.

The badge belongs to nobody: a ring with a bar across, over the head of an invented being with two feelers.
"""

from __future__ import annotations

import math

import numpy as np

from vlmkit_plugins.memes.pen import INK, WHITE, Colour, Pen, shade, tint, wave


def plaque(pen: Pen, rng: np.random.Generator) -> None:
    """The badge on a round plate."""
    pen.oval(0, 0, 1.0, 1.0, _metal(rng))
    _badge(pen, rng, 0, 0, 0.85)


def shield(pen: Pen, rng: np.random.Generator) -> None:
    """The badge on a coat of arms."""
    metal = _metal(rng)
    for size, colour in ((1.0, shade(metal, 0.6)), (0.92, metal)):
        sides = [(-0.85, -0.95), (0.85, -0.95), (0.85, 0.15), (0.5, 0.7), (0, 1.0), (-0.5, 0.7), (-0.85, 0.15)]
        pen.poly([(x * size, y * size) for x, y in sides], colour)
    _badge(pen, rng, 0, -0.15, 0.62)


def flag(pen: Pen, rng: np.random.Generator) -> None:
    """The badge on a waving cloth."""
    cloth = _metal(rng)
    pen.line([(-0.9, -1.0), (-0.9, 1.0)], shade(cloth, 0.45), 0.1)
    bows = float(rng.uniform(0.7, 1.3))
    top, bottom = wave(-0.88, 1.0, -0.8, 0.1, bows), wave(-0.88, 1.0, 0.5, 0.1, bows)
    pen.poly([*top, *reversed(bottom)], cloth)
    _badge(pen, rng, 0.05, -0.15, 0.52)


def placard(pen: Pen, rng: np.random.Generator) -> None:
    """The badge on a board that somebody holds up."""
    board = _metal(rng)
    pen.box(-0.07, 0.4, 0.07, 1.0, tint(rng, (0.06, 0.1), (0.3, 0.6), (0.4, 0.7)))
    pen.box(-0.9, -0.95, 0.9, 0.55, shade(board, 0.6))
    pen.box(-0.84, -0.89, 0.84, 0.49, board)
    _badge(pen, rng, 0, -0.2, 0.6)


def _metal(rng: np.random.Generator) -> Colour:
    return tint(rng, (0.0, 1.0), (0.05, 0.5), (0.5, 0.95))


def _badge(pen: Pen, rng: np.random.Generator, x: float, y: float, r: float) -> None:
    mark = tint(rng, (0.93, 1.05), (0.75, 1.0), (0.6, 0.95))
    skin = tint(rng, (0.2, 0.8), (0.3, 0.7), (0.55, 0.9))
    pen.oval(x, y, r, r, mark)
    pen.oval(x, y, 0.78 * r, 0.78 * r, WHITE)
    for side in (-1, 1):
        pen.line([(x + 0.12 * side * r, y - 0.2 * r), (x + 0.32 * side * r, y - 0.6 * r)], INK, 0.07 * r)
        pen.oval(x + 0.32 * side * r, y - 0.6 * r, 0.09 * r, 0.09 * r, INK)
    pen.oval(x, y + 0.1 * r, 0.42 * r, 0.46 * r, skin)
    for side in (-1, 1):
        pen.oval(x + 0.17 * side * r, y, 0.09 * r, 0.11 * r, INK)
    pen.line([(x - 0.18 * r, y + 0.36 * r), (x + 0.18 * r, y + 0.36 * r)], INK, 0.07 * r)
    reach = 0.85 * r * math.sqrt(0.5)
    pen.line([(x - reach, y - reach), (x + reach, y + reach)], mark, 0.2 * r)


def hills(pen: Pen, rng: np.random.Generator) -> None:
    """Green hills, one behind the other, under a sun."""
    _sky(pen, rng)
    size = float(rng.uniform(0.14, 0.28))
    pen.oval(float(rng.uniform(-0.7, 0.7)), -0.55, size, size, (255, 225, 120))
    green = tint(rng, (0.2, 0.38), (0.35, 0.8), (0.45, 0.8))
    for k, y in enumerate((0.0, 0.3, 0.65)):
        ridge = wave(-1.4, 1.4, y, float(rng.uniform(-0.2, 0.2)), float(rng.uniform(0.6, 1.8)))
        pen.poly([*ridge, (1.4, 1.4), (-1.4, 1.4)], shade(green, 1.1 - 0.2 * k))


def sea(pen: Pen, rng: np.random.Generator) -> None:
    """Water to the horizon, with waves and a sail."""
    _sky(pen, rng)
    water = tint(rng, (0.48, 0.64), (0.4, 0.85), (0.35, 0.75))
    pen.box(-1.4, -0.05, 1.4, 1.4, water)
    for y in np.arange(0.2, 1.3, float(rng.uniform(0.15, 0.35))).tolist():
        pen.line(wave(-1.4, 1.4, y, 0.04, float(rng.uniform(4, 7)), 41), shade(water, 1.3), 0.035)
    for x, size in rng.uniform((-0.7, 0.6), (0.7, 1.3), (int(rng.integers(1, 3)), 2)).tolist():
        hull = [(-0.25, 0.03), (0.42, 0.03), (0.3, 0.17), (-0.13, 0.17)]
        pen.poly([(x, -0.55 * size), (x, 0.0), (x + 0.36 * size, 0.0)], tint(rng, (0.0, 1.0), (0.0, 0.5), (0.8, 1.0)))
        pen.poly([(x + a * size, b * size) for a, b in hull], tint(rng, (0.0, 0.1), (0.4, 0.8), (0.3, 0.6)))


def town(pen: Pen, rng: np.random.Generator) -> None:
    """A skyline with lit windows."""
    _sky(pen, rng)
    wall = tint(rng, (0.55, 1.1), (0.1, 0.4), (0.3, 0.65))
    for k, height in enumerate(rng.uniform(0.2, 1.2, 8).tolist()):
        left = -1.4 + 0.35 * k
        pen.box(left, 0.7 - height, left + 0.32, 1.4, shade(wall, 0.8 + 0.3 * (k % 3) / 2))
        for y in np.arange(0.78 - height, 0.6, 0.2).tolist():
            for x in (left + 0.05, left + 0.18):
                pen.box(x, y, x + 0.08, y + 0.1, (250, 225, 140))
    pen.box(-1.4, 0.8, 1.4, 1.4, shade(wall, 0.5))


def mountains(pen: Pen, rng: np.random.Generator) -> None:
    """Peaks with snow on them behind a plain."""
    _sky(pen, rng)
    rock = tint(rng, (0.55, 0.75), (0.1, 0.4), (0.35, 0.65))
    for x, (top, half) in zip((-0.8, 0.75, 0.0), rng.uniform((-0.75, 0.5), (-0.2, 0.9), (3, 2)).tolist(), strict=True):
        pen.poly([(x - half, 0.6), (x, top), (x + half, 0.6)], shade(rock, 0.8 + 0.15 * x))
        snow = 0.3 / (0.6 - top)
        pen.poly([(x - half * snow, top + 0.3), (x, top), (x + half * snow, top + 0.3), (x, top + 0.2)], WHITE)
    pen.box(-1.4, 0.55, 1.4, 1.4, tint(rng, (0.1, 0.35), (0.3, 0.7), (0.4, 0.75)))


def night(pen: Pen, rng: np.random.Generator) -> None:
    """A moon and stars above a dark line of trees."""
    sky = tint(rng, (0.58, 0.75), (0.5, 0.9), (0.12, 0.35))
    pen.box(-1.4, -1.4, 1.4, 1.4, sky)
    for x, y in rng.uniform((-1.0, -1.0), (1.0, 0.3), (24, 2)).tolist():
        pen.oval(x, y, 0.025, 0.025, WHITE)
    x = float(rng.uniform(-0.5, 0.5))
    size = float(rng.uniform(0.2, 0.32))
    pen.oval(x, -0.45, size, size, (245, 240, 205))
    pen.oval(x + 0.4 * size, -0.45 - 0.2 * size, 0.9 * size, 0.9 * size, sky)
    for k, height in enumerate(rng.uniform(0.25, 0.6, 10).tolist()):
        left = -1.3 + 0.27 * k
        pen.poly([(left - 0.2, 1.4), (left, 0.85 - height), (left + 0.2, 1.4)], shade(sky, 0.4))
    pen.box(-1.4, 0.85, 1.4, 1.4, shade(sky, 0.4))


def _sky(pen: Pen, rng: np.random.Generator) -> None:
    sky = tint(rng, (0.5, 0.64), (0.15, 0.6), (0.7, 1.0)) if rng.random() < 0.7 else tint(rng, (0.95, 1.1), (0.2, 0.6))
    for k in range(6):
        pen.box(-1.4, -1.4 + 0.4 * k, 1.4, 1.4, shade(sky, 0.85 + 0.06 * k))


BADGES = (plaque, shield, flag, placard)
SCENES = (hills, sea, town, mountains, night)
"""Each fills the whole picture."""
