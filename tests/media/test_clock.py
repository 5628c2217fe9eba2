from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmkit.media.clock import TICKS, metadata, spacing_s, ticks
from vlmkit.media.spec import VideoSpec
from vlmkit.media.video import Frames, open_video
from vlmkit.types import Clip, Problem


def film(n: int, fps: float) -> Clip:
    return Clip(np.full((n, 28, 28, 3), 7, np.uint8), fps=fps)


def spec(fps: float, frames: int = 64) -> VideoSpec:
    return VideoSpec(fps=fps, max_frames=frames, min_pixels=28 * 28)


def step_s(told: dict[str, object], patch: int = 2) -> float:
    """Seconds a time step, as `transformers` and vLLM work it out (`VideoMetadata.sampled_fps`)."""
    indices, total, fps = told["frames_indices"], told["total_num_frames"], told["fps"]
    assert isinstance(indices, list) and isinstance(total, int) and isinstance(fps, float)
    return patch / (len(indices) / total * fps)


@pytest.mark.parametrize("fps", [0.5, 1, 2, 3, 4, 6, 7, 8, 10, 30])
@pytest.mark.parametrize("n", [2, 17, 64])
def test_an_asked_rate_that_was_met_is_told_exactly(fps: float, n: int) -> None:
    frames = open_video(film(n, fps), spec(fps))
    assert len(frames.times_s) == n
    assert spacing_s(frames, spec(fps)) == 1 / fps
    told = metadata(frames, spec(fps))
    # positions are whole numbers: a step that falls short of the nominal one by anything would move frames
    nominal, given = np.float32(2 / fps), np.float32(step_s(dict(told)))
    assert nominal <= given <= nominal * np.float32(1 + 2e-5)


def test_a_film_slower_than_asked_counts_by_its_own_distances() -> None:
    frames = open_video(film(9, 3), spec(4))
    told = metadata(frames, spec(4))
    assert step_s(dict(told)) == pytest.approx(2 / 3, rel=2e-3)
    assert step_s(dict(told)) >= 2 / 3


def test_a_thinned_film_counts_by_the_distances_that_were_left() -> None:
    frames = open_video(film(64, 4), spec(4, frames=16))
    assert [note.code for note in frames.notes] == ["frames_capped"]
    assert spacing_s(frames, spec(4, frames=16)) == pytest.approx(1, rel=0.3)


def test_one_frame_counts_as_one_of_the_asked_rate() -> None:
    frames = open_video(film(1, 25), spec(4))
    assert spacing_s(frames, spec(4)) == 0.25
    assert metadata(frames, spec(4))["total_num_frames"] == TICKS // 4


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(0, 7200, allow_nan=False), min_size=1, max_size=40, unique=True))
def test_a_place_over_the_rate_is_the_time_itself(times: list[float]) -> None:
    times = sorted(times)
    frames = Frames(np.zeros((len(times), 1, 1, 3), np.uint8), tuple(times), 7200.0, 4.0, len(times), (1, 1))
    told = metadata(frames, spec(4))
    assert told["frames_indices"] == ticks(frames)
    for place, time in zip(told["frames_indices"], times, strict=True):
        assert math.isclose(place / told["fps"], time, abs_tol=0.5 / TICKS)
        assert place / told["fps"] == round(time, 6)


def test_notes_about_anything_else_do_not_count_as_thinned() -> None:
    frames = Frames(
        np.zeros((2, 1, 1, 3), np.uint8), (0.0, 0.25), 0.5, 4.0, 2, (1, 1), (Problem("rotation_ignored", "x", "video"),)
    )
    assert spacing_s(frames, spec(4)) == 0.25
