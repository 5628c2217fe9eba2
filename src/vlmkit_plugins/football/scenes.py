"""What each event looks like: a part that stands still, a part that moves, and how the player holds his hands.

Coordinates are pixels of a clip. The player stands on the left, the event is told on the right of him; a scene with
the player on the right is mirrored, but for his number. A look lasts for the whole event, so that every moment of it
tells which one it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from vlmkit_plugins.football.pen import (
    INK,
    JERSEYS,
    KEEPER,
    LINESMAN,
    RED_CARD,
    REFEREE,
    WHITE,
    YELLOW_CARD,
    Colour,
    Pen,
    shade,
)
from vlmkit_plugins.football.pitch import net, posts
from vlmkit_plugins.football.players import DOWN, OVERHEAD, RUNNING, UP, Hands, torso

_GOAL = (76.0, 16.0, 160.0, 96.0)
_FAR_GOAL = (76.0, 22.0, 156.0, 60.0)
_SPOT = (116.0, 92.0)
_LINE: Colour = (78, 230, 236)
"""The line that television lays over an offside."""
_FLAG: tuple[Colour, Colour] = ((241, 214, 20), (226, 40, 44))


@dataclass(frozen=True)
class Beat:
    """Where a scene is: seconds since it began, and what is drawn by chance once."""

    at_s: float
    rate_hz: float
    phase: float
    skin: Colour
    other: str
    """The colour of the team that the player is not in."""
    is_high: bool

    @property
    def swing(self) -> float:
        """From -1 to 1, back and forth."""
        return math.sin(2 * math.pi * (self.at_s * self.rate_hz + self.phase))


Draw = Callable[[Pen, Beat], None]


@dataclass(frozen=True)
class Scene:
    """How one class is drawn; `behind` before the player and `before` over him, on every frame."""

    hands: Hands
    still: Draw
    behind: Draw
    before: Draw
    neck_y: float = 40.0


def _nothing(pen: Pen, beat: Beat) -> None:
    """A part that a scene lacks."""


def _ball(pen: Pen, x: float, y: float, r: float, turn: float = 0.0) -> None:
    pen.oval(x, y, r, r, WHITE, (90, 90, 90))
    pen.oval(x + 0.45 * r * math.cos(turn), y + 0.45 * r * math.sin(turn), 0.34 * r, 0.34 * r, INK)
    pen.oval(x - 0.45 * r * math.cos(turn), y - 0.45 * r * math.sin(turn), 0.28 * r, 0.28 * r, INK)


def _goal(pen: Pen, beat: Beat) -> None:
    x, y = 124.0, 40.0 if beat.is_high else 82.0
    deep = 0.32 + 0.12 * math.exp(-0.5 * beat.at_s) * beat.swing + 0.08 * beat.swing
    net(pen, _GOAL, 12.0, (x, y, deep))
    posts(pen, _GOAL, 5)
    _ball(pen, x + beat.swing, y, 9, beat.at_s)


def _empty_goal(pen: Pen, beat: Beat) -> None:
    net(pen, _GOAL, 12.0, (0.0, 0.0, 0.0))
    posts(pen, _GOAL, 5)


def _penalty_still(pen: Pen, beat: Beat) -> None:
    net(pen, _FAR_GOAL, 8.0, (0.0, 0.0, 0.0))
    posts(pen, _FAR_GOAL, 3)
    pen.line([(60, 60), (170, 60)], WHITE, 2)
    pen.line([(64, 60), (54, 74), (172, 74)], WHITE, 2)
    pen.oval(*_SPOT, 10, 4, WHITE)


def _penalty(pen: Pen, beat: Beat) -> None:
    x = 116 + 12 * beat.swing
    for side in (-1, 1):
        pen.line([(x + 4 * side, 38), (x + 15 * side, 30 + 3 * beat.swing * side)], KEEPER, 4)
        pen.line([(x + 3 * side, 50), (x + 6 * side, 60)], INK, 4)
    pen.box(x - 6, 34, x + 6, 52, KEEPER)
    pen.oval(x, 29, 4.5, 5, beat.skin)
    _ball(pen, _SPOT[0], _SPOT[1] - 5, 6)


def _referee(pen: Pen, beat: Beat, x: float, hands: Hands) -> None:
    place = pen.moved(x, 52.0 + beat.swing)
    torso(place, REFEREE, beat.skin, INK, hands, faces=True)
    place.box(-3, 14, 3, 20, INK)


def _card(colour: Colour) -> Draw:
    def draw(pen: Pen, beat: Beat) -> None:
        x, y = 30 + 3 * beat.swing, -26 + 2 * beat.swing
        _referee(pen, beat, 108, ((-27.0, 44.0), (x, y)))
        pen.moved(108, 52).poly([(x - 10, y + 8), (x + 8, y + 12), (x + 14, y - 18), (x - 4, y - 22)], colour, INK)

    return draw


def _corner_still(pen: Pen, beat: Beat) -> None:
    arc = [(112 + 46 * math.cos(a / 8 * math.pi), 92 + 18 * math.sin(a / 8 * math.pi)) for a in range(9)]
    pen.line([(58, 92), (172, 92)], WHITE, 4)
    pen.line([(112, 92), (150, 120)], WHITE, 4)
    pen.line(arc, WHITE, 4)


def _corner(pen: Pen, beat: Beat) -> None:
    pen.box(110, 22, 114, 92, (236, 236, 120))
    tip = 154 + 4 * beat.swing
    pen.poly([(114, 22), (tip, 33 + 4 * beat.swing), (114, 50)], (240, 116, 20), INK)
    _ball(pen, 82, 96, 7)


def _free_kick(pen: Pen, beat: Beat) -> None:
    shirt = JERSEYS[beat.other]
    for k in range(4):
        jump = 3.0 * max(0.0, math.sin(2 * math.pi * (beat.at_s * beat.rate_hz + beat.phase + 0.09 * k)))
        x, y = 84 + 23 * k, 40 - jump
        pen.box(x - 8, y + 38, x - 2, y + 58, beat.skin)
        pen.box(x + 2, y + 38, x + 8, y + 58, beat.skin)
        pen.box(x - 9, y + 28, x + 9, y + 42, shade(shirt, 0.6))
        pen.box(x - 11, y, x + 11, y + 30, shirt, INK)
        pen.line([(x - 9, y + 5), (x, y + 26), (x + 9, y + 5)], beat.skin, 4)
        pen.oval(x, y - 8, 7, 8, beat.skin, INK)
    _ball(pen, 74, 102, 6)


def _throw_still(pen: Pen, beat: Beat) -> None:
    pen.poly([(60, 120), (86, 120), (178, 66), (178, 54)], WHITE)


def _throw(pen: Pen, beat: Beat) -> None:
    _ball(pen, 35 + 2 * beat.swing, 20 + 2 * beat.swing, 12, beat.at_s)


def _offside_still(pen: Pen, beat: Beat) -> None:
    pen.poly([(64, 118), (76, 118), (92, 32), (86, 32)], _LINE)


def _offside(pen: Pen, beat: Beat) -> None:
    place = pen.moved(122, 54)
    hand = (22 + 2 * beat.swing, -24.0)
    torso(place, LINESMAN, beat.skin, INK, ((-27.0, 44.0), hand), faces=True)
    x, y = hand
    place.line([(x, y + 10), (x + 2, y - 20)], INK, 3)
    left, top, wave = x - 34, y - 20, 2 * beat.swing
    for row in range(2):
        for column in range(2):
            x0, y0 = left + 17 * column, top + 11 * row + wave * (1 - column)
            place.box(x0, y0, x0 + 17, y0 + 11, _FLAG[(row + column) % 2])


SCENES: Mapping[str, Scene] = {
    "Goal": Scene(UP, _nothing, _goal, _nothing),
    "Penalty Shot": Scene(DOWN, _penalty_still, _penalty, _nothing),
    "Red Card": Scene(DOWN, _nothing, _card(RED_CARD), _nothing),
    "Yellow Card": Scene(DOWN, _nothing, _card(YELLOW_CARD), _nothing),
    "Corner Kick": Scene(RUNNING, _corner_still, _corner, _nothing),
    "Free Kick": Scene(RUNNING, _nothing, _free_kick, _nothing),
    "Throw In": Scene(OVERHEAD, _throw_still, _nothing, _throw, neck_y=54.0),
    "Offside": Scene(RUNNING, _offside_still, _offside, _nothing),
    "player": Scene(RUNNING, _nothing, _nothing, _nothing),
    "net": Scene(RUNNING, _empty_goal, _nothing, _nothing),
    "referee": Scene(DOWN, _nothing, lambda pen, beat: _referee(pen, beat, 108, RUNNING), _nothing),
}
"""By kind of a shot; the last three are no events."""
