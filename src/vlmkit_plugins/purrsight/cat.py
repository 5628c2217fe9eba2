"""A cat drawn from its markers: ears, tail and posture vary on their own; coat, face and place are by chance.

`draw` gives one still picture. A tail that lashes is an S with arcs of motion round its tip there; in a film
(film.py) it swings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw

from vlmkit_plugins.purrsight import anatomy, camera
from vlmkit_plugins.purrsight.anatomy import BODIES, HEAD_RX, HEAD_RY, Body, Points
from vlmkit_plugins.purrsight.backdrop import Colour, backdrop

SIZE_PX = 192
"""Width and height of a still picture."""
OVERSAMPLING = 2
_COATS: tuple[Colour, ...] = (
    (58, 56, 60), (126, 128, 136), (208, 134, 66), (232, 230, 224), (122, 88, 62), (224, 196, 152), (164, 150, 132),
)  # fmt: skip
_EYES: tuple[Colour, ...] = ((226, 190, 60), (120, 190, 90), (110, 170, 220), (214, 140, 50))
_PATTERNS = ("plain", "tabby", "patched", "bib")
_SWINGS = (0.0, 1.6, 3.1, 4.7)  # phases whose tails have to fit into the picture


_At = Callable[[Any], Points]
"""Points round the head's centre to points of the drawing."""


@dataclass(frozen=True)
class Style:
    """What makes one cat unlike the next and says nothing about its behaviour."""

    coat: Colour
    dark: Colour
    light: Colour
    ink: Colour
    eye: Colour
    pattern: str
    is_sleepy: bool
    tail_tip: Colour
    head_scale: float
    tilt_deg: float
    ear_turn_deg: tuple[float, float]
    slant: float
    wobble: Points
    """Offsets of the outline's control points, `[12, 2]`."""
    spots: Points
    """Where patches lie: share of the way round the outline, and their size, `[4, 2]`."""


@dataclass(frozen=True)
class Moment:
    """What moves: the tail's phase in radians, the head's rise in units, closed eyes, and the arcs of a still."""

    swing: float = 0.0
    bob: float = 0.0
    is_blinking: bool = False
    has_arcs: bool = False


def draw(markers: Mapping[str, str], rng: np.random.Generator, size_px: int = SIZE_PX) -> NDArray[np.uint8]:
    """A still picture `[size_px, size_px, 3]` of a cat with these `ears`, `tail` and `posture`."""
    side_px = size_px * OVERSAMPLING
    look = style(rng)
    room = backdrop(side_px, look.coat, rng)
    moment = Moment(float(rng.uniform(0, 2 * math.pi)), 0.0, bool(rng.random() < 0.1), has_arcs=True)
    paint(room, markers, look, moment, place(markers, look, side_px, rng))
    return camera.shoot(room.reduce(OVERSAMPLING), rng)


def style(rng: np.random.Generator) -> Style:
    """The looks of one cat."""
    base = np.array(_COATS[int(rng.integers(len(_COATS)))]) + rng.uniform(-12, 12, 3)
    is_dark = base.mean() < 90
    pattern = _PATTERNS[int(rng.integers(len(_PATTERNS)))]
    light = (238, 234, 228) if pattern == "bib" else _mix(base, 1.22, 18)
    dark = _mix(base, 0.66, 0)
    return Style(
        coat=_mix(base, 1, 0),
        dark=dark,
        light=light,
        ink=_mix(base, 0.5, 98) if is_dark else _mix(base, 0.3, 0),
        eye=_EYES[int(rng.integers(len(_EYES)))],
        pattern=pattern,
        is_sleepy=bool(rng.random() < 0.3),
        tail_tip=(dark, light, _mix(base, 1, 0))[int(rng.integers(3))],
        head_scale=float(rng.uniform(1.04, 1.2)),
        tilt_deg=float(rng.uniform(-9, 9)),
        ear_turn_deg=(float(rng.uniform(-4, 4)), float(rng.uniform(-4, 4))),
        slant=float(rng.uniform(-1, 1)),
        wobble=rng.normal(0, 0.9, (12, 2)).clip(-2, 2),
        spots=rng.uniform((0.0, 4.0), (1.0, 9.0), (4, 2)),
    )


@dataclass(frozen=True)
class Place:
    """Units of the drawing to pixels: `points @ turn + shift`."""

    turn: Points
    shift: Points

    @property
    def px(self) -> float:
        """Pixels a unit."""
        return float(math.sqrt(abs(np.linalg.det(self.turn))))


