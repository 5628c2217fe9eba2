"""The packing table as a fixed camera sees it: backdrop, worker, distractors, noise; one clip as frames.

Every operation is told by shapes and where they lie (props.py), never by a caption: nothing that reads as text is
drawn. What stands still is drawn once an operation at twice the size; only what moves is drawn again each frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageFilter

from vlmkit_plugins.warehouse.pen import STYLES, UNITS, Look, Pen, Point, look
from vlmkit_plugins.warehouse.props import MOVING, STILL, Beat
from vlmkit_plugins.warehouse.schema import FPS, Operation

SIZE_PX = (160, 120)
"""Width and height of a drawn clip."""
_MARGIN_PX = 4  # room for the camera to shake in
_NOISE_FRAMES = 24
_SHOULDERS: tuple[Point, Point] = ((64.0, 38.0), (96.0, 38.0))

Frames = NDArray[np.uint8]


@dataclass(frozen=True)
class Shown:
    """One operation inside a clip: half-open frames, and the share of it done at its first and last frame here."""

    operation: Operation
    start_frame: int
    end_frame: int
    done_from: float
    done_to: float


@dataclass(frozen=True)
class _Scene:
    """What stays the same over a clip."""

    look: Look
    px: float
    origin: Point  # of the work place, in units
    scale: float
    rate_hz: float
    phase: float
    variant: int
    truck: tuple[float, float] | None  # x at frame 0 and units a frame; None: no truck passes
    lamp: tuple[float, float, float]  # x in units, blinks a second, phase
    clock: tuple[float, float]  # x in units, angle at frame 0
    noise_from: int


def render(
    shown: Sequence[Shown], style: int, rng: np.random.Generator, size_px: tuple[int, int] = SIZE_PX
) -> Iterator[Frames]:
    """The frames of a clip, one by one, each `[height, width, 4]` RGBA; `style` 0..7 is the subject's.

    A frame is overwritten by the next one: copy what has to stay.
    """
    scene = _scene(style, rng, size_px)
    room = _room(scene, rng, size_px)
    shake = _shake(shown[-1].end_frame, rng)
    noise = _noise(size_px)
    canvas = _Canvas(scene, size_px)
    frame = np.empty((size_px[1], size_px[0], 4), np.uint8)
    for part in shown:
        base = np.asarray(_still(scene, room, part.operation, size_px).convert("RGBA"))
        passer_by = _passer_by(scene, size_px) if part.operation == "Unknown" else None
        for index in range(part.start_frame, part.end_frame):
            np.copyto(canvas.pixels, base)
            _move(canvas, scene, part, index)
            if passer_by is not None:
                _pass(canvas.picture, scene, passer_by, index)
            x, y = shake[index]
            view = canvas.pixels[y : y + size_px[1], x : x + size_px[0]]
            # colours keep clear of 0 and 255 by more than the noise, so bytes may be added as they are
            yield np.add(view, noise[(scene.noise_from + 7 * index) % _NOISE_FRAMES], out=frame)


class _Canvas:
    """One picture whose pixels are also an array, and the two pens that draw on it: room and work place."""

    def __init__(self, scene: _Scene, size_px: tuple[int, int]) -> None:
        size = (size_px[0] + 2 * _MARGIN_PX, size_px[1] + 2 * _MARGIN_PX)
        self.pixels = np.empty((size[1], size[0], 4), np.uint8)
        self.picture = Pillow.frombuffer("RGBA", size, self.pixels, "raw", "RGBA", 0, 1)
        self.picture.readonly = 0  # Pillow would otherwise draw on a copy; the array is ours and writable
        margin = _MARGIN_PX / scene.px
        self.room = Pen(self.picture, scene.px, (margin, margin))
        self.place = Pen(self.picture, scene.px, (scene.origin[0] + margin, scene.origin[1] + margin), scene.scale)


def _scene(style: int, rng: np.random.Generator, size_px: tuple[int, int]) -> _Scene:
    speed = float(rng.uniform(0.35, 0.9)) * (1 if rng.random() < 0.5 else -1)
    start = -30.0 if speed > 0 else 190.0
    has_truck = rng.random() < 0.4
    return _Scene(
        look=look(style % STYLES, rng),
        px=size_px[0] / UNITS[0],
        origin=(80 + float(rng.uniform(-5, 5)), 79 + float(rng.uniform(-4, 4))),
        scale=float(rng.uniform(0.9, 1.08)),
        rate_hz=float(rng.uniform(0.6, 1.1)),
        phase=float(rng.random()),
        variant=int(rng.integers(6)),
        truck=(start - speed * float(rng.uniform(0, 70)), speed * 2) if has_truck else None,
        lamp=(float(rng.uniform(8, 30)), float(rng.uniform(0.5, 2.0)), float(rng.random())),
        clock=(float(rng.uniform(128, 150)), float(rng.uniform(0, 2 * math.pi))),
        noise_from=int(rng.integers(_NOISE_FRAMES)),
    )


def _room(scene: _Scene, rng: np.random.Generator, size_px: tuple[int, int]) -> Pillow.Image:
    """Wall, shelf, table and clutter at twice the size, margin included."""
    size = (2 * (size_px[0] + 2 * _MARGIN_PX), 2 * (size_px[1] + 2 * _MARGIN_PX))
    picture = Pillow.new("RGB", size, scene.look.wall)
    margin = _MARGIN_PX / scene.px
    pen = Pen(picture, 2 * scene.px, (margin, margin))
    pen.box(-10, 24, 170, 44, scene.look.floor)
    pen.box(-10, 19, 170, 21, scene.look.steel)
    for x in range(-4, 160, 15):
        if rng.random() < 0.45:
            width, height = rng.uniform(8, 13), rng.uniform(6, 13)
            pen.box(x, 19 - height, x + width, 19, scene.look.card_dark, scene.look.ink)
    pen.poly([(8, 40), (152, 40), (172, 130), (-12, 130)], scene.look.table, scene.look.steel)
    if rng.random() < 0.5:
        pen.oval(rng.uniform(6, 26), rng.uniform(108, 114), 5, 5, scene.look.items[int(rng.integers(6))])
    if rng.random() < 0.5:
        left = rng.uniform(128, 146)
        pen.box(left, 109, left + 11, 115, scene.look.items[int(rng.integers(6))])
    pen.oval(scene.clock[0], 9, 7, 7, scene.look.paper, scene.look.ink)
    return picture


def _still(scene: _Scene, room: Pillow.Image, operation: Operation, size_px: tuple[int, int]) -> Pillow.Image:
    picture = room.copy()
    margin = _MARGIN_PX / scene.px
    _worker(Pen(picture, 2 * scene.px, (margin, margin)), scene.look)
    place = Pen(picture, 2 * scene.px, (scene.origin[0] + margin, scene.origin[1] + margin), scene.scale)
    STILL[operation](place, scene.look, scene.variant)
    small = picture.reduce(2)
    return small.filter(ImageFilter.BoxBlur(2)) if operation == "Unknown" else small


def _worker(pen: Pen, colours: Look) -> None:
    pen.oval(80, 42, 19, 12, colours.sleeve)
    pen.oval(80, 21, 9, 10, colours.skin)
    pen.oval(80, 15, 9.5, 6, colours.hair)


def _move(canvas: _Canvas, scene: _Scene, part: Shown, index: int) -> None:
    _distract(canvas.room, scene, index)
    share = (index - part.start_frame) / max(1, part.end_frame - part.start_frame - 1)
    beat = Beat(
        at_s=(index - part.start_frame) / FPS,
        done=part.done_from + (part.done_to - part.done_from) * share,
        rate_hz=scene.rate_hz,
        phase=scene.phase,
        variant=scene.variant,
    )
    hands = MOVING[part.operation](canvas.place, scene.look, beat)
    for shoulder, hand, side in zip(_SHOULDERS, hands, (-1, 1), strict=True):
        _arm(canvas.room, scene, shoulder, hand, side)


def _arm(pen: Pen, scene: _Scene, shoulder: Point, hand: Point, side: int) -> None:
    x = scene.origin[0] + hand[0] * scene.scale
    y = scene.origin[1] + hand[1] * scene.scale
    elbow = ((shoulder[0] + x) / 2 + 7 * side, (shoulder[1] + y) / 2)
    pen.line([shoulder, elbow, (x, y)], scene.look.sleeve, 6)
    pen.oval(x, y, 5, 4.5, scene.look.glove, scene.look.ink)


def _distract(pen: Pen, scene: _Scene, index: int) -> None:
    if scene.truck is not None:
        x = scene.truck[0] + scene.truck[1] * index
        pen.box(x, 22, x + 20, 34, scene.look.truck, scene.look.ink)
        pen.box(x + 20, 8, x + 22, 36, scene.look.steel)
        pen.oval(x + 4, 35, 3.5, 3.5, scene.look.ink)
        pen.oval(x + 16, 35, 3.5, 3.5, scene.look.ink)
        if 36 < x < 102:  # it passes behind the worker
            _worker(pen, scene.look)
    x, rate_hz, phase = scene.lamp
    is_on = (index / FPS * rate_hz + phase) % 1 < 0.5
    pen.oval(x, 5, 3.5, 3.5, scene.look.tool if is_on else scene.look.steel)
    x, angle = scene.clock
    angle += index * 2 * math.pi / (60 * FPS) * 12
    pen.line([(x, 9), (x + 5 * math.sin(angle), 9 - 5 * math.cos(angle))], scene.look.ink, 1)


def _passer_by(scene: _Scene, size_px: tuple[int, int]) -> tuple[Pillow.Image, Pillow.Image]:
    """Somebody close to the camera and out of focus, and the mask that puts him into the picture."""
    size = (round(110 * scene.px), size_px[1] + 2 * _MARGIN_PX)
    shape = Pillow.new("RGB", size, (0, 0, 0))
    pen = Pen(shape, scene.px)
    pen.oval(55, 30, 19, 23, (255, 255, 255))
    pen.oval(55, 112, 48, 64, (255, 255, 255))
    mask = shape.convert("L").filter(ImageFilter.BoxBlur(3 * scene.px))
    return Pillow.new("RGBA", size, scene.look.passer_by), mask


def _pass(picture: Pillow.Image, scene: _Scene, passer_by: tuple[Pillow.Image, Pillow.Image], index: int) -> None:
    swing = math.sin(2 * math.pi * (index / FPS * 0.25 * scene.rate_hz + scene.phase))
    x = 25 + 20 * swing + 6 * (scene.variant - 2.5) / 2.5
    picture.paste(passer_by[0], (round(x * scene.px) + _MARGIN_PX, 0), passer_by[1])


def _shake(n_frames: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Offsets of the view: a slow wander of whole pixels inside the margin."""
    steps = rng.normal(0, 0.35, (n_frames, 2)).cumsum(0)
    pulled = np.clip(_MARGIN_PX + 2 * np.sin(steps), 0, 2 * _MARGIN_PX)
    return [(int(x), int(y)) for x, y in pulled.round()]


@cache
def _noise(size_px: tuple[int, int]) -> Frames:
    """A bank of sensor noise as bytes to add modulo 256, the same for every clip; clips differ in where they start."""
    rng = np.random.default_rng(20261121)
    bank = np.zeros((_NOISE_FRAMES, size_px[1], size_px[0], 4), np.int8)  # none on the fourth channel
    bank[..., :3] = rng.normal(0, 2.5, (*bank.shape[:3], 3)).round().clip(-12, 12)
    return bank.view(np.uint8)
