"""Drawing in pixels of a drawn match clip, whatever the size of the picture underneath, and its colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy

from PIL import Image as Pillow
from PIL import ImageDraw

Point = tuple[float, float]
Colour = tuple[int, int, int]

SIZE_PX = (168, 112)
"""Width and height of a drawn clip."""
MARGIN_PX = 6
"""Room around a scene for the camera to move in."""
DARKEST, BRIGHTEST = 14, 241
"""All colours stay inside, so that light and noise can be added to bytes without wrapping round."""

JERSEYS: Mapping[str, Colour] = {
    "red": (214, 30, 38),
    "blue": (34, 74, 214),
    "yellow": (240, 216, 40),
    "white": (238, 238, 238),
    "black": (28, 28, 32),
    "orange": (241, 126, 22),
    "purple": (122, 44, 168),
    "pink": (240, 140, 190),
}
"""What the teams play in; none is the colour of grass."""
LIGHT_JERSEYS = frozenset({"yellow", "white", "orange", "pink"})
"""Those with a dark number."""
WHITE: Colour = (238, 238, 234)
INK: Colour = (24, 24, 28)
GRASS: Colour = (58, 132, 60)
GRASS_LIGHT: Colour = (72, 150, 70)
REFEREE: Colour = (40, 200, 186)
KEEPER: Colour = (150, 220, 60)
LINESMAN: Colour = (60, 66, 84)
RED_CARD: Colour = (236, 24, 30)
YELLOW_CARD: Colour = (241, 226, 20)
SKINS: tuple[Colour, ...] = ((236, 188, 152), (198, 140, 100), (122, 82, 58))
HAIRS: tuple[Colour, ...] = ((52, 38, 30), (120, 84, 48), (196, 160, 92), (26, 24, 26))
ADVERTS: tuple[Colour, ...] = (
    (200, 40, 44), (36, 84, 180), (230, 200, 50), (226, 226, 222), (40, 44, 52), (230, 120, 36), (110, 60, 150),
)  # fmt: skip


class Pen:
    """Shapes on a picture; `origin` is where (0, 0) lies and `px` how many pixels of the picture a unit has.

    A mirrored pen draws the scene's left on its right.
    """

    def __init__(
        self, picture: Pillow.Image, px: float = 1.0, origin: Point = (0.0, 0.0), *, mirrored: bool = False
    ) -> None:
        self._draw = ImageDraw.Draw(picture)
        self._k, self._x, self._y = px, origin[0] * px, origin[1] * px
        self._dx, self._dy = 0.0, 0.0
        self._mirrored = mirrored

    def moved(self, x: float, y: float) -> Pen:
        """The same pen with its (0, 0) at (x, y) of the scene."""
        other = copy(self)
        other._dx, other._dy = self._dx + x, self._dy + y
        return other

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: Colour, edge: Colour | None = None) -> None:
        """An upright rectangle; corners in any order."""
        (left, top), (right, bottom) = self._at((x0, y0)), self._at((x1, y1))
        left, right = min(left, right), max(left, right)
        top, bottom = min(top, bottom), max(top, bottom)
        self._draw.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), fill=fill, outline=edge)

    def oval(self, x: float, y: float, rx: float, ry: float, fill: Colour, edge: Colour | None = None) -> None:
        """An ellipse by centre and half-axes."""
        (left, top), (right, bottom) = self._at((x - rx, y - ry)), self._at((x + rx, y + ry))
        self._draw.ellipse((min(left, right), top, max(left, right), bottom), fill=fill, outline=edge)

    def poly(self, points: Sequence[Point], fill: Colour, edge: Colour | None = None) -> None:
        """A filled polygon."""
        self._draw.polygon([self._at(point) for point in points], fill=fill, outline=edge)

    def line(self, points: Sequence[Point], fill: Colour, width: float = 1.0) -> None:
        """An open line."""
        self._draw.line([self._at(point) for point in points], fill=fill, width=max(1, round(width * self._k)))

    def _at(self, point: Point) -> Point:
        x, y = point[0] + self._dx, point[1] + self._dy
        return (SIZE_PX[0] - x if self._mirrored else x) * self._k + self._x, y * self._k + self._y


def shade(colour: Colour, factor: float) -> Colour:
    """A colour darker (below 1) or lighter, inside what noise may be added to."""
    r, g, b = (min(BRIGHTEST, max(DARKEST, round(part * factor))) for part in colour)
    return r, g, b
