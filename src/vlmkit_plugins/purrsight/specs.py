"""What each preset looks at and listens to: how much of a picture, which frames of a film, how long a sound."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from vlmkit.media.spec import AudioSpec, ImageSpec, VideoSpec

RATE_HZ = 16_000
"""Of both presets' Cnn14."""

# The trunk's own data configuration scales and crops; here a picture only keeps its size up to a limit.
_PIXELS = {"min_pixels": 1, "max_pixels": 1024 * 1024, "multiple_px": 1}
IMAGE = ImageSpec(**_PIXELS)

# 16 frames evenly over the film, as the first PurrSight took them; a minute of film and of sound at most.
VIDEO: Mapping[str, VideoSpec] = {
    "qwen2.5-0.5b": VideoSpec(
        sampler="uniform", frames=16, max_frames=16, max_s=60.0, over="head", **{**_PIXELS, "max_pixels": 640 * 480}
    ),
    "tiny": VideoSpec(
        sampler="uniform", frames=4, max_frames=4, max_s=10.0, over="head", **{**_PIXELS, "max_pixels": 320 * 320}
    ),
}
# 256 frames of 10 ms, as the first PurrSight looked at; the tiny one's frames are 20 ms, its sounds 2 s and more.
AUDIO: Mapping[str, AudioSpec] = {
    "qwen2.5-0.5b": AudioSpec(rate_hz=RATE_HZ, window_s=2.56, min_s=0.4, max_s=60.0, over="head"),
    "tiny": AudioSpec(rate_hz=RATE_HZ, window_s=2.0, min_s=0.8, max_s=10.0, over="head"),
}
TEXT_TOKENS = 32
"""Of a text that the text tower reads (facts of the first PurrSight); the language model reads all of it."""


@cache
def specs(preset: str) -> Mapping[str, Any]:
    """The preprocessing of a preset as JSON data, by modality: as its encoders say it. Imports torch."""
    from vlmkit_plugins.purrsight import recipe

    found: dict[str, Any] = {}
    for encoder in recipe.encoders(recipe.random_modules(preset), preset):
        found |= encoder.spec
    return found
