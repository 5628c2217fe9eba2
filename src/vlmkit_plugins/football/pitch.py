"""What stands still in a match: the pitch in a wide view, the turf and the stand behind a close-up, a goal frame."""

from __future__ import annotations

import numpy as np
from PIL import Image as Pillow

from vlmkit_plugins.football.pen import ADVERTS, GRASS, GRASS_LIGHT, MARGIN_PX, SIZE_PX, WHITE, Colour, Pen, shade

WIDE_PX = 340
"""Width of the whole pitch in a wide view; the camera shows `SIZE_PX` of it."""
STAND_PX = 20
"""Height of the stand in all views."""
BOARD_PX = 12
"""Height of the adverts below it."""
_OVERSAMPLING = 2
_CROWD: tuple[Colour, ...] = (
    (92, 86, 96), (128, 114, 106), (150, 138, 130), (80, 86, 108), (124, 78, 78), (74, 74, 80), (142, 130, 90),
)  # fmt: skip
_NET: Colour = (198, 204, 204)
_NET_DARK: Colour = (74, 92, 84)


def crowd(picture: Pillow.Image, box: tuple[int, int, int, int], rng: np.random.Generator, dot_px: int) -> None:
    """Fill a box of a picture with heads."""
    width, height = -(-(box[2] - box[0]) // dot_px), -(-(box[3] - box[1]) // dot_px)
    heads = np.asarray(_CROWD, np.uint8)[rng.integers(len(_CROWD), size=(height, width))]
    grown = Pillow.fromarray(heads).resize((width * dot_px, height * dot_px), Pillow.Resampling.BICUBIC)
    picture.paste(grown.crop((0, 0, box[2] - box[0], box[3] - box[1])), box[:2])


def close(look: int) -> Pillow.Image:
    """Stand, adverts and turf behind a close-up, at twice the size, margin included."""
    rng = np.random.default_rng(look)
    width, height = SIZE_PX[0] + 2 * MARGIN_PX, SIZE_PX[1] + 2 * MARGIN_PX
    picture = Pillow.new("RGB", (width * _OVERSAMPLING, height * _OVERSAMPLING), GRASS)
    pen = Pen(picture, _OVERSAMPLING, (MARGIN_PX, MARGIN_PX))
    top = STAND_PX + BOARD_PX
    crowd(picture, (0, 0, picture.width, (STAND_PX + MARGIN_PX) * _OVERSAMPLING), rng, 3 * _OVERSAMPLING)
    _boards(pen, rng, -MARGIN_PX, width, STAND_PX)
    phase = float(rng.uniform(0, 40))
    for k in range(-1, 4):
        y = top + (k * 40 + phase) * 0.9
        pen.box(-MARGIN_PX, max(top, y), width, max(top, y + 18), GRASS_LIGHT)
    return picture


def wide(look: int) -> Pillow.Image:
    """The whole pitch from the main stand, at its own size, margin included."""
    rng = np.random.default_rng(look)
    width, height = WIDE_PX + 2 * MARGIN_PX, SIZE_PX[1] + 2 * MARGIN_PX
    picture = Pillow.new("RGB", (width * _OVERSAMPLING, height * _OVERSAMPLING), GRASS)
    pen = Pen(picture, _OVERSAMPLING, (MARGIN_PX, MARGIN_PX))
    top, bottom = STAND_PX + BOARD_PX + 3, SIZE_PX[1] - 6
    for x in range(-8, width, 44):
        pen.box(x, STAND_PX, x + 22, height, GRASS_LIGHT)
    crowd(picture, (0, 0, picture.width, (STAND_PX + MARGIN_PX) * _OVERSAMPLING), rng, 3 * _OVERSAMPLING)
    _boards(pen, rng, -MARGIN_PX, width, STAND_PX)
    left, right = 14, WIDE_PX - 14
    middle, half = (top + bottom) / 2, WIDE_PX / 2
    line = shade(WHITE, 0.95)
    pen.line([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], line, 1)
    pen.line([(half, top), (half, bottom)], line, 1)
    ring = [(half + 26 * np.cos(a), middle + 15 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 25)]
    pen.line(ring, line, 1)
    for edge, inwards in ((left, 1), (right, -1)):
        for depth, tall in ((42, 25), (16, 12)):
            x = edge + depth * inwards
            pen.line([(edge, middle - tall), (x, middle - tall), (x, middle + tall), (edge, middle + tall)], line, 1)
        back = edge - 7 * inwards
        pen.poly([(edge, middle - 8), (back, middle - 12), (back, middle + 4), (edge, middle + 8)], _NET_DARK)
        pen.line([(edge, middle - 8), (back, middle - 12), (back, middle + 4), (edge, middle + 8)], WHITE, 1)
    return picture.reduce(_OVERSAMPLING)


def net(pen: Pen, box: tuple[float, float, float, float], step: float, push: tuple[float, float, float]) -> None:
    """The net inside a goal frame; `push` is where something presses into it, and by how much."""
    x0, y0, x1, y1 = box
    pen.box(x0, y0, x1, y1, _NET_DARK)
    px, py, by = push
    xs = np.arange(x0, x1 + 0.1, step)
    ys = np.arange(y0, y1 + 0.1, step)
    for x in xs:
        pen.line([(x, y0), *((_pressed(x, y, px, py, by)) for y in ys[1:-1:2]), (x, y1)], _NET, 1)
    for y in ys:
        pen.line([(x0, y), *((_pressed(x, y, px, py, by)) for x in xs[1:-1:2]), (x1, y)], _NET, 1)


def posts(pen: Pen, box: tuple[float, float, float, float], width: float) -> None:
    """Two posts and the bar of a goal from the front."""
    x0, y0, x1, y1 = box
    for x in (x0, x1):
        pen.box(x - width / 2, y0, x + width / 2, y1, WHITE)
    pen.box(x0 - width / 2, y0 - width / 2, x1 + width / 2, y0 + width / 2, WHITE)


def _pressed(x: float, y: float, px: float, py: float, by: float) -> tuple[float, float]:
    away = ((x - px) ** 2 + (y - py) ** 2) / 260.0
    pull = by / (1.0 + away)
    return x + (px - x) * pull, y + (py - y) * pull


def _boards(pen: Pen, rng: np.random.Generator, left: float, right: float, y: float) -> None:
    x = left - float(rng.uniform(0, 30))
    while x < right:
        width = float(rng.uniform(26, 60))
        colour = ADVERTS[int(rng.integers(len(ADVERTS)))]
        pen.box(x, y, x + width, y + BOARD_PX, colour)
        mark = shade(colour, 1.6 if sum(colour) < 300 else 0.5)
        for k in range(int(width // 9) - 1):
            if rng.random() < 0.7:
                pen.box(x + 5 + 9 * k, y + 4, x + 10 + 9 * k, y + 8, mark)
        x += width
