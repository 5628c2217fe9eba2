"""Sizes that leave the model's own processor nothing to do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmkit.media import target_size

QWEN_VIDEO = {"min_pixels": 128 * 28 * 28, "max_pixels": 768 * 28 * 28, "multiple_px": 28}
QWEN_IMAGE = {"min_pixels": 56 * 56, "max_pixels": 1280 * 28 * 28, "multiple_px": 28}
WINDOW = {"min_pixels": 112 * 112, "max_pixels": 112 * 112, "multiple_px": 28}
LIMITS = (QWEN_VIDEO, QWEN_IMAGE, WINDOW, {"min_pixels": 65536, "max_pixels": 1048576, "multiple_px": 32})


@pytest.mark.parametrize(
    ("given_px", "limits", "wanted_px"),
    [  # computed with smart_resize of transformers 5.23
        ((640, 480), QWEN_VIDEO, (644, 476)),
        ((1920, 1080), QWEN_VIDEO, (1008, 560)),
        ((320, 240), QWEN_VIDEO, (392, 280)),
        ((336, 336), QWEN_VIDEO, (336, 336)),
        ((100, 4000), QWEN_VIDEO, (112, 4004)),
        ((451, 300), QWEN_IMAGE, (448, 308)),
    ],
)
def test_same_as_qwen(given_px: tuple[int, int], limits: dict[str, int], wanted_px: tuple[int, int]) -> None:
    assert target_size(*given_px, **limits) == wanted_px


def test_exact_where_floats_round_down() -> None:
    """smart_resize says 868 here: the float of 896 / 28 falls just under 32."""
    assert target_size(2136, 1602, **QWEN_VIDEO) == (896, 672)


def test_a_range_of_one_area_is_met() -> None:
    """smart_resize gives 112 x 84, below the range, and would scale that up again."""
    assert target_size(640, 480, **WINDOW) == (112, 112)


@settings(deadline=None, derandomize=True)  # a loaded machine is no fault of the code
@given(st.integers(1, 9000), st.integers(1, 9000), st.sampled_from(LIMITS))
def test_always_a_fixed_point_inside_the_range(width_px: int, height_px: int, limits: dict[str, int]) -> None:
    size_px = target_size(width_px, height_px, **limits)
    assert all(side > 0 and side % limits["multiple_px"] == 0 for side in size_px)
    assert limits["min_pixels"] <= size_px[0] * size_px[1] <= limits["max_pixels"]
    assert target_size(*size_px, **limits) == size_px
