"""The real football preset at its full size with random weights: seconds a window, and measured memory beside the plan.

A full window: 30 s, 120 frames of 336 x 224 pixels. The reply of random weights runs into its budget.
"""

from __future__ import annotations

import numpy as np
from _full_size import measure

from vlmkit.llms.qwen_vl_memory import ARCHITECTURES
from vlmkit.types import Clip, Sample
from vlmkit_plugins.football.drawing import render
from vlmkit_plugins.football.plan import WINDOW
from vlmkit_plugins.football.schema import FPS, WINDOW_S
from vlmkit_plugins.football.stages import STAGES
from vlmkit_plugins.football.story import FPS as DRAWN_FPS
from vlmkit_plugins.football.story import match_of, tell

STEP = round(DRAWN_FPS / FPS)
SCALE = 2  # from 168 x 112


def samples(n: int) -> list[Sample]:
    """Full windows with truth, in memory, as large as the plan has them."""
    made = []
    for index in range(n):
        story = tell(match_of(0, index), np.random.default_rng([0, index, 0]), WINDOW_S)
        frames = np.stack([frame.copy() for frame in render(story, np.random.default_rng([0, index, 1]), STEP)])
        large = frames.repeat(SCALE, axis=1).repeat(SCALE, axis=2)
        made.append(Sample(f"window{index}", {"video": Clip(large, fps=FPS)}, truth=story.truth))
    return made


if __name__ == "__main__":
    measure("football", {"cosmos-reason1-7b": ARCHITECTURES["7b"]}, STAGES, samples, WINDOW)
