from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from vlmkit_plugins.football.drawing import Frames, render
from vlmkit_plugins.football.pen import INK, JERSEYS, WHITE, Pen
from vlmkit_plugins.football.players import NECK, RUNNING, close_up, number_on
from vlmkit_plugins.football.story import DRAWN, NUMBERS, Match, Shot, Story, match_of

OTHERS = ("play", "crowd", "player", "referee", "bench", "net")
SEEN_PX = (84, 56)
"""What the tiny head looks at."""


def film(kind: str, seed: int, n: int = 3, *, on_right: bool = False, number: int = 7, step: int = 1) -> Frames:
    shot = Shot(kind, 0, n, 50 + seed, number, seed % 2, on_right, is_high=bool(seed // 2 % 2))
    story = Story(n, match_of(3, seed), (shot,))
    return np.stack([frame.copy() for frame in render(story, np.random.default_rng(seed), step)])


@cache
def thumbnail(kind: str, seed: int, *, on_right: bool = False) -> NDArray[np.float64]:
    picture = Pillow.fromarray(film(kind, seed, 1, on_right=on_right)[0])
    small = np.asarray(picture.resize(SEEN_PX, Pillow.Resampling.BICUBIC), np.float64)
    scaled: NDArray[np.float64] = (small - small.mean(axis=(0, 1))) / small.std()
    return scaled


def test_noise_and_light_never_wrap_round() -> None:
    for seed, kind in enumerate([*DRAWN, *OTHERS]):
        frames = film(kind, seed)
        assert frames.min() > 4
        assert frames.max() < 254
        if kind in ("referee", "play"):  # nothing that is black and white moves on fast
            assert np.abs(np.diff(frames[:2].astype(int), axis=0)).max() < 240


def test_pictures_of_the_same_story_are_the_same() -> None:
    assert np.array_equal(film("Goal", 1), film("Goal", 1))
    assert not np.array_equal(film("Goal", 1), film("Goal", 2))


def test_a_step_leaves_frames_out_and_changes_none() -> None:
    match = match_of(3, 0)
    shots = (Shot("play", 0, 7, 1), Shot("Offside", 7, 12, 2, 4), Shot("crowd", 12, 16, 3))
    whole, third = (
        np.stack([frame.copy() for frame in render(Story(16, match, shots), np.random.default_rng(0), step)])
        for step in (1, 3)
    )
    assert np.array_equal(whole[::3], third)


@pytest.mark.parametrize("on_right", [False, True])
def test_one_still_picture_tells_every_class_and_that_nothing_is_on(on_right: bool) -> None:
    """By the nearest mean picture of other matches, at the size that the tiny head sees: far from what a net does."""
    kinds = [*DRAWN, *OTHERS]
    means = {name: np.mean([thumbnail(name, seed, on_right=on_right) for seed in range(8)], axis=0) for name in kinds}
    hits, classes = 0, 0
    for name in kinds:
        for seed in range(100, 104):
            small = thumbnail(name, seed, on_right=on_right)
            nearest = min(means, key=lambda other: float(((small - means[other]) ** 2).sum()))
            hits += nearest == name
            classes += (nearest if nearest in DRAWN else None) == (name if name in DRAWN else None)
    assert hits >= 44  # of 56; guessing gets 4
    assert classes >= 46


def test_a_scene_moves_but_for_its_player_standing_on_either_side() -> None:
    for kind in DRAWN:
        frames = film(kind, 4, 6).astype(int)
        assert np.abs(frames[5] - frames[0]).mean() > 2
        mirrored = film(kind, 4, 1, on_right=True)[0]
        assert np.abs(mirrored.astype(int) - frames[0]).mean() > 8


def test_cards_differ_in_colour_alone() -> None:
    red, yellow = film("Red Card", 6, 1)[0].astype(int), film("Yellow Card", 6, 1)[0].astype(int)
    differ = np.abs(red - yellow).max(axis=2) > 40
    assert 200 < differ.sum() < 900  # a card, about 20 x 30 pixels
    greens = red[differ][:, 1].mean(), yellow[differ][:, 1].mean()
    assert greens[0] < 80
    assert greens[1] > 130


@pytest.mark.parametrize("team", list(JERSEYS))
def test_numbers_can_be_read_at_the_size_that_the_head_sees(team: str) -> None:
    def shirt(number: int, seed: int) -> NDArray[np.float64]:
        player = close_up(team, number, RUNNING, np.random.default_rng(seed)).convert("RGB")
        left, top = NECK[0] - 22, NECK[1] + 8
        torso = player.crop((round(left), round(top), round(left) + 44, round(top) + 40))
        small = np.asarray(torso.resize((22, 20), Pillow.Resampling.BICUBIC), np.float64)
        return small + np.random.default_rng(seed).normal(0, 12, small.shape)

    known = {number: shirt(number, 0) for number in range(1, NUMBERS + 1)}
    for number in known:
        seen = shirt(number, 1)
        assert number == min(known, key=lambda other: float(((seen - known[other]) ** 2).sum()))


def test_every_scene_has_a_player_with_his_number_not_mirrored() -> None:
    """The number that is drawn on its own is found on the shirt, on both sides."""
    plain = Pillow.new("RGB", (40, 26), WHITE)
    number_on(Pen(plain), 14, 20, 13, INK)
    wanted = np.asarray(plain.convert("L"), float)
    wanted = (wanted - wanted.mean()) / wanted.std()
    flipped = wanted[:, ::-1]
    match = Match("m", ("white", "white"), 5)
    for kind in [*DRAWN, "player", "net"]:
        for on_right in (False, True):
            story = Story(1, match, (Shot(kind, 0, 1, 9, 14, 0, on_right),))
            frame = next(iter(render(story, np.random.default_rng(0))))
            side = slice(104, 164) if on_right else slice(4, 64)
            grey = np.asarray(Pillow.fromarray(frame).convert("L"), float)[44:100, side]
            right_way, wrong_way = (best(grey, pattern) for pattern in (wanted, flipped))
            assert right_way > 0.85, (kind, on_right)
            assert right_way > wrong_way + 0.1


def best(picture: NDArray[np.float64], pattern: NDArray[np.float64]) -> float:
    """The highest correlation of a pattern with any place of a picture, -1 to 1."""
    windows = np.lib.stride_tricks.sliding_window_view(picture, pattern.shape)
    centred = windows - windows.mean(axis=(2, 3), keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=(2, 3)))
    return float(((centred * pattern).mean(axis=(2, 3)) / np.maximum(spread, 1)).max())
