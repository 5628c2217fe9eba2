"""What each preset looks at: frames of a clip, and their size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vlmkit.media.spec import ImageSpec, VideoSpec
from vlmkit_plugins.warehouse.schema import CLIP_FRAMES, FPS

CLIP_S = CLIP_FRAMES / FPS
_CELL = 28 * 28  # pixels of one merged token

# 336 x 336, the brief's frame size: 144 tokens a pair of frames; 10 frames of 5 s.
_FULL = VideoSpec(fps=2.0, min_pixels=36 * _CELL, max_pixels=144 * _CELL, max_s=CLIP_S, over="head")

VIDEO: Mapping[str, VideoSpec] = {
    "tiny": VideoSpec(fps=2.0, max_frames=10, min_pixels=4 * _CELL, max_pixels=12 * _CELL, max_s=CLIP_S, over="head"),
    "qwen2.5-vl-3b": _FULL,
    "qwen2.5-vl-7b": _FULL,
}
IMAGE = ImageSpec()


def specs(preset: str) -> Mapping[str, Any]:
    """The preprocessing of a preset as JSON data, by modality."""
    return {"video": VIDEO[preset].to_json(), "image": IMAGE.to_json()}
