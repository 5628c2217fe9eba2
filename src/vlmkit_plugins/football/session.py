"""A long match film with known truth: clips at known times, and play between them. For tests and benchmarks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vlmkit.errors import DataError
from vlmkit_plugins.football.drawing import Frames, render
from vlmkit_plugins.football.schema import Events, events_of
from vlmkit_plugins.football.story import FPS, LONGEST_S, Shot, Story, match_of, tell
from vlmkit_plugins.football.synth import clip_story, write_film

EVERY_S = 300
"""From one clip to the next, where they are not named."""


def session(
    path: Path,
    seconds: int,
    seed: int,
    clips: Mapping[int, tuple[int, int]] | None = None,
    *,
    fps: int = FPS,
    lossless: bool = False,
) -> Events:
    """Write a match of so many seconds and return its truth. Drawn and written frame by frame, whatever its length.

    Args:
        path: the film; its suffix names the container.
        clips: which clips begin at which second, as `(seed, index)`; their frames are those of `draw_clip`. Between
            them is play without an event. None: a clip of `seed` every `EVERY_S`.
        fps: frames a second of the film; a divisor of `FPS`, of whose frames it has every `FPS / fps`-th.
        lossless: as `write_film` has it, so that a clip's frames are the same in a session and on its own.

    Raises `DataError` for a rate that is no divisor, and for clips that overlap or end after the session.
    """
    if fps < 1 or FPS % fps or seconds < 1:
        raise DataError(
            f"a session wants a second or more, and an fps that divides {FPS}; given {seconds} s, fps={fps}"
        )
    if clips is None:
        clips = {at: (seed, k) for k, at in enumerate(range(EVERY_S // 2, seconds - round(LONGEST_S), EVERY_S))}
    parts = list(_parts(seconds, seed, clips))
    write_film(path, (frame for part in parts for frame in part.frames(FPS // fps)), fps, lossless=lossless)
    return events_of([event.shifted(part.at_s) for part in parts for event in part.story.truth.root])


class _Part(NamedTuple):
    """A stretch of a session: a story, what draws its camera, and the second that it begins at."""

    story: Story
    draw: tuple[int, ...]
    at_s: int

    def frames(self, step: int) -> Iterator[Frames]:
        return render(self.story, np.random.default_rng(self.draw), step)


def _parts(seconds: int, seed: int, clips: Mapping[int, tuple[int, int]]) -> Iterator[_Part]:
    at = 0
    match = match_of(seed, 0)
    for start, (own, index) in [*sorted(clips.items()), (seconds, (seed, -1))]:
        if start < at:
            raise DataError(f"a clip begins at {start} s, where another is on until {at} s")
        if start > at:
            play = tell(match, np.random.default_rng([seed, at, 3]), start - at, 0)
            yield _Part(play, (seed, at, 4), at)
        if index < 0:
            return
        story = _whole(clip_story(own, index))
        at = start + story.n_frames // FPS
        if at > seconds:
            raise DataError(f"clip {index} of seed {own} ends at {at} s, after the session's {seconds} s")
        yield _Part(story, (own, index, 2), start)


def _whole(story: Story) -> Story:
    """The same with play up to the next whole second."""
    n = -(-story.n_frames // FPS) * FPS
    rest = (Shot("play", story.n_frames, n, story.match.look),) if n > story.n_frames else ()
    return Story(n, story.match, (*story.shots, *rest))
