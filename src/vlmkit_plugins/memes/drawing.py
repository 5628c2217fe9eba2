"""Pictures of synthetic memes: one subject on a background among clutter, or a landscape, as a phone would save it.

No letter is drawn: the words of a meme come beside its picture, as they do after OCR.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from vlmkit_plugins.memes import foul, places, pleasant
from vlmkit_plugins.memes.pen import Colour, Pen, shade, tint, wave

Picture = Literal["pleasant", "foul", "badge", "scene"]
Subject = Callable[[Pen, np.random.Generator], None]

SUBJECTS: Mapping[Picture, Sequence[Subject]] = {
    "pleasant": pleasant.SUBJECTS,
    "foul": foul.SUBJECTS,
    "badge": places.BADGES,
    "scene": places.SCENES,
}
"""What a picture of each kind can show."""
SIDES_PX = (144, 152, 160, 168, 176)
"""Width and height are drawn from these, each on its own."""
_ZOOM = 2  # drawn larger and averaged, for smooth edges
_NOISE_PX = 512


def draw(kind: Picture, rng: np.random.Generator) -> tuple[Pillow.Image, str]:
    """A picture of that kind, and what it shows by name."""
    subject = SUBJECTS[kind][int(rng.integers(len(SUBJECTS[kind])))]
    width, height = (int(side) for side in rng.choice(SIDES_PX, 2))
    canvas = Pillow.new("RGB", (width * _ZOOM, height * _ZOOM))
    if kind == "scene":
        subject(_view(canvas, rng), rng)
    else:
        _background(canvas, rng)
    _clutter(canvas, rng)
    if kind != "scene":
        subject(_placed(canvas, rng), rng)
    return _camera(canvas.reduce(_ZOOM), rng), subject.__name__


def _whole(canvas: Pillow.Image) -> Pen:
    """A pen whose square of -1 to 1 covers the canvas in its longer direction."""
    width, height = canvas.size
    return Pen(canvas, (width / 2, height / 2), max(width, height) / 2)


def _view(canvas: Pillow.Image, rng: np.random.Generator) -> Pen:
    """A pen for a landscape, which reaches to 1.4 each way, so that it fills the canvas however the camera is held."""
    width, height = canvas.size
    unit = max(width, height) / 2 * float(rng.uniform(1.0, 1.45))
    x, y = (side / 2 + unit * float(rng.uniform(-0.25, 0.25)) for side in (width, height))
    return Pen(canvas, (x, y), unit, float(rng.uniform(-0.08, 0.08)), mirrored=bool(rng.random() < 0.5))


def _placed(canvas: Pillow.Image, rng: np.random.Generator) -> Pen:
    """A pen for a subject that fills most of the shorter side, all of it in sight."""
    width, height = canvas.size
    unit = min(width, height) / 2 * float(rng.uniform(0.62, 0.94))
    x, y = (float(rng.uniform(min(unit, side / 2), max(side - unit, side / 2))) for side in (width, height))
    return Pen(canvas, (x, y), unit, float(rng.uniform(-0.3, 0.3)), mirrored=bool(rng.random() < 0.5))


def _background(canvas: Pillow.Image, rng: np.random.Generator) -> None:
    pen = _whole(canvas)
    first = tint(rng, (0.0, 1.0), (0.05, 0.6), (0.45, 1.0))
    second = tint(rng, (0.0, 1.0), (0.05, 0.6), (0.45, 1.0)) if rng.random() < 0.5 else shade(first, 0.8)
    pen.box(-1.5, -1.5, 1.5, 1.5, first)
    _PATTERNS[int(rng.integers(len(_PATTERNS)))](pen, first, second, rng)


def _plain(pen: Pen, first: Colour, second: Colour, rng: np.random.Generator) -> None:
    del pen, first, second, rng


def _fading(pen: Pen, first: Colour, second: Colour, rng: np.random.Generator) -> None:
    sideways = rng.random() < 0.5
    for k in range(1, 16):
        share, edge = k / 15, -1.0 + k / 8
        r, g, b = (round(a + (z - a) * share) for a, z in zip(first, second, strict=True))
        pen.box(*((edge, -1.0) if sideways else (-1.0, edge)), 1.0, 1.0, (r, g, b))


def _striped(pen: Pen, first: Colour, second: Colour, rng: np.random.Generator) -> None:
    del first
    step, lean = float(rng.uniform(0.2, 0.5)), float(rng.uniform(-1.0, 1.0))
    for x in np.arange(-2.5, 2.5, step).tolist():
        pen.poly([(x, -1), (x + step / 2, -1), (x + step / 2 + lean, 1), (x + lean, 1)], second)


def _dotted(pen: Pen, first: Colour, second: Colour, rng: np.random.Generator) -> None:
    del first
    step = float(rng.uniform(0.3, 0.5))
    for row, y in enumerate(np.arange(-1.0, 1.1, step).tolist()):
        for x in np.arange(-1.0 + step / 2 * (row % 2), 1.1, step).tolist():
            pen.oval(x, y, step / 5, step / 5, second)


def _room(pen: Pen, first: Colour, second: Colour, rng: np.random.Generator) -> None:
    del first
    floor = float(rng.uniform(0.2, 0.6))
    pen.box(-1.0, floor, 1.0, 1.0, second)
    pen.box(-1.0, floor - 0.05, 1.0, floor, shade(second, 0.7))


def _meadow(pen: Pen, first: Colour, second: Colour, rng: np.random.Generator) -> None:
    del first, second
    pen.box(-1.0, -1.0, 1.0, 1.0, tint(rng, (0.5, 0.62), (0.15, 0.5), (0.75, 1.0)))
    ridge = wave(-1.0, 1.0, float(rng.uniform(0.0, 0.5)), 0.05, float(rng.uniform(0.5, 2.0)))
    pen.poly([*ridge, (1.0, 1.0), (-1.0, 1.0)], tint(rng, (0.2, 0.38), (0.35, 0.8), (0.45, 0.8)))


_PATTERNS = (_plain, _fading, _striped, _dotted, _room, _meadow)


def _clutter(canvas: Pillow.Image, rng: np.random.Generator) -> None:
    """Up to seven small shapes that mean nothing."""
    pen = _whole(canvas)
    for x, y, size in rng.uniform((-1.0, -1.0, 0.04), (1.0, 1.0, 0.11), (int(rng.integers(0, 8)), 3)).tolist():
        colour, corners = tint(rng, (0.0, 1.0), (0.1, 0.9), (0.3, 1.0)), int(rng.integers(2, 7))
        if corners == 2:
            pen.oval(x, y, size, size * float(rng.uniform(0.4, 1.0)), colour, float(rng.uniform(0, 3)))
            continue
        around = [2 * math.pi * k / corners + x for k in range(corners)]
        pen.poly([(x + size * math.cos(a), y + size * math.sin(a)) for a in around], colour)


def _camera(picture: Pillow.Image, rng: np.random.Generator) -> Pillow.Image:
    """Light, contrast and noise of a cheap lens."""
    pixels = np.asarray(picture, np.float32)
    light, contrast = float(rng.uniform(-22, 18)), float(rng.uniform(0.75, 1.08))
    top, left = (int(start) for start in rng.integers(0, _NOISE_PX - max(SIDES_PX), 2))
    noise = _noise()[top : top + pixels.shape[0], left : left + pixels.shape[1]]
    seen = (pixels - 128) * contrast + (128 + light) + noise * float(rng.uniform(0.2, 1.4))
    return Pillow.fromarray(seen.clip(0, 255).astype(np.uint8))


@cache
def _noise() -> NDArray[np.float32]:
    """One large piece of sensor noise; every picture shows some part of it."""
    noise = np.random.default_rng(20261121).standard_normal((_NOISE_PX, _NOISE_PX, 3), np.float32)
    return noise * np.float32(7.0)