def place(markers: Mapping[str, str], look: Style, side_px: int, rng: np.random.Generator) -> Place:
    """Somewhere in the picture, mirrored or not, as large as fits or somewhat smaller; nothing is cut off."""
    angle = math.radians(float(rng.uniform(-4, 4)))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]) * (mirror, 1.0)
    extent = _extent(markers, look) @ turn
    low, high = extent.min(axis=0), extent.max(axis=0)
    room = side_px * 0.94
    scale = min(room / float((high - low).max()), side_px / 118) * float(rng.uniform(0.86, 1.0))
    spare = side_px - (high - low) * scale
    margin = side_px * 0.03
    shift = margin + (spare - 2 * margin) * rng.random(2) - low * scale
    return Place(turn * scale, shift)


def paint(picture: Pillow.Image, markers: Mapping[str, str], look: Style, moment: Moment, where: Place) -> None:
    """Draw the cat onto an RGB picture."""
    pen = _Pen(picture, where, look.ink)
    body = BODIES[markers["posture"]]
    if markers["tail"] != "tucked":
        _tail(pen, markers["tail"], body, look, moment)
    for leg in body.far_legs:
        pen.limb(leg, 4.6, look.dark)
    _trunk(pen, body, look)
    for leg in body.near_legs:
        pen.limb(leg, 5.0, look.coat)
        pen.oval(leg[-1], (5.6, 4.0), look.light if look.pattern == "bib" else look.coat)
    if markers["tail"] == "tucked":
        _tail(pen, "tucked", body, look, moment)
    _head(pen, markers["ears"], body, look, moment)


class _Pen:
    """Shapes in units of the drawing on a picture in pixels, each with a line of ink round it."""

    def __init__(self, picture: Pillow.Image, where: Place, ink: Colour) -> None:
        self._pen = ImageDraw.Draw(picture)
        self._where = where
        self._ink = ink
        self._width = max(2, round(where.px * 1.25))

    def shape(self, points: Points, fill: Colour, *, inked: bool = True) -> None:
        dots = self._dots(points)
        self._pen.polygon(dots, fill=fill)
        if inked:
            self._pen.line([*dots, dots[0]], fill=self._ink, width=self._width)

    def oval(self, centre: Points, half: tuple[float, float], fill: Colour, *, inked: bool = True) -> None:
        self.shape(_CIRCLE * half + centre, fill, inked=inked)

    def limb(self, line: Points, half: float, fill: Colour) -> None:
        smoothed = anatomy.smooth(line, closed=False)
        self.shape(anatomy.ribbon(smoothed, np.full(len(smoothed), half)), fill)

    def line(self, points: Points, fill: Colour, width: float) -> None:
        self._pen.line(self._dots(points), fill=fill, width=max(1, round(width * self._where.px)))

    def _dots(self, points: Points) -> list[tuple[float, float]]:
        return list(map(tuple, (points @ self._where.turn + self._where.shift).tolist()))


_ANGLES = np.linspace(0, 2 * math.pi, 25)[:-1]
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)


def _trunk(pen: _Pen, body: Body, look: Style) -> None:
    outline = anatomy.smooth(body.outline + look.wobble[: len(body.outline)], closed=True)
    pen.shape(outline, look.coat)
    centre = outline.mean(axis=0)
    if look.pattern == "tabby":
        upper = outline[outline[:, 1] < centre[1]][::5]
        for dot in upper:
            pen.line(np.stack([dot, dot + (centre - dot) * 0.5]), look.dark, 2.6)
    elif look.pattern == "patched":
        for share, size in look.spots:
            dot = outline[int(share * len(outline))]
            pen.oval(centre + (dot - centre) * 0.5, (size, size * 0.8), look.dark, inked=False)
    pen.shape(_CIRCLE * body.haunch[2:] + body.haunch[:2], look.coat, inked=False)
    pen.line(_CIRCLE[14:23] * body.haunch[2:] + body.haunch[:2], look.ink, 1.1)
    if len(body.belly):
        pen.shape(anatomy.smooth(body.belly, closed=True), look.light, inked=False)


