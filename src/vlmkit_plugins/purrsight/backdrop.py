"""The room behind a drawn cat: wall, floor, furniture; colours keep away from the coat's so that outlines are seen."""

from __future__ import annotations

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

Colour = tuple[int, int, int]

_FAR = 70.0
"""Least Euclidean distance in RGB between the coat and what lies behind it."""
_MOST_THINGS = 4


def backdrop(side_px: int, coat: Colour, rng: np.random.Generator) -> Pillow.Image:
    """A square RGB picture of a room without a cat."""
    wall, lamp, floor = (colour_far_from(coat, rng) for _ in range(3))
    picture = _gradient(side_px, wall, lamp, rng)
    pen = ImageDraw.Draw(picture)
    horizon = side_px * float(rng.uniform(0.5, 0.82))
    if rng.random() < 0.8:
        pen.rectangle((0, horizon, side_px, side_px), fill=floor)
        _boards(pen, side_px, horizon, floor, rng)
    for _ in range(int(rng.integers(_MOST_THINGS + 1))):
        _thing(pen, side_px, horizon, colour_far_from(coat, rng), rng)
    return picture


def colour_far_from(coat: Colour, rng: np.random.Generator) -> Colour:
    """A random colour, not too close to the coat's."""
    draws = rng.integers(25, 236, (12, 3))
    far = np.sqrt(((draws - np.array(coat)) ** 2).sum(axis=1)) > _FAR
    r, g, b = draws[int(far.argmax())]
    return int(r), int(g), int(b)


def _gradient(side_px: int, one: Colour, other: Colour, rng: np.random.Generator) -> Pillow.Image:
    if rng.random() < 0.3:
        return Pillow.new("RGB", (side_px, side_px), one)
    corners = rng.random((2, 2, 1)) * 0.7
    mixed = np.array(one) * (1 - corners) + np.array(other) * corners
    return Pillow.fromarray(mixed.astype(np.uint8)).resize((side_px, side_px), Pillow.Resampling.BILINEAR)


def _boards(pen: ImageDraw.ImageDraw, side_px: int, horizon: float, floor: Colour, rng: np.random.Generator) -> None:
    if rng.random() < 0.5:
        return
    line = (int(floor[0] * 0.85), int(floor[1] * 0.85), int(floor[2] * 0.85))
    for y in np.arange(horizon, side_px, side_px * float(rng.uniform(0.06, 0.12))):
        pen.line((0, y, side_px, y), fill=line, width=2)


def _thing(pen: ImageDraw.ImageDraw, side_px: int, horizon: float, fill: Colour, rng: np.random.Generator) -> None:
    width, height = rng.uniform(0.12, 0.4, 2) * side_px
    left = float(rng.uniform(-0.1, 0.95)) * side_px
    edge = (fill[0] * 3 // 4, fill[1] * 3 // 4, fill[2] * 3 // 4)
    kind = int(rng.integers(4))
    if kind == 0:  # a box or a cupboard on the floor
        pen.rectangle((left, horizon - height, left + width, horizon + 4), fill=fill, outline=edge, width=2)
    elif kind == 1:  # a picture or a window on the wall
        top = float(rng.uniform(0, 0.3)) * side_px
        pen.rectangle((left, top, left + width, top + height), fill=fill, outline=edge, width=5)
    elif kind == 2:  # a ball
        size = width * 0.4
        low = float(rng.uniform(horizon, side_px))
        pen.ellipse((left, low - size, left + size, low), fill=fill, outline=edge, width=2)
    else:  # a rug
        low = float(rng.uniform(horizon, side_px))
        pen.ellipse((left - width, low - height * 0.2, left + width, low + height * 0.2), fill=fill)
