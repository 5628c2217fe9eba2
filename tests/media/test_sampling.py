"""Samplers against picks computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmkit.media.sampling import difference_entropy, pick_entropy, pick_fps, pick_uniform, thin

AT_25 = [i / 25 for i in range(125)]
TIMES = st.lists(st.integers(1, 400), min_size=0, max_size=60).map(
    lambda gaps: [float(t) / 100 for t in np.cumsum([0, *gaps])]
)


@pytest.mark.parametrize(
    ("fps", "picks"),
    [
        (1, [0, 25, 50, 75, 100]),
        (2, [0, 12, 25, 37, 50, 62, 75, 87, 100, 112]),  # 12 and 13 are equally far from half a second
        (25, list(range(125))),
        (50, list(range(125))),
    ],
)
def test_fps(fps: float, picks: list[int]) -> None:
    assert pick_fps(AT_25, fps) == picks


def test_fps_follows_times_and_not_counts() -> None:
    assert pick_fps([0.0, 0.1, 0.2, 0.3, 1.0, 2.0, 2.1], 1) == [0, 4, 5]


def test_fps_costs_what_frames_cost_and_not_what_time_does() -> None:
    assert pick_fps([0.0, 0.5, 3e12], 30) == [0, 1, 2]


def test_fps_gives_a_still_frame_once() -> None:
    assert pick_fps([0.0, 10.0], 2) == [0, 1]


@pytest.mark.parametrize(
    ("frames", "picks"), [(1, [62]), (2, [0, 124]), (3, [0, 62, 124]), (8, [0, 18, 35, 53, 71, 89, 106, 124])]
)
def test_uniform(frames: int, picks: list[int]) -> None:
    assert pick_uniform(AT_25, frames) == picks


def test_uniform_fills_up_where_ticks_share_a_frame() -> None:
    """The last two of the four ticks are both nearest to the last frame; 0.1 is farthest from every pick then."""
    assert pick_uniform([0.0, 0.1, 0.25, 0.3, 10.0], 4) == [0, 1, 3, 4]


@settings(deadline=None, derandomize=True)  # a loaded machine is no fault of the code
@given(TIMES, st.integers(1, 70))
def test_counts_are_kept(times_s: list[float], frames: int) -> None:
    bits = [(i * 37 % 11) / 2 for i in range(len(times_s))]
    wanted = min(frames, len(times_s))
    for picks in (pick_uniform(times_s, frames), pick_entropy(times_s, bits, frames, 0.5)):
        assert len(picks) == wanted
        assert picks == sorted(set(picks))
        if wanted > 1:
            assert (picks[0], picks[-1]) == (0, len(times_s) - 1)


def test_thin_keeps_the_ends() -> None:
    assert thin(range(10), 4) == [0, 3, 6, 9]
    assert thin([5, 6], 4) == [5, 6]
    assert thin(range(10), 1) == [0]


def test_entropy_of_known_differences() -> None:
    still = np.full((8, 8), 100, dtype=np.uint8)
    half = still.copy()
    half[:4] += 40  # two values of difference, half of the pixels each: one bit
    ramp = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4  # 64 differences in 64 bins: six bits
    dark = np.zeros((8, 8), dtype=np.uint8)
    assert list(difference_entropy([still, still, half, dark, ramp])) == pytest.approx([0, 0, 1, 1, 6])


def test_entropy_does_not_see_an_even_change_of_light() -> None:
    picture = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert list(difference_entropy([picture, picture + 50])) == [0, 0]


def test_entropy_picks_the_peaks_and_the_ends() -> None:
    times_s = [i / 10 for i in range(11)]
    bits = [0, 0, 0, 5, 4.9, 0, 0, 3, 0, 0, 0]
    assert pick_entropy(times_s, bits, 4, min_gap_s=0.2) == [0, 3, 7, 10]  # 4 is too near to 3
    assert pick_entropy(times_s, bits, 4, min_gap_s=0.1) == [0, 3, 4, 10]
    assert pick_entropy(times_s, bits, 1, min_gap_s=0.2) == [3]


def test_entropy_narrows_the_gap_rather_than_give_too_few() -> None:
    assert pick_entropy([0.0, 0.1, 0.2, 0.3], [0, 1, 2, 0], 4, min_gap_s=5.0) == [0, 1, 2, 3]


def test_entropy_takes_the_earlier_of_equals() -> None:
    assert pick_entropy([0.0, 1.0, 2.0, 3.0], [0, 1, 1, 0], 3, min_gap_s=0.5) == [0, 1, 3]
