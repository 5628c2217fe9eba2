"""A decoded picture to the numbers of one fixed size that a vision network was trained on. Free of torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Fit = Literal["squash", "pad", "crop"]
"""How another shape is made to fit: stretched, kept whole between bars of the mean colour, or cut at its ends."""
Resample = Literal["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]
"""Pillow's filters, in the order of the numbers that image processors of `transformers` call them by."""


@dataclass(frozen=True)
class Framing:
    """Size, fit and normalisation. Raises `ValueError` where a field is outside its range.

    Nothing is ever mirrored: letters in a picture would be.
    """

    width_px: int
    height_px: int
    mean: tuple[float, float, float]
    """Red, green and blue on a scale of 0..1; what becomes 0."""
    std: tuple[float, float, float]
    """What becomes 1 above the mean."""
    fit: Fit = "squash"
    shortest_px: int | None = None
    """With `crop`, the length of the shorter side before the middle is cut out; as long as needed when not given."""
    resample: Resample = "bicubic"

    def __post_init__(self) -> None:
        for name, choices in (("fit", get_args(Fit)), ("resample", get_args(Resample))):
            if (given := getattr(self, name)) not in choices:
                raise ValueError(f"{name}={given!r} is unknown; choose one of {', '.join(choices)}")
        for name in ("mean", "std"):
            figures = tuple(float(figure) for figure in getattr(self, name))
            if len(figures) != 3 or not all(map(math.isfinite, figures)) or (name == "std" and min(figures) <= 0):
                raise ValueError(f"{name}={figures} are not three numbers{', each above 0' if name == 'std' else ''}")
            object.__setattr__(self, name, figures)  # a list out of JSON and a tuple are one framing
        least = max(self.width_px, self.height_px)
        if min(self.width_px, self.height_px) < 1:
            raise ValueError(f"{self.width_px}x{self.height_px} is no size of a picture")
        if self.shortest_px is not None and (self.fit != "crop" or self.shortest_px < least):
            raise ValueError(f"shortest_px={self.shortest_px} is for fit='crop', and {least} at least")

    def to_json(self) -> dict[str, Any]:
        """Every field as plain JSON data."""
        return {**asdict(self), "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Framing:
        """What `to_json` wrote. Raises `ValueError` for unknown, missing or unfit fields."""
        known = {field.name for field in fields(cls)}
        if set(data) != known:
            raise ValueError(f"Framing: wanted {', '.join(sorted(known))}; given {', '.join(sorted(data))}")
        return cls(**data)


def framed(picture: NDArray[np.uint8], framing: Framing) -> NDArray[np.float32]:
    """RGB `[height, width, 3]` of uint8 to `[3, height_px, width_px]`, scaled, fitted and normalised."""
    height, width = picture.shape[:2]
    target_w, target_h = framing.width_px, framing.height_px
    left = top = 0
    if framing.fit == "squash":
        scaled = _resized(picture, (target_w, target_h), framing.resample)
        return _normalised(scaled, framing)
    if framing.fit == "crop":
        shortest = framing.shortest_px or max(target_w, target_h)
        # whole pixels are cut off here, as image processors do
        size = (
            (shortest, int(shortest * height / width))
            if width <= height
            else (int(shortest * width / height), shortest)
        )
        scaled = _resized(picture, size, framing.resample)
        left, top = (size[0] - target_w) // 2, (size[1] - target_h) // 2
        return _normalised(scaled[top : top + target_h, left : left + target_w], framing)
    share = min(target_w / width, target_h / height)
    size = (max(1, round(width * share)), max(1, round(height * share)))
    scaled = _resized(picture, size, framing.resample)
    left, top = (target_w - size[0]) // 2, (target_h - size[1]) // 2
    found = np.zeros((3, target_h, target_w), np.float32)
    found[:, top : top + size[1], left : left + size[0]] = _normalised(scaled, framing)
    return found


def _resized(picture: NDArray[np.uint8], size: tuple[int, int], resample: Resample) -> NDArray[np.uint8]:
    from PIL import Image as pillow

    if picture.shape[1::-1] == size:
        return picture
    filters = get_args(Resample).index(resample)
    return np.asarray(pillow.fromarray(picture).resize(size, resample=pillow.Resampling(filters)))


def _normalised(picture: NDArray[np.uint8], framing: Framing) -> NDArray[np.float32]:
    shares = picture.astype(np.float32) / np.float32(255)
    mean, std = (np.array(figures, np.float32) for figures in (framing.mean, framing.std))
    found: NDArray[np.float32] = (shares - mean) / std
    return np.ascontiguousarray(found.transpose(2, 0, 1))
