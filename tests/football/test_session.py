from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.football.test_synth import decoded
from vlmkit.errors import DataError
from vlmkit_plugins.football.session import EVERY_S, session
from vlmkit_plugins.football.synth import clip_story, draw_clip, write_film

SEED = 8
CLIP = next(k for k in range(99) if clip_story(SEED, k).timeline and clip_story(SEED, k).n_frames < 190)


def test_a_session_shows_its_clips_at_their_times(tmp_path: Path) -> None:
    clip = draw_clip(SEED, CLIP)
    truth = session(tmp_path / "m.mkv", 30, 1, {14: (SEED, CLIP)}, lossless=True)
    write_film(tmp_path / "c.mkv", clip.frames, lossless=True)
    match, alone = decoded(tmp_path / "m.mkv"), decoded(tmp_path / "c.mkv")
    assert len(match) == 30 * 12
    assert np.array_equal(match[14 * 12 :][: len(alone)], alone)
    assert truth.root == tuple(event.shifted(14) for event in clip.truth.root)


def test_a_slower_film_has_some_of_the_same_frames(tmp_path: Path) -> None:
    where = {2: (SEED, CLIP)}
    truths = [session(tmp_path / f"{fps}.ts", 20, 1, where, fps=fps, lossless=True) for fps in (12, 4)]
    fast, slow = decoded(tmp_path / "12.ts"), decoded(tmp_path / "4.ts")
    assert np.array_equal(fast[::3], slow)
    assert truths[0] == truths[1]


def test_clips_come_every_few_minutes_where_none_are_named(tmp_path: Path) -> None:
    truth = session(tmp_path / "m.mp4", EVERY_S // 2 + 31, SEED, fps=1)
    assert truth.root == tuple(event.shifted(EVERY_S // 2) for event in clip_story(SEED, 0).truth.root)
    assert decoded(tmp_path / "m.mp4").shape[0] == EVERY_S // 2 + 31


@pytest.mark.parametrize(
    ("seconds", "clips", "fps", "message"),
    [
        (40, {}, 5, "divides 12"),
        (0, {}, 12, "a second or more"),
        (60, {5: (SEED, CLIP), 9: (SEED, CLIP)}, 12, "begins at 9 s, where another"),
        (8, {5: (SEED, CLIP)}, 12, "after the session's 8 s"),
        (60, {-1: (SEED, CLIP)}, 12, "begins at -1 s"),
    ],
)
def test_what_cannot_be_is_refused(
    tmp_path: Path, seconds: int, clips: dict[int, tuple[int, int]], fps: int, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        session(tmp_path / "m.mp4", seconds, 1, clips, fps=fps)
    assert not (tmp_path / "m.mp4").exists()
