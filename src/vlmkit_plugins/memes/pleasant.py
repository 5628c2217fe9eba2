"""What is nice to look at: the subjects of the kind `pleasant`, each drawn into -1 to 1 with colours of its own."""

from __future__ import annotations

import math

import numpy as np

from vlmkit_plugins.memes.pen import INK, WHITE, Pen, shade, tint


def flower(pen: Pen, rng: np.random.Generator) -> None:
    """A stalk with two leaves, and five to nine petals round a middle."""
    green = tint(rng, (0.24, 0.4), value=(0.4, 0.75))
    petal = tint(rng, (0.72, 1.18))
    pen.line([(0.05, -0.25), (0.0, 0.4), (0.08, 1.0)], green, 0.1)
    pen.oval(0.34, 0.55, 0.32, 0.12, green, -0.5)
    pen.oval(-0.3, 0.7, 0.32, 0.12, shade(green, 0.85), 0.5)
    n, start = int(rng.integers(5, 10)), float(rng.uniform(0, 1))
    for k in range(n):
        angle = 2 * math.pi * (k + start) / n
        x, y = 0.4 * math.cos(angle), -0.35 + 0.4 * math.sin(angle)
        pen.oval(x, y, 0.3, 0.95 / n + 0.05, petal if k % 2 else shade(petal, 0.88), angle)
    pen.oval(0.0, -0.35, 0.2, 0.2, tint(rng, (0.08, 0.16), (0.7, 1.0), (0.7, 1.0)))


def cake(pen: Pen, rng: np.random.Generator) -> None:
    """Two tiers with icing that drips, on a plate, with burning candles."""
    dough, icing = tint(rng, (0.05, 0.14), (0.3, 0.7)), tint(rng, (0.75, 1.15), (0.1, 0.6), (0.85, 1.0))
    pen.oval(0, 0.85, 0.98, 0.15, tint(rng, (0.5, 0.7), (0.0, 0.25), (0.75, 1.0)))
    for half, top, bottom in ((0.75, 0.2, 0.85), (0.48, -0.3, 0.2)):
        pen.box(-half, top, half, bottom, dough)
        pen.box(-half, top, half, top + 0.16, icing)
        for k in range(6):
            x = -half + half * (2 * k + 1) / 6
            pen.oval(x, top + 0.16, half / 7, 0.07 + 0.1 * float(rng.random()), icing)
    wax = tint(rng, (0.0, 1.0))
    for k in range(n := int(rng.integers(1, 5))):
        x = -0.36 + 0.72 * (k + 0.5) / n
        pen.box(x - 0.05, -0.65, x + 0.05, -0.3, wax)
        pen.oval(x, -0.79, 0.07, 0.13, (255, 190, 40))


def kitten(pen: Pen, rng: np.random.Generator) -> None:
    """A round face with pointed ears, large eyes and whiskers."""
    fur = tint(rng, (0.04, 0.13), (0.1, 0.75), (0.55, 0.98))
    dark, iris = shade(fur, 0.72), tint(rng, (0.15, 0.6), (0.5, 0.9), (0.7, 0.95))
    for side in (-1, 1):
        pen.poly([(0.85 * side, -1.0), (0.1 * side, -0.55), (0.8 * side, -0.05)], fur)
        pen.poly([(0.75 * side, -0.8), (0.32 * side, -0.52), (0.7 * side, -0.25)], (240, 165, 170))
    pen.oval(0, 0.1, 0.88, 0.78, fur)
    for x in (-0.18, 0.0, 0.18):
        pen.line([(x, -0.62), (x * 0.8, -0.36)], dark, 0.09)
    for side in (-1, 1):
        pen.oval(0.36 * side, -0.02, 0.2, 0.23, iris)
        pen.oval(0.36 * side, -0.02, 0.1, 0.19, INK)
        pen.oval(0.31 * side, -0.1, 0.05, 0.05, WHITE)
        pen.oval(0.15 * side, 0.47, 0.22, 0.17, shade(fur, 1.3))
        for rise in (-0.1, 0.02, 0.14):
            pen.line([(0.25 * side, 0.45), (1.0 * side, 0.4 + rise)], WHITE, 0.03)
    pen.poly([(-0.11, 0.28), (0.11, 0.28), (0, 0.4)], (225, 110, 125))