def _tail(pen: _Pen, name: str, body: Body, look: Style, moment: Moment) -> None:
    line, half = anatomy.tail(name, body.root, moment.swing, look.slant)
    if name == "puffed":
        bristles = np.where(np.arange(len(half)) % 2 == 0, 1.22, 0.8)
        pen.shape(anatomy.ribbon(line, half * bristles), look.coat)
        return
    if name == "lashing" and moment.has_arcs:
        _arcs(pen, line, look)
    pen.shape(anatomy.ribbon(line, half), look.coat)
    pen.shape(anatomy.ribbon(line[-7:], half[-7:]), look.tail_tip)


def _arcs(pen: _Pen, line: Points, look: Style) -> None:
    root, tip = line[0], line[-1]
    reach = float(np.hypot(*(tip - root)))
    towards = math.atan2(*(tip - root)[::-1])
    for side in (-1, 1):
        for share in (0.72, 0.98):
            bows = towards + side * np.linspace(0.42, 0.85, 7)
            arc = root + reach * share * np.stack([np.cos(bows), np.sin(bows)], axis=1)
            pen.line(arc, look.ink, 1.5)


def _head(pen: _Pen, ears: str, body: Body, look: Style, moment: Moment) -> None:
    angle = math.radians(body.tilt_deg + look.tilt_deg)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) * look.head_scale
    centre = np.array(body.head) - (0, moment.bob)

    def at(points: Sequence[tuple[float, float]] | Points) -> Points:
        return np.asarray(points, np.float64) @ turn + centre

    lobes = [anatomy.ear(ears, side, look.ear_turn_deg[side > 0]) for side in (-1, 1)]
    if ears != "flattened":
        _ears(pen, lobes, look, at)
    pen.shape(at(_CIRCLE * (HEAD_RX, HEAD_RY)), look.coat)
    if look.pattern == "tabby":
        for x in (-6, 0, 6):
            pen.line(at([(x, -17), (x * 0.8, -10)]), look.dark, 2)
    if ears == "flattened":
        _ears(pen, lobes, look, at)
    pen.shape(at(_CIRCLE * (10, 7) + (0, 9)), look.light, inked=False)
    for side in (-1, 1):
        _eye(pen, side, look, moment, at)
        for y in (6, 10):
            pen.line(at([(side * 11, y + 1), (side * 27, y - 2 + (y - 8))]), look.light, 0.8)
    pen.shape(at([(-3, 4), (3, 4), (0, 7.5)]), (206, 120, 126), inked=False)
    pen.line(at([(-5, 12), (0, 9.5), (5, 12)]), look.ink, 1)


def _ears(pen: _Pen, lobes: Sequence[tuple[Points, Points | None]], look: Style, at: _At) -> None:
    for outline, lining in lobes:
        pen.shape(at(outline), look.dark if lining is None else look.coat)
        if lining is not None:
            pen.shape(at(lining), (222, 150, 156), inked=False)


def _eye(pen: _Pen, side: int, look: Style, moment: Moment, at: _At) -> None:
    x, y = side * 9.5, -3.0
    if moment.is_blinking:
        pen.line(at([(x - 4.5, y), (x, y + 1.5), (x + 4.5, y)]), look.ink, 1.4)
        return
    tall = 3.0 if look.is_sleepy else 5.0
    pen.shape(at(_CIRCLE * (5, tall) + (x, y)), look.eye)
    pen.shape(at(_CIRCLE * (1.7, tall * 0.85) + (x, y)), (20, 20, 22), inked=False)


def _extent(markers: Mapping[str, str], look: Style) -> Points:
    body = BODIES[markers["posture"]]
    head = np.array(body.head)
    reach = (HEAD_RX + 4) * look.head_scale
    parts = [body.outline, *body.far_legs, *body.near_legs, head - reach, head + reach]
    lobes = [anatomy.ear(markers["ears"], side, 0)[0] for side in (-1, 1)]
    angle = math.radians(body.tilt_deg + look.tilt_deg)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) * look.head_scale
    parts += [lobe @ turn + head for lobe in lobes]
    for swing in _SWINGS if markers["tail"] == "lashing" else _SWINGS[:1]:
        line, half = anatomy.tail(markers["tail"], body.root, swing, look.slant)
        parts += [line - half[:, None], line + half[:, None]]
    return np.concatenate([np.atleast_2d(part) for part in parts])


def _mix(base: NDArray[np.float64], gain: float, lift: float) -> Colour:
    r, g, b = np.clip(base * gain + lift, 8, 246)
    return int(r), int(g), int(b)
