"""What each preset looks at: frames of a clip, and their size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vlmkit.media.spec import ImageSpec, VideoSpec
from vlmkit_plugins.football.schema import FPS, WINDOW_S

_CELL = 28 * 28  # pixels of one merged token
_FRAMES = int(FPS * WINDOW_S)
_SLACK_S = 1.0  # a film counts as one window when it is longer by less than this

VIDEO: Mapping[str, VideoSpec] = {
    "tiny": VideoSpec(
        fps=FPS, max_frames=_FRAMES, min_pixels=4 * _CELL, max_pixels=6 * _CELL, max_s=WINDOW_S + _SLACK_S
    ),
    # 81,920 pixels a frame are those of the original training; its cap of ten frames contradicted its four a second.
    "cosmos-reason1-7b": VideoSpec(
        fps=FPS, max_frames=_FRAMES, min_pixels=16 * _CELL, max_pixels=81_920, max_s=WINDOW_S + _SLACK_S
    ),
}
IMAGE = ImageSpec()


def specs(preset: str) -> Mapping[str, Any]:
    """The preprocessing of a preset as JSON data, by modality."""
    return {"video": VIDEO[preset].to_json(), "image": IMAGE.to_json()}
