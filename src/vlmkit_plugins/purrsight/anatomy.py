"""Where the parts of a drawn cat lie: it looks left and stands on y = 100; y grows downwards, a head is 50 wide."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""`[n, 2]`, x and y in units of the drawing."""

FLOOR = 100.0
HEAD_RX, HEAD_RY = 25.0, 21.0
_STEPS = 5  # points of a smooth line between two of its control points


@dataclass(frozen=True)
class Body:
    """One posture: what stays the same whatever the ears and the tail do."""

    outline: Points
    """Control points of the closed line round trunk and chest."""
    far_legs: tuple[Points, ...]
    near_legs: tuple[Points, ...]
    belly: Points
    """Control points of the light patch; none where the belly is turned away."""
    haunch: tuple[float, float, float, float]
    """Centre and half-axes of the thigh."""
    head: tuple[float, float]
    tilt_deg: float
    """How far the head is turned in the picture, to the left for more than 0."""
    root: tuple[float, float]
    """Where the tail begins."""


def _at(*pairs: tuple[float, float]) -> Points:
    return np.array(pairs, np.float64).reshape(-1, 2)


BODIES: dict[str, Body] = {
    "relaxed": Body(  # sits, upright on its haunches
        outline=_at((40, 40), (31, 64), (33, 92), (56, 99), (88, 99), (100, 88), (96, 68), (80, 50), (60, 40)),
        far_legs=(_at((47, 66), (45, 97)),),
        near_legs=(_at((38, 64), (34, 97)),),
        belly=_at((34, 50), (33, 72), (41, 84), (47, 70), (46, 50)),
        haunch=(82, 85, 16, 14),
        head=(43, 28),
        tilt_deg=0,
        root=(97, 92),
    ),
    "crouched": Body(  # flat on bent legs, the thigh as high as the back
        outline=_at((28, 80), (28, 95), (50, 99), (88, 99), (101, 92), (99, 77), (80, 71), (60, 73), (42, 71)),
        far_legs=(_at((40, 96), (20, 99)),),
        near_legs=(_at((52, 80), (56, 94), (30, 99)), _at((84, 96), (72, 99))),
        belly=_at(),
        haunch=(86, 85, 12, 13),
        head=(25, 68),
        tilt_deg=0,
        root=(99, 90),
    ),
    "lateral_recumbent": Body(  # sprawls on its side, legs stretched out fore and aft, belly in view
        outline=_at((32, 66), (34, 82), (54, 88), (76, 89), (98, 86), (105, 74), (98, 60), (72, 56), (46, 58)),
        far_legs=(_at((44, 80), (20, 97)), _at((92, 80), (117, 95))),
        near_legs=(_at((54, 83), (32, 104)), _at((82, 84), (106, 104))),
        belly=_at((48, 76), (60, 70), (82, 70), (94, 77), (84, 87), (58, 87)),
        haunch=(93, 72, 10, 11),
        head=(22, 62),
        tilt_deg=56,
        root=(103, 66),
    ),
    "arched": Body(  # on stretched legs set close together, the back a steep bow
        outline=_at(
            (40, 66), (46, 44), (60, 25), (76, 18), (92, 26), (105, 46), (109, 66), (98, 70), (76, 50), (54, 70)
        ),
        far_legs=(_at((58, 60), (64, 99)), _at((95, 60), (88, 99))),
        near_legs=(_at((48, 62), (54, 99)), _at((103, 60), (98, 99))),
        belly=_at(),
        haunch=(100, 60, 9, 13),
        head=(30, 60),
        tilt_deg=0,
        root=(107, 54),
    ),
    "tense": Body(  # stands square, back level, legs straight and spread
        outline=_at(
            (32, 54), (42, 44), (74, 46), (104, 43), (114, 52), (113, 68), (96, 71), (64, 70), (42, 74), (33, 66)
        ),
        far_legs=(_at((54, 66), (58, 99)), _at((98, 66), (90, 99))),
        near_legs=(_at((42, 68), (32, 99)), _at((107, 62), (120, 99))),
        belly=_at(),
        haunch=(105, 60, 9, 11),
        head=(27, 42),
        tilt_deg=0,
        root=(113, 52),
    ),
}


@dataclass(frozen=True)
class EarShape:
    """One ear as seen from the front: angles from the crown outwards in degrees, the tip in head radii."""

    inner_deg: float
    outer_deg: float
    tip_deg: float
    tip: float
    lining: float
    """How much of the inside is seen, 0 to 1."""


EARS: dict[str, EarShape] = {
    "forward": EarShape(14, 58, 37, 1.72, 0.62),
    "alert": EarShape(3, 36, 13, 2.1, 0.66),
    "sideways": EarShape(44, 84, 80, 1.85, 0.3),
    "flattened": EarShape(20, 74, 101, 1.3, 0.0),
}


