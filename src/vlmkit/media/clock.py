"""When frames are shown, in the numbers that every engine is told, so that all of them read the same times."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from statistics import median
from typing import Any

from vlmkit.media.spec import VideoSpec
from vlmkit.media.video import Frames

TICKS = 1_000_000
"""A second in whole ticks: a time is a tick's number over this, and the same float wherever it is divided."""

_ROUNDING = 1e-3  # of rates and times: containers count in ticks of their own


def ticks(frames: Frames) -> list[int]:
    """When each frame is shown, in ticks after the clip's start."""
    return [round(time_s * TICKS) for time_s in frames.times_s]


def spacing_s(frames: Frames, spec: VideoSpec) -> float:
    """Seconds between two frames, as Qwen2.5-VL's M-RoPE wants it: one figure for the whole film.

    Positions are truncated to whole numbers, so a figure that falls just short of the nominal one would move frames:
    the asked rate counts where it could be met, and the median of the real distances elsewhere.
    """
    thinned = any(note.code == "frames_capped" for note in frames.notes)
    met = spec.sampler == "fps" and not thinned and frames.source_fps > spec.fps * (1 - _ROUNDING)
    if met or len(frames.times_s) < 2:
        return 1.0 / spec.fps
    gaps = [b - a for a, b in pairwise(frames.times_s)]
    return median(gaps) * (1 + _ROUNDING)


def metadata(frames: Frames, spec: VideoSpec) -> Mapping[str, Any]:
    """The same as `transformers` and vLLM describe frames that were picked already: each by its place in a film.

    The film is one of `TICKS` frames a second, so that places are times (Qwen3-VL reads them), and as long as makes
    the mean distance of the picked frames `spacing_s` (Qwen2.5-VL reads that). Never a shorter distance, see there.
    """
    n = len(frames.times_s)
    total = math.ceil(n * TICKS * spacing_s(frames, spec) - 1e-3)  # whole numbers stay, whatever floats make of them
    return {
        "fps": float(TICKS),
        "frames_indices": ticks(frames),
        "total_num_frames": max(total, n),
        "duration": frames.duration_s,
        "do_sample_frames": False,
    }
