from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

from vlmkit_plugins.memes.drawing import SIDES_PX, SUBJECTS, Picture, Subject, draw
from vlmkit_plugins.memes.pen import Pen, shade, tint, wave

KINDS = list(SUBJECTS)


def pixels(kind: Picture, seed: int) -> np.ndarray:
    return np.asarray(draw(kind, np.random.default_rng(seed))[0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_follows_from_its_seed(kind: Picture) -> None:
    assert np.array_equal(pixels(kind, 4), pixels(kind, 4))
    assert not np.array_equal(pixels(kind, 4)[:144, :144], pixels(kind, 5)[:144, :144])


@pytest.mark.parametrize("kind", KINDS)
def test_every_subject_comes_and_sizes_vary(kind: Picture) -> None:
    drawn = [draw(kind, np.random.default_rng([1, seed])) for seed in range(40)]
    assert {name for _, name in drawn} == {subject.__name__ for subject in SUBJECTS[kind]}
    sizes = {picture.size for picture, _ in drawn}
    assert len(sizes) > 10
    assert {side for size in sizes for side in size} <= set(SIDES_PX)
    assert {picture.mode for picture, _ in drawn} == {"RGB"}


@pytest.mark.parametrize("subject", [one for some in SUBJECTS.values() for one in some], ids=lambda one: one.__name__)
def test_a_subject_fills_its_place_and_comes_in_many_colours(subject: Subject) -> None:
    seen = []
    for seed in range(4):
        canvas = Pillow.new("RGB", (120, 120), (255, 0, 255))
        subject(Pen(canvas, (60, 60), 50), np.random.default_rng(seed))
        seen.append(np.asarray(canvas).copy())
    covered = np.mean([(one != (255, 0, 255)).any(-1).mean() for one in seen])
    assert covered > 0.15
    assert not np.array_equal(seen[0], seen[1])


@pytest.mark.parametrize("subject", SUBJECTS["scene"], ids=lambda one: one.__name__)
@pytest.mark.parametrize("corner", [(-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25)])
def test_a_landscape_leaves_no_corner_bare(subject: Subject, corner: tuple[float, float]) -> None:
    """However far the camera is off: as `drawing._view` holds it at the most."""
    bare = (255, 0, 255)
    for turn in (-0.08, 0.08):
        canvas = Pillow.new("RGB", (120, 120), bare)
        subject(Pen(canvas, (60 + 60 * corner[0], 60 + 60 * corner[1]), 60, turn), np.random.default_rng(1))
        assert bare not in {colour for _, colour in canvas.getcolors(1 << 16) or []}


def test_kinds_are_not_told_by_their_mean_colour() -> None:
    """A picture's kind has to be seen: pleasant and foul ones are as light and as coloured as each other."""
    means = {kind: np.array([pixels(kind, seed).mean((0, 1)) for seed in range(150)]) for kind in KINDS[:2]}
    first, second = means.values()
    spread = np.sqrt((first.var(0) + second.var(0)) / 2)
    assert (np.abs(first.mean(0) - second.mean(0)) < 0.6 * spread).all()


def test_a_pen_turns_and_mirrors() -> None:
    def drawn(turn: float, *, mirrored: bool) -> tuple[float, float]:
        picture = Pillow.new("RGB", (100, 100))
        Pen(picture, (50, 50), 40, turn, mirrored=mirrored).oval(0.8, 0, 0.1, 0.1, (255, 255, 255))
        y, x = np.nonzero(np.asarray(picture)[..., 0])
        return float(x.mean()), float(y.mean())

    assert drawn(0.0, mirrored=False) == pytest.approx((82, 50), abs=1)
    assert drawn(0.0, mirrored=True) == pytest.approx((18, 50), abs=1)
    assert drawn(np.pi / 2, mirrored=False) == pytest.approx((50, 82), abs=1)


def test_colours_stay_in_their_ranges() -> None:
    rng = np.random.default_rng(0)
    reds = [tint(rng, (0.95, 1.05), (0.9, 1.0), (0.9, 1.0)) for _ in range(50)]
    assert all(red > 220 and max(green, blue) < 130 for red, green, blue in reds)
    assert shade((100, 200, 0), 2.0) == (200, 255, 0)


def test_a_wave_goes_from_left_to_right() -> None:
    points = wave(-1, 1, 0.5, 0.2, 1.0)
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert max(y for _, y in points) == pytest.approx(0.7)