def balloons(pen: Pen, rng: np.random.Generator) -> None:
    """Three balloons on strings that meet in a bow."""
    for x, y in ((-0.5, -0.3), (0.5, -0.35), (0.0, -0.6)):
        colour = tint(rng, (0.0, 1.0), (0.6, 0.95), (0.75, 1.0))
        pen.line([(x, y), (x * 0.4, 0.4), (0, 0.85)], INK, 0.035)
        pen.poly([(x, y + 0.4), (x - 0.09, y + 0.52), (x + 0.09, y + 0.52)], shade(colour, 0.8))
        pen.oval(x, y, 0.36, 0.43, colour)
        pen.oval(x - 0.13, y - 0.15, 0.07, 0.12, shade(colour, 1.5), 0.4)
    bow = tint(rng, (0.0, 1.0))
    pen.oval(-0.15, 0.85, 0.15, 0.09, bow, 0.3)
    pen.oval(0.15, 0.85, 0.15, 0.09, bow, -0.3)


def ice_cream(pen: Pen, rng: np.random.Generator) -> None:
    """A hatched cone with two or three scoops and a cherry."""
    cone = tint(rng, (0.07, 0.12), (0.5, 0.8), (0.7, 0.95))
    pen.poly([(-0.45, 0.05), (0.45, 0.05), (0, 1.0)], cone)
    for k in range(4):
        x = -0.4 + 0.2 * k
        pen.line([(x, 0.07), (0.1 + 0.12 * k, 0.75 - 0.19 * k)], shade(cone, 0.7), 0.035)
        pen.line([(-x, 0.07), (-0.1 - 0.12 * k, 0.75 - 0.19 * k)], shade(cone, 0.7), 0.035)
    places = [(-0.26, -0.15), (0.26, -0.15), (0.0, -0.5)] if rng.random() < 0.5 else [(0.0, -0.1), (0.0, -0.52)]
    for x, y in places:
        colour = tint(rng, (0.85, 1.5), (0.15, 0.65), (0.8, 1.0))
        pen.oval(x, y, 0.38, 0.34, colour)
        pen.oval(x - 0.12, y - 0.12, 0.09, 0.06, shade(colour, 1.3), -0.5)
    pen.line([(0.02, -0.85), (0.16, -1.0)], (70, 110, 50), 0.04)
    pen.oval(0, -0.82, 0.12, 0.12, (200, 25, 50))


def butterfly(pen: Pen, rng: np.random.Generator) -> None:
    """Four wings with spots, a thin body, two feelers."""
    wing, spot = tint(rng, (0.0, 1.0), (0.6, 0.95), (0.7, 1.0)), tint(rng, (0.0, 1.0), (0.2, 0.8), (0.8, 1.0))
    for side in (-1, 1):
        pen.oval(0.5 * side, -0.38, 0.54, 0.4, shade(wing, 0.55), -0.7 * side)
        pen.oval(0.5 * side, -0.38, 0.46, 0.32, wing, -0.7 * side)
        pen.oval(0.4 * side, 0.45, 0.42, 0.3, shade(wing, 0.55), 0.7 * side)
        pen.oval(0.4 * side, 0.45, 0.34, 0.23, shade(wing, 0.88), 0.7 * side)
        pen.oval(0.6 * side, -0.48, 0.14, 0.14, spot)
        pen.oval(0.45 * side, 0.5, 0.1, 0.1, spot)
        pen.line([(0, -0.5), (0.12 * side, -0.8), (0.28 * side, -0.95)], INK, 0.04)
    pen.oval(0, 0.05, 0.09, 0.65, INK)


SUBJECTS = (flower, cake, kitten, balloons, ice_cream, butterfly)
"""In the order of which one is drawn at random."""
