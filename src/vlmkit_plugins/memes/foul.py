"""What makes people hold their noses: the subjects of the kind `foul`, each drawn into -1 to 1."""

from __future__ import annotations

import math

import numpy as np

from vlmkit_plugins.memes.pen import INK, WHITE, Pen, shade, tint, wave


def skunk(pen: Pen, rng: np.random.Generator) -> None:
    """Black with a white stripe up a raised tail, and a smell round it."""
    coat = tint(rng, (0.6, 1.1), (0.0, 0.25), (0.08, 0.26))
    _reek(pen, rng, ((-0.75, -0.55), (-0.1, -0.85)))
    pen.oval(0.55, -0.3, 0.34, 0.68, coat, -0.25)
    pen.oval(0.58, -0.32, 0.13, 0.58, WHITE, -0.25)
    pen.oval(0.05, 0.4, 0.62, 0.38, coat)
    pen.oval(0.1, 0.17, 0.5, 0.12, WHITE)
    for x in (-0.4, -0.12, 0.3, 0.52):
        pen.box(x - 0.08, 0.6, x + 0.08, 0.95, coat)
    pen.oval(-0.62, 0.2, 0.34, 0.28, coat)
    pen.poly([(-0.7, 0.1), (-0.98, 0.3), (-0.7, 0.42)], coat)
    pen.oval(-0.58, -0.02, 0.1, 0.12, coat)
    pen.oval(-0.6, 0.09, 0.24, 0.06, WHITE, -0.35)
    pen.oval(-0.7, 0.18, 0.05, 0.05, WHITE)


def dustbin(pen: Pen, rng: np.random.Generator) -> None:
    """A ribbed bin that overflows under a tilted lid, with flies."""
    tin = tint(rng, (0.2, 0.7), (0.0, 0.5), (0.35, 0.75))
    for x in (-0.4, -0.1, 0.15, 0.4):
        junk = tint(rng, (0.05, 0.35), (0.3, 0.8), (0.3, 0.75))
        pen.oval(x, -0.25 - 0.15 * float(rng.random()), 0.23, 0.26, junk)
    pen.line([(0.3, -0.3), (0.5, -0.62)], WHITE, 0.07)
    pen.poly([(-0.68, -0.2), (0.68, -0.2), (0.52, 1.0), (-0.52, 1.0)], tin)
    pen.box(-0.74, -0.26, 0.74, -0.12, shade(tin, 0.75))
    for x in (-0.36, -0.12, 0.12, 0.36):
        pen.line([(x * 1.2, 0.0), (x, 0.9)], shade(tin, 0.65), 0.06)
    pen.poly([(-0.85, -0.52), (0.35, -0.85), (0.4, -0.72), (-0.8, -0.38)], shade(tin, 0.85))
    pen.oval(-0.22, -0.75, 0.12, 0.07, shade(tin, 0.6), -0.27)
    _flies(pen, rng, 4)


def mud(pen: Pen, rng: np.random.Generator) -> None:
    """A puddle with lobes, bubbles and drops that fly off."""
    brown = tint(rng, (0.05, 0.13), (0.45, 0.85), (0.22, 0.48))
    for k, size in enumerate(rng.uniform(0.2, 0.42, 9).tolist()):
        angle = 2 * math.pi * k / 9
        pen.oval(0.62 * math.cos(angle), 0.3 + 0.36 * math.sin(angle), size, size * 0.75, brown)
    pen.oval(0, 0.3, 0.7, 0.42, brown)
    pen.oval(0, 0.25, 0.55, 0.34, shade(brown, 1.2))
    for x, y, r in rng.uniform((-0.4, 0.05, 0.05), (0.4, 0.5, 0.14), (5, 3)).tolist():
        pen.oval(x, y, r, r * 0.8, shade(brown, 0.65))
        pen.oval(x - r / 3, y - r / 3, r / 3, r / 3, shade(brown, 2.0))
    for x, y, r in rng.uniform((-0.9, -0.95, 0.04), (0.9, -0.4, 0.1), (6, 3)).tolist():
        pen.oval(x, y, r, 1.5 * r, brown)


