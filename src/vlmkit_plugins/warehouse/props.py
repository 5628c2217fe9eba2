"""What each operation looks like on the table: a still part, and the parts that move with hands and tools.

Coordinates are units from the middle of the work place, x to the right and y down; the box is about 60 x 40.
`at_s` counts from the operation's first frame, `done` runs from 0 to 1 over the operation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from vlmkit_plugins.warehouse.pen import Look, Pen, Point
from vlmkit_plugins.warehouse.schema import Operation


@dataclass(frozen=True)
class Beat:
    """Where an operation is: seconds since its start, share done, and how fast and how wide this worker moves."""

    at_s: float
    done: float
    rate_hz: float
    phase: float
    variant: int

    def swing(self, times: float = 1.0) -> float:
        """-1..1, `times` as fast as the worker's own rate."""
        return math.sin(2 * math.pi * (self.at_s * self.rate_hz * times + self.phase))


Hands = tuple[Point, Point]
Still = Callable[[Pen, Look, int], None]
Moving = Callable[[Pen, Look, Beat], Hands]


def _closed_box(pen: Pen, look: Look) -> None:
    pen.box(-30, -20, 30, 20, look.card, look.card_dark)
    pen.box(-30, 20, 30, 27, look.card_dark)
    pen.line([(-30, 0), (30, 0)], look.card_dark, 1)


def _open_box(pen: Pen, look: Look) -> None:
    pen.box(-30, -20, 30, 20, look.card, look.card_dark)
    pen.box(-26, -16, 26, 16, look.inside)
    pen.box(-30, 20, 30, 27, look.card_dark)


def _flaps(pen: Pen, look: Look) -> None:
    pen.poly([(-30, -20), (-44, -24), (-44, 24), (-30, 20)], look.card_light, look.card_dark)
    pen.poly([(30, -20), (44, -24), (44, 24), (30, 20)], look.card_light, look.card_dark)


def _crumple(pen: Pen, look: Look, x: float, y: float, size: float) -> None:
    outer = [(x + size * r * math.cos(a), y + size * r * math.sin(a)) for a, r in _STAR]
    pen.poly(outer, look.paper, look.steel)
    pen.line([outer[0], (x, y), outer[4]], look.wall, 1)


_STAR = [(k * math.pi / 5, 1.0 if k % 2 else 0.72) for k in range(10)]


def _setup_still(pen: Pen, look: Look, variant: int) -> None:
    pen.box(-17, -30, 17, 32, look.card_light, look.card_dark)
    pen.box(-17, -12, 17, 14, look.card, look.card_dark)


def _setup_moving(pen: Pen, look: Look, beat: Beat) -> Hands:
    reach = 36 + 8 * beat.swing()
    lift = 5 - 5 * beat.swing()
    for side in (-1, 1):
        pen.poly(
            [(side * 17, -12), (side * reach, -12 - lift), (side * reach, 14 - lift), (side * 17, 14)],
            look.card_light,
            look.card_dark,
        )
    return (-reach, -lift), (reach, -lift)


def _padding_still(pen: Pen, look: Look, variant: int) -> None:
    _open_box(pen, look)
    pen.box(-66, -22, -54, 22, look.paper, look.steel)
    pen.oval(-60, -22, 6, 3, look.wall, look.steel)
    for k in range(3 + variant % 2):
        _crumple(pen, look, -17 + 11 * k, 6 - 9 * ((k + variant) % 2), 9)


def _padding_moving(pen: Pen, look: Look, beat: Beat) -> Hands:
    x = -14 + 22 * beat.swing()
    y = -8 - 4 * beat.swing(2)
    pen.poly([(-54, -8), (x, y - 3), (x, y + 3), (-54, 2)], look.paper, look.steel)
    _crumple(pen, look, x, y, 11)
    return (x - 9, y - 3), (x + 10, y)


def _tape_still(pen: Pen, look: Look, variant: int) -> None:
    _closed_box(pen, look)


def _tape_moving(pen: Pen, look: Look, beat: Beat) -> Hands:
    x = -20 + 46 * (beat.done * 0.8 + 0.2 * (0.5 + 0.5 * beat.swing()))
    pen.box(-31, -4.5, x, 4.5, look.tape)
    pen.box(-34, -4.5, -30, 14, look.tape)
    pen.poly([(x, -8), (x + 9, -8), (x + 21, 8), (x + 14, 14), (x + 2, 5)], look.tool, look.ink)
    pen.oval(x + 5, -9, 8, 8, look.tape, look.ink)
    pen.oval(x + 5, -9, 3, 3, look.ink)
    return (-27, -14), (x + 18, 8)