def ear(name: str, side: int, turn_deg: float) -> tuple[Points, Points | None]:
    """Outline and lining of an ear, round the head's centre; `side` -1 is the left one, `turn_deg` a wobble."""
    shape = EARS[name]
    inner, outer = _on_skull(shape.inner_deg, 0.9), _on_skull(shape.outer_deg, 0.9)
    tip = _on_skull(shape.tip_deg + turn_deg, shape.tip)
    swell = 0.08 if name != "flattened" else 0.12
    line = np.stack([inner, _bulge(inner, tip, swell), tip, _bulge(tip, outer, swell), outer])
    flip = np.array([side, 1.0])
    if not shape.lining:
        return line * flip, None
    middle = (inner + outer) / 2 * 0.94
    return line * flip, (middle + (line - middle) * shape.lining) * flip


def _on_skull(angle_deg: float, reach: float) -> Points:
    angle = math.radians(angle_deg)
    return np.array([HEAD_RX * math.sin(angle), -HEAD_RY * math.cos(angle)]) * reach


def _bulge(a: Points, b: Points, share: float) -> Points:
    step = b - a
    return (a + b) / 2 + share * np.array([step[1], -step[0]])


def tail(name: str, root: tuple[float, float], swing: float, slant: float) -> tuple[Points, NDArray[np.float64]]:
    """Middle line `[n, 2]` and half-widths `[n]` of a tail. `swing` is a phase in radians, `slant` -1..1 a taste."""
    shape = {"tucked": _tucked, "lashing": _lashing, "puffed": _puffed, "upright": _upright}.get(name, _neutral)
    line = smooth(shape(root, swing, slant), closed=False)
    line[:, 1] = np.minimum(line[:, 1], FLOOR + 4)
    share = np.linspace(0, 1, len(line))
    if name == "puffed":
        return line, 4.5 + 6.5 * np.sin(np.pi * np.minimum(1, share * 0.9 + 0.12)) ** 0.8
    return line, 3.9 - 0.9 * share


def _from(root: tuple[float, float], *steps: tuple[float, float]) -> Points:
    return _at(*steps) + root


def _neutral(root: tuple[float, float], swing: float, slant: float) -> Points:
    sway = math.sin(swing) * 1.5
    drop = max(0.0, FLOOR - 4 - root[1])
    if drop > 20:  # hangs, with the tip turned out
        return _from(root, (-2, 0), (9, 5), (14, 0.5 * drop), (18, 0.85 * drop), (27 + sway, drop))
    tip = (38, drop - 6 - 2 * slant + sway)
    return _from(root, (-3, 0), (11, 0.7 * drop), (21, drop), (31, drop - 1), tip)


def _tucked(root: tuple[float, float], swing: float, slant: float) -> Points:
    sway = math.sin(swing) * 0.8
    if root[1] < 62:  # a standing cat: between the legs, along the belly
        return _from(root, (-2, 0), (5, 12), (-3, 29), (-18, 33), (-34, 27 + sway), (-44, 20 + 2 * slant))
    low = min(FLOOR + 1 - root[1], 29)
    tip = (-54, low - 7 - 2 * slant)
    return _from(root, (-3, 0), (6, low / 2), (-6, low), (-24, low + 1), (-42, low - 1 + sway), tip)


def _lashing(root: tuple[float, float], swing: float, slant: float) -> Points:
    x, y = root
    share = np.linspace(0, 1, 7)
    along = 46 * share
    across = 21 * share**0.6 * np.sin(2 * math.pi * 1.05 * share + swing)
    rise = -0.25 - 0.1 * slant if y < 80 else -0.45
    return np.stack([x - 2 + along, y + across + rise * along], axis=1)


def _puffed(root: tuple[float, float], swing: float, slant: float) -> Points:
    angle = math.radians(38 + 20 * slant + 2 * math.sin(swing))
    along = np.linspace(0, 44, 5)
    bend = 5 * np.sin(np.linspace(0, math.pi, 5))
    x = root[0] - 1 + along * math.cos(angle) + bend * math.sin(angle)
    return np.stack([x, root[1] - along * math.sin(angle) + bend * math.cos(angle)], axis=1)


def _upright(root: tuple[float, float], swing: float, slant: float) -> Points:
    tip = (5 + (7 if slant > 0 else -7) + math.sin(swing) * 1.5, -51)
    return _from(root, (-3, 1), (4, -9), (5 + 2 * slant, -27), (5 + 3 * slant, -44), tip)


def smooth(points: Points, *, closed: bool) -> Points:
    """A Catmull-Rom line through the points; the last point of an open one is kept."""
    if closed:
        ring = np.concatenate([points[-1:], points, points[:2]])
    else:
        ring = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    parts = np.stack([ring[:-3], ring[1:-2], ring[2:-1], ring[3:]], axis=1)
    line: Points = np.matmul(_basis(), parts).reshape(-1, 2)
    return line if closed else np.concatenate([line, points[-1:]])


def ribbon(line: Points, half: NDArray[np.float64]) -> Points:
    """The closed outline of a band of changing half-width round a line."""
    along = np.gradient(line, axis=0)
    along /= np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-6)[:, None]
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) * half[:, None]
    return np.concatenate([line + normal, (line - normal)[::-1]])


@cache
def _basis() -> Points:
    t = np.arange(_STEPS)[:, None] / _STEPS
    powers = np.concatenate([t**0, t, t**2, t**3], axis=1)
    rows = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    return np.asarray(powers @ rows)
