from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from vlmkit_plugins.warehouse.drawing import Frames, Shown, render
from vlmkit_plugins.warehouse.pen import Pen, look
from vlmkit_plugins.warehouse.props import MOVING, Beat, Hands
from vlmkit_plugins.warehouse.schema import CLIP_FRAMES, OPERATIONS, Operation


def film(
    operation: Operation, seed: int = 0, style: int = 0, size_px: tuple[int, int] = (160, 120), n: int = 21
) -> Frames:
    rng = np.random.default_rng(seed)
    frames = render((Shown(operation, 0, CLIP_FRAMES, 0.0, 1.0),), style, rng, size_px)
    return np.stack([frame[..., :3].copy() for _, frame in zip(range(n), frames, strict=False)])


@pytest.mark.parametrize("operation", OPERATIONS)
def test_hands_move_within_a_third_of_a_second(operation: Operation) -> None:
    def drawn(at_s: float) -> tuple[Hands, bytes]:
        picture = Pillow.new("RGB", (160, 120))
        beat = Beat(at_s, at_s / 5, rate_hz=0.9, phase=0.1, variant=0)
        hands = MOVING[operation](Pen(picture, 1.0, (80, 79)), look(0, np.random.default_rng(0)), beat)
        return hands, picture.tobytes()

    (before, picture), (after, later) = drawn(1.0), drawn(1.3)
    assert max(abs(a - b) for p, q in zip(before, after, strict=True) for a, b in zip(p, q, strict=True)) > 1.5
    assert operation in ("Idle", "Unknown") or picture != later  # in these two nothing but the hands moves on the table


def test_noise_never_wraps_round() -> None:
    for operation in OPERATIONS:
        frames = film(operation)
        assert frames.min() > 0
        assert frames.max() < 255
        # a wrapped byte would differ from its neighbours in time by nearly 256
        assert np.abs(np.diff(frames[:3].astype(int), axis=0)).max() < 235


def test_one_still_picture_tells_the_operations_apart() -> None:
    """By the nearest mean thumbnail of other seeds, subjects and light: far from what a network does, yet enough."""

    def thumbnail(operation: Operation, seed: int) -> NDArray[np.float64]:
        picture = Pillow.fromarray(film(operation, seed, style=seed % 8)[20]).resize((20, 15))
        small: NDArray[np.float64] = np.asarray(picture, np.float64)[5:]
        scaled: NDArray[np.float64] = (small - small.mean(axis=(0, 1))) / small.std()
        return scaled

    means = {name: np.mean([thumbnail(name, seed) for seed in range(8)], axis=0) for name in OPERATIONS}
    hits = 0
    for name in OPERATIONS:
        for seed in (100, 101, 102):
            small = thumbnail(name, seed)
            hits += name == min(means, key=lambda other: float(((small - means[other]) ** 2).sum()))
    assert hits >= 24  # of 30; guessing gets 3


def test_subjects_differ_in_style() -> None:
    assert np.abs(film("Idle", style=0)[0].astype(int) - film("Idle", style=1)[0]).mean() > 3


def test_other_sizes() -> None:
    assert film("Tape", size_px=(96, 72)).shape == (21, 72, 96, 3)