def _items_still(pen: Pen, look: Look, variant: int) -> None:
    _flaps(pen, look)
    _open_box(pen, look)
    pen.box(48, -20, 74, 20, look.items[2], look.ink)
    pen.box(51, -17, 71, 17, look.film)
    for k in range(4):
        _item(pen, look, 56 + 11 * (k % 2), -9 + 18 * (k // 2), k + variant)
    for k in range(3):
        _item(pen, look, -17 + 13 * k, 5 - 8 * ((k + variant) % 2), k + 1 + variant)


def _item(pen: Pen, look: Look, x: float, y: float, kind: int) -> None:
    colour = look.items[kind % len(look.items)]
    if kind % 2:
        pen.oval(x, y, 5.5, 5.5, colour, look.ink)
    else:
        pen.box(x - 5, y - 5, x + 5, y + 5, colour, look.ink)


def _items_moving(pen: Pen, look: Look, beat: Beat) -> Hands:
    x = 30 + 28 * beat.swing()
    y = -6 - 8 * math.cos(math.pi * (x - 30) / 56)
    _item(pen, look, x, y + 7, int(beat.at_s * beat.rate_hz + beat.phase + 0.25) + beat.variant)
    return (-34, -6), (x, y)


def _pack_still(pen: Pen, look: Look, variant: int) -> None:
    _open_box(pen, look)
    for k in range(3):
        _item(pen, look, -14 + 14 * k, 2 - 4 * ((k + variant) % 2), k + variant)


def _pack_moving(pen: Pen, look: Look, beat: Beat) -> Hands:
    gap = max(2.0, 13 - 9 * beat.done + 3 * beat.swing())
    low = gap * 0.6
    pen.poly([(-30, -20), (30, -20), (0, -low)], look.card_light, look.card_dark)
    pen.poly([(-30, 20), (30, 20), (0, low)], look.card_light, look.card_dark)
    pen.poly([(-30, -20), (-gap, 0), (-30, 20)], look.card, look.card_dark)
    pen.poly([(30, -20), (gap, 0), (30, 20)], look.card, look.card_dark)
    return (-gap - 6, 0), (gap + 6, 0)


def _wrap_still(pen: Pen, look: Look, variant: int) -> None:
    _closed_box(pen, look)


def _wrap_moving(pen: Pen, look: Look, beat: Beat) -> Hands:
    y = 8 + 16 * beat.swing(0.6)
    pen.box(-36, -26, 36, y, look.film, look.film_light)
    shift = 14 * beat.swing(0.4)
    for k in (-22.0, -4.0, 14.0):
        pen.line([(k + shift, -25), (k + shift - 10, y)], look.film_light, 3)
    pen.box(-46, y - 5, 46, y + 5, look.film_light, look.steel)
    pen.box(-50, y - 3, -46, y + 3, look.ink)
    pen.box(46, y - 3, 50, y + 3, look.ink)
    return (-50, y), (50, y)


def _sticker(pen: Pen, look: Look, x: float, y: float) -> None:
    pen.box(x - 11, y - 8, x + 11, y + 8, look.paper, look.steel)
    for k, width in ((-7.5, 2.0), (-4.0, 1.0), (-1.5, 2.5), (2.5, 1.0), (5.0, 2.0)):
        pen.box(x + k, y - 5, x + k + width, y + 5, look.ink)


def _label_still(pen: Pen, look: Look, variant: int) -> None:
    _closed_box(pen, look)
    pen.box(-31, -4.5, 31, 4.5, look.tape)
    pen.box(-74, -18, -48, 12, look.ink, look.steel)
    pen.box(-71, -12, -51, -8, look.steel)
    pen.box(-68, 8, -54, 16, look.paper, look.steel)


def _label_moving(pen: Pen, look: Look, beat: Beat) -> Hands:
    x = -12 + 24 * beat.swing(0.8)
    y = -2 + 3 * beat.swing(1.7)
    _sticker(pen, look, x, y)
    return (x - 13, y + 4), (x + 13, y - 6)


def _check_still(pen: Pen, look: Look, variant: int) -> None:
    _closed_box(pen, look)
    pen.box(-31, -4.5, 31, 4.5, look.tape)
    _sticker(pen, look, 13, 9 - 18 * (variant % 2))


def _check_moving(pen: Pen, look: Look, beat: Beat) -> Hands:
    sway = 2 * beat.swing(0.7)
    pen.box(-72, -26 + sway, -40, 18 + sway, look.card_dark, look.ink)
    pen.box(-69, -20 + sway, -43, 15 + sway, look.paper)
    pen.box(-61, -29 + sway, -51, -22 + sway, look.steel)
    for k in range(4):
        pen.box(-66, -14 + 7 * k + sway, -46 - 5 * (k % 2), -12 + 7 * k + sway, look.steel)
    y = -6 + 10 * beat.swing()
    pen.poly([(46, y), (-22, y - 13), (-22, y - 9)], look.beam)
    pen.poly([(46, y), (-22, y + 9), (-22, y + 13)], look.beam)
    pen.poly([(42, y - 6), (60, y - 6), (60, y + 3), (66, y + 14), (58, y + 14), (53, y + 3), (42, y + 3)], look.ink)
    return (-40, 4 + sway), (60, y + 8)


def _nothing(pen: Pen, look: Look, variant: int) -> None:
    pass


def _idle_moving(pen: Pen, look: Look, beat: Beat) -> Hands:
    sway = 3 * beat.swing(0.4)
    return (14 + sway, -34 + sway), (-14 + sway, -31 + sway)


def _hidden_still(pen: Pen, look: Look, variant: int) -> None:
    (_closed_box, _open_box)[variant % 2](pen, look)


def _hidden_moving(pen: Pen, look: Look, beat: Beat) -> Hands:
    return (-32 + 6 * beat.swing(), -4), (32, -4 + 6 * beat.swing())


STILL: Mapping[Operation, Still] = {
    "Box Setup": _setup_still,
    "Inner Packing": _padding_still,
    "Tape": _tape_still,
    "Put Items": _items_still,
    "Pack": _pack_still,
    "Wrap": _wrap_still,
    "Label": _label_still,
    "Final Check": _check_still,
    "Idle": _nothing,
    "Unknown": _hidden_still,
}
MOVING: Mapping[Operation, Moving] = {
    "Box Setup": _setup_moving,
    "Inner Packing": _padding_moving,
    "Tape": _tape_moving,
    "Put Items": _items_moving,
    "Pack": _pack_moving,
    "Wrap": _wrap_moving,
    "Label": _label_moving,
    "Final Check": _check_moving,
    "Idle": _idle_moving,
    "Unknown": _hidden_moving,
}
