"""Pictures, films and sounds as models take them, with real times. Pillow and PyAV load when something is opened."""

from __future__ import annotations

from vlmkit.media.audio import Waveform, open_audio, windows
from vlmkit.media.image import Picture, open_image
from vlmkit.media.plot import plot_samplers
from vlmkit.media.size import target_size
from vlmkit.media.spec import WHOLE, AudioSpec, ImageSpec, VideoSpec
from vlmkit.media.video import Frames, entropy_curve, length_s, open_video

__all__ = [
    "WHOLE",
    "AudioSpec",
    "Frames",
    "ImageSpec",
    "Picture",
    "VideoSpec",
    "Waveform",
    "entropy_curve",
    "length_s",
    "open_audio",
    "open_image",
    "open_video",
    "plot_samplers",
    "target_size",
    "windows",
]
