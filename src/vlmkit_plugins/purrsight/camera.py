"""How a camera spoils a drawing: light, tint, blur, noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageFilter

_GREY = 0.08
"""Share of pictures without colour."""


@dataclass(frozen=True)
class Exposure:
    """One camera in one light, the same for all frames of a film."""

    curve: tuple[int, ...]
    """256 values for each of red, green, blue."""
    blur_px: float
    noise: float
    """Standard deviation in grey levels."""
    is_grey: bool

    def develop(self, picture: Pillow.Image) -> Pillow.Image:
        """Light, tint and blur; the noise is left to the caller."""
        if self.is_grey:
            picture = picture.convert("L").convert("RGB")
        picture = picture.point(self.curve)
        return picture.filter(ImageFilter.GaussianBlur(self.blur_px)) if self.blur_px > 0.3 else picture


def exposure(rng: np.random.Generator) -> Exposure:
    """A camera and a light by chance."""
    gain = float(rng.uniform(0.7, 1.15)) * rng.uniform(0.93, 1.07, 3)
    gamma = float(rng.uniform(0.8, 1.25))
    ramp = (np.arange(256) / 255) ** gamma * 255
    curve = np.clip(ramp[None] * gain[:, None] + rng.uniform(0, 14), 0, 255).astype(int)
    return Exposure(
        curve=tuple(curve.ravel().tolist()),
        blur_px=float(rng.uniform(-0.6, 1.0)),
        noise=float(rng.uniform(0, 7)),
        is_grey=bool(rng.random() < _GREY),
    )


def shoot(picture: Pillow.Image, rng: np.random.Generator) -> NDArray[np.uint8]:
    """An RGB picture as a random camera sees it, `[height, width, 3]`."""
    seen = exposure(rng)
    pixels = np.asarray(seen.develop(picture), np.float32)
    grain = rng.standard_normal(pixels.shape, np.float32)
    return (pixels + grain * np.float32(seen.noise)).clip(0, 255).astype(np.uint8)