def fish_bone(pen: Pen, rng: np.random.Generator) -> None:
    """What is left of a fish: skull with a crossed-out eye, spine, ribs, tail; and its smell."""
    bone = tint(rng, (0.1, 0.2), (0.05, 0.3), (0.78, 0.96))
    _reek(pen, rng, ((-0.1, -0.85), (0.5, -0.8)))
    pen.oval(0.0, 0.1, 1.0, 0.62, tint(rng, (0.15, 0.5), (0.15, 0.5), (0.25, 0.5)))
    pen.line([(-0.6, 0.1), (0.75, 0.1)], bone, 0.1)
    for k in range(5):
        x, half = -0.2 + 0.18 * k, 0.4 - 0.05 * k
        pen.line([(x + 0.1, 0.1 - half), (x, 0.1), (x + 0.1, 0.1 + half)], bone, 0.07)
    pen.poly([(0.65, 0.1), (0.95, -0.25), (0.85, 0.1), (0.95, 0.45)], bone)
    pen.poly([(-0.95, 0.12), (-0.6, -0.27), (-0.3, -0.15), (-0.3, 0.35), (-0.6, 0.47)], bone)
    for tilt in (-0.09, 0.09):
        pen.line([(-0.64, 0.02 - tilt), (-0.46, 0.02 + tilt)], INK, 0.05)


def rat(pen: Pen, rng: np.random.Generator) -> None:
    """A hunched grey body, a bare tail, teeth."""
    fur = tint(rng, (0.05, 0.12), (0.05, 0.35), (0.3, 0.55))
    pink = tint(rng, (0.95, 1.05), (0.3, 0.5), (0.65, 0.85))
    pen.line([(0.6, 0.65), *wave(0.65, 1.0, 0.2, 0.18, 0.8), (0.85, -0.7)], pink, 0.09)
    pen.oval(0.15, 0.3, 0.68, 0.52, fur)
    pen.poly([(-0.98, 0.35), (-0.4, -0.1), (-0.2, 0.55)], fur)
    pen.oval(-0.48, 0.22, 0.32, 0.28, fur)
    for x, size in ((-0.25, 0.2), (-0.45, 0.16)):
        pen.oval(x, -0.1, size, size * 1.1, shade(fur, 0.8))
        pen.oval(x, -0.1, size * 0.6, size * 0.7, pink)
    pen.oval(-0.62, 0.18, 0.07, 0.07, tint(rng, (0.97, 1.03), (0.7, 1.0), (0.4, 0.9)))
    pen.oval(-0.95, 0.34, 0.07, 0.06, pink)
    pen.box(-0.84, 0.43, -0.74, 0.6, WHITE)
    for x in (-0.25, 0.1, 0.5):
        pen.oval(x, 0.82, 0.18, 0.08, pink)
    for rise in (-0.12, 0.0, 0.12):
        pen.line([(-0.8, 0.36), (-0.5, 0.42 + rise)], INK, 0.025)


def cockroach(pen: Pen, rng: np.random.Generator) -> None:
    """A long brown shell, six bent legs, two long feelers."""
    shell = tint(rng, (0.02, 0.1), (0.5, 0.9), (0.25, 0.55))
    for side in (-1, 1):
        for y, reach in ((-0.25, -0.5), (0.1, 0.15), (0.4, 0.85)):
            pen.line([(0.2 * side, y), (0.65 * side, (y + reach) / 2 - 0.05), (0.8 * side, reach)], INK, 0.07)
        pen.line([(0.08 * side, -0.6), (0.25 * side, -0.9), (0.7 * side, -1.0)], INK, 0.04)
    pen.oval(0, 0.2, 0.4, 0.72, shade(shell, 0.75))
    pen.oval(0, -0.42, 0.33, 0.24, shell)
    pen.oval(0, -0.64, 0.18, 0.13, shade(shell, 0.6))
    for side in (-1, 1):
        pen.oval(0.17 * side, 0.22, 0.19, 0.6, shell, 0.06 * side)
    pen.line([(0, -0.25), (0, 0.85)], shade(shell, 0.5), 0.04)
    for y in (0.3, 0.5, 0.7):
        pen.line([(-0.3, y), (0.3, y)], shade(shell, 0.6), 0.03)


def _reek(pen: Pen, rng: np.random.Generator, places: tuple[tuple[float, float], ...]) -> None:
    smell = tint(rng, (0.17, 0.33), (0.5, 0.9), (0.5, 0.85))
    for x, y in places:
        pen.line([(px, py) for py, px in wave(y - 0.3, y + 0.3, x, 0.09, 1.5)], smell, 0.07)


def _flies(pen: Pen, rng: np.random.Generator, n: int) -> None:
    for x, y in rng.uniform((-0.95, -1.0), (0.95, -0.35), (n, 2)).tolist():
        pen.oval(x - 0.06, y - 0.05, 0.07, 0.04, WHITE, 0.6)
        pen.oval(x + 0.06, y - 0.05, 0.07, 0.04, WHITE, -0.6)
        pen.oval(x, y, 0.06, 0.05, INK)


SUBJECTS = (skunk, dustbin, mud, fish_bone, rat, cockroach)
"""In the order of which one is drawn at random."""
