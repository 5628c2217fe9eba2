"""A story as frames: shots of play and of events, seen by one camera with its light, its shake and its noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from vlmkit_plugins.football.pen import (
    INK,
    JERSEYS,
    MARGIN_PX,
    REFEREE,
    SIZE_PX,
    SKINS,
    WHITE,
    Pen,
)
from vlmkit_plugins.football.pitch import STAND_PX, WIDE_PX, close, crowd, wide
from vlmkit_plugins.football.players import NECK, close_up, small
from vlmkit_plugins.football.scenes import SCENES, Beat
from vlmkit_plugins.football.story import FPS, Match, Shot, Story

_NOISE_FRAMES = 24
_NOISE_MOST = 9
_LEVEL = (10, 19)  # what is added to red, green and blue: a tint
_DIMS: tuple[tuple[int, ...], ...] = ((2,), (3, 4), (3,), (4,))
"""How bright a clip is: a pixel loses these fractions of itself, as powers of a half. Shifts of bytes cost nothing."""
_PLAYERS = 14
_FULL_PX = (SIZE_PX[0] + 2 * MARGIN_PX, SIZE_PX[1] + 2 * MARGIN_PX)

Frames = NDArray[np.uint8]
View = Callable[[float], Pillow.Image]
"""What a shot shows at a number of seconds since it began: a picture of `SIZE_PX` with a margin around."""


def render(story: Story, rng: np.random.Generator, step: int = 1) -> Iterator[Frames]:
    """The frames of a clip, one by one, each `[112, 168, 3]` RGB. The next overwrites a frame: copy what stays.

    With a `step`, only every `step`-th frame; these are the same as without.
    """
    dim = _DIMS[int(rng.integers(len(_DIMS)))]
    noise = _noise() + rng.integers(*_LEVEL, 3, dtype=np.uint8)
    noise_from = int(rng.integers(_NOISE_FRAMES))
    shake_hz, shake_at = rng.uniform(0.15, 0.5, 2), rng.uniform(0, 1, 2)
    frame = np.empty((SIZE_PX[1], SIZE_PX[0], 3), np.uint8)
    for shot in story.shots:
        view = _play(shot, story.match) if shot.kind == "play" else _other(shot, story.match)
        for index in range(-(-shot.start // step) * step, shot.end, step):
            full = view((index - shot.start) / FPS)
            sway = np.sin(2 * math.pi * (shake_hz * index / FPS + shake_at)) * (MARGIN_PX - 2)
            x, y = (int(v) + MARGIN_PX for v in sway.round())
            seen = full.crop((x, y, x + SIZE_PX[0], y + SIZE_PX[1]))
            _scoreboard(seen, story.match)
            pixels = np.asarray(seen)
            # dimmed, all is below 255 by more than the noise and its level: bytes may be added as they are
            np.copyto(frame, pixels)
            for bits in dim:
                frame -= pixels >> bits
            yield np.add(frame, noise[(noise_from + 7 * index) % _NOISE_FRAMES], out=frame)


@cache
def _noise() -> NDArray[np.uint8]:
    """A bank of sensor noise as bytes to add modulo 256, the same for every clip; clips differ in where they start."""
    rng = np.random.default_rng(20261121)
    bank = rng.normal(0, 2.5, (_NOISE_FRAMES, SIZE_PX[1], SIZE_PX[0], 3)).round().clip(-_NOISE_MOST, _NOISE_MOST)
    return bank.astype(np.int8).view(np.uint8)


def _scoreboard(picture: Pillow.Image, match: Match) -> None:
    pen = Pen(picture)
    pen.box(66, 3, 104, 10, INK)
    pen.box(66, 3, 72, 10, JERSEYS[match.teams[0]])
    pen.box(98, 3, 104, 10, JERSEYS[match.teams[1]])
    pen.box(81, 5, 83, 8, WHITE)
    pen.box(87, 5, 89, 8, WHITE)


@lru_cache(maxsize=8)
def _stadium(look: int) -> Pillow.Image:
    return wide(look)


def _play(shot: Shot, match: Match) -> View:
    """The wide view: players run about, the camera follows the ball."""
    rng = np.random.default_rng(shot.look)
    pitch = _stadium(match.look)
    kinds = [*(JERSEYS[match.teams[k % 2]] for k in range(_PLAYERS)), REFEREE]
    skins = rng.integers(len(SKINS), size=len(kinds))
    scale = float(rng.uniform(0.95, 1.25))
    sprites = [[small(c, SKINS[s], step, scale) for step in (0, 1)] for c, s in zip(kinds, skins, strict=True)]
    home = np.stack([rng.uniform(30, WIDE_PX - 30, len(kinds)), rng.uniform(26, 88, len(kinds))], axis=1)
    home = home[np.argsort(home[:, 1])]
    rate, phase = rng.uniform(0.05, 0.22, home.shape), rng.uniform(0, 2 * math.pi, home.shape)
    ball_rate, ball_phase = rng.uniform(0.06, 0.16, 2), rng.uniform(0, 2 * math.pi, 2)
    reach = np.array([26.0, 9.0])

    def view(at_s: float) -> Pillow.Image:
        ball = np.sin(2 * math.pi * ball_rate * at_s + ball_phase) * (110, 24) + (WIDE_PX / 2, 74)
        left = round(min(max(ball[0] - SIZE_PX[0] / 2, 0), WIDE_PX - SIZE_PX[0]))
        picture = pitch.crop((left, 0, left + _FULL_PX[0], _FULL_PX[1]))
        places = home + np.sin(2 * math.pi * rate * at_s + phase) * reach - (left - MARGIN_PX, -MARGIN_PX)
        for k, (x, y) in enumerate(places.round().astype(int).tolist()):
            if -10 < x < _FULL_PX[0]:
                sprite = sprites[k][int(at_s * 4 + k) % 2]
                picture.paste(sprite, (x, y), sprite)
        Pen(picture, 1.0, (MARGIN_PX - left, MARGIN_PX)).oval(ball[0], ball[1], 2.2, 2.2, WHITE, INK)
        return picture

    return view


def _other(shot: Shot, match: Match) -> View:
    rng = np.random.default_rng(shot.look)
    if shot.kind in SCENES:
        return _scene(shot, match, rng)
    return _stand(shot, match, rng)


def _scene(shot: Shot, match: Match, rng: np.random.Generator) -> View:
    """An event, or a close-up of nothing."""
    scene = SCENES[shot.kind]
    beat = Beat(
        at_s=0.0,
        rate_hz=float(rng.uniform(0.7, 1.2)),
        phase=float(rng.random()),
        skin=SKINS[int(rng.integers(len(SKINS)))],
        other=match.teams[1 - shot.team],
        is_high=shot.is_high,
    )
    base = close(match.look + int(rng.integers(3)))
    scene.still(Pen(base, 2.0, (MARGIN_PX, MARGIN_PX), mirrored=shot.on_right), beat)
    base = base.reduce(2)
    player = close_up(match.teams[shot.team], shot.number, scene.hands, rng)
    left = 34 + float(rng.uniform(-4, 6))
    x = (SIZE_PX[0] - left if shot.on_right else left) - NECK[0] + MARGIN_PX
    y = scene.neck_y + float(rng.uniform(-2, 4)) - NECK[1] + MARGIN_PX
    drift, bob_hz = float(rng.uniform(-1.0, 1.0)), float(rng.uniform(0.8, 1.6))

    def view(at_s: float) -> Pillow.Image:
        picture = base.copy()
        pen = Pen(picture, 1.0, (MARGIN_PX, MARGIN_PX), mirrored=shot.on_right)
        now = Beat(at_s, beat.rate_hz, beat.phase, beat.skin, beat.other, beat.is_high)
        scene.behind(pen, now)
        bob = 1.6 * math.sin(2 * math.pi * bob_hz * at_s)
        place = (round(x + drift * 2 * math.sin(at_s)), round(y + bob))
        if shot.kind != "referee" or shot.number % 2:
            picture.paste(player, place, player)
        scene.before(pen, now)
        return picture

    return view


def _stand(shot: Shot, match: Match, rng: np.random.Generator) -> View:
    """A slow pan over the crowd, or over the bench before it."""
    room = 60
    picture = Pillow.new("RGB", (_FULL_PX[0] + room, _FULL_PX[1]), INK)
    crowd(picture, (0, 0, *picture.size), rng, int(rng.integers(4, 10)))
    if shot.kind == "bench":
        pen = Pen(picture)
        pen.box(0, 70, picture.width, picture.height, (96, 100, 108))
        for k in range(6):
            x = 20 + 38 * k
            pen.box(x - 12, 62, x + 12, 100, JERSEYS[match.teams[shot.team]])
            pen.oval(x, 52, 7, 9, SKINS[int(rng.integers(len(SKINS)))])
    speed, start = float(rng.uniform(4, 14)), float(rng.uniform(0, STAND_PX))

    def view(at_s: float) -> Pillow.Image:
        left = round(min(room, start + speed * at_s))
        return picture.crop((left, 0, left + _FULL_PX[0], _FULL_PX[1]))

    return view
