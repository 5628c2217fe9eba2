"""Pictures and films to pixels with real times. Imports numpy; Pillow and PyAV only when something is opened."""

from __future__ import annotations

from vlmkit.media.image import Picture, open_image
from vlmkit.media.plot import plot_samplers
from vlmkit.media.size import target_size
from vlmkit.media.spec import ImageSpec, VideoSpec
from vlmkit.media.video import Frames, entropy_curve, open_video

__all__ = [
    "Frames",
    "ImageSpec",
    "Picture",
    "VideoSpec",
    "entropy_curve",
    "open_image",
    "open_video",
    "plot_samplers",
    "target_size",
]
