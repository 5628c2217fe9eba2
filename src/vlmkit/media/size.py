"""How large a picture goes into a model: areas in a range, sides in whole patches."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, isqrt

MAX_SOURCE_PIXELS = 89_478_485
"""Pictures above this area are refused undecoded: Pillow's own limit, a quarter of 1 GiB at 3 bytes a pixel."""

MAX_SIDE_RATIO = 200
"""Longest side over shortest; where `smart_resize` of Qwen2-VL draws the line too."""


@lru_cache(maxsize=1024)
def target_size(
    width_px: int, height_px: int, *, min_pixels: int, max_pixels: int, multiple_px: int
) -> tuple[int, int]:
    """Width and height to scale to: multiples of `multiple_px`, area in `[min_pixels, max_pixels]`, shape kept.

    The rule is that of `smart_resize` in `transformers.models.qwen2_vl.image_processing_qwen2_vl`, in whole
    numbers, so that the processor of the model finds nothing left to resize. Where that rule alone ends
    outside the range (a narrow range, a thin picture), the grid inside it whose shape is nearest is taken: the
    answer is always a fixed point. The caller sees to it that the range holds a whole number of cells.
    """
    unit = multiple_px
    columns, rows = round(width_px / unit), round(height_px / unit)
    area = columns * rows * unit * unit
    if area > max_pixels:
        columns = max(1, isqrt(width_px * max_pixels // (height_px * unit * unit)))
        rows = max(1, isqrt(height_px * max_pixels // (width_px * unit * unit)))
    elif area < min_pixels:
        columns = _ceil_root(width_px * min_pixels, height_px * unit * unit)
        rows = _ceil_root(height_px * min_pixels, width_px * unit * unit)
    if not min_pixels <= columns * rows * unit * unit <= max_pixels:
        low, high = cells(min_pixels, max_pixels, unit)
        columns, rows = _nearest_grid(width_px / height_px, low, high)
    return columns * unit, rows * unit


def cells(min_pixels: int, max_pixels: int, multiple_px: int) -> tuple[int, int]:
    """The fewest and the most cells of `multiple_px` squared in the range; fewest > most where there are none."""
    unit = multiple_px * multiple_px
    return max(1, ceil(min_pixels / unit)), max_pixels // unit


def _ceil_root(numerator: int, denominator: int) -> int:
    # The smallest k with k * k >= numerator / denominator, free of rounding.
    root = isqrt(numerator // denominator)
    return root if root * root * denominator >= numerator else root + 1


def _nearest_grid(ratio: float, low: int, high: int) -> tuple[int, int]:
    best, best_distance = (low, 1), float("inf")
    for rows in range(1, high + 1):
        fewest, most = max(1, ceil(low / rows)), high // rows
        if fewest > most:
            continue
        columns = min(max(round(rows * ratio), fewest), most)
        shape = columns / rows
        distance = max(shape / ratio, ratio / shape)
        if distance < best_distance:
            best, best_distance = (columns, rows), distance
    return best
