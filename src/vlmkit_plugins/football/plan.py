"""The memory plan as text: `vlmkit info football --plan`."""

from __future__ import annotations

from collections.abc import Sequence

from vlmkit.llms.qwen_vl_memory import ARCHITECTURES, Load
from vlmkit.llms.qwen_vl_plan import plan_lines
from vlmkit_plugins.football.schema import FPS, WINDOW_S

CARDS_GB = {"L4": 24.0, "A100 40G": 40.0, "A100 80G": 80.0}
"""Nominal memory of cards that are held against the plan."""
RANKS = (16, 8)
# A full window at 4 frames a second of 336 x 224 pixels, the 3:2 picture within the original's 81,920 pixels a frame.
WINDOW = Load(frames=int(FPS * WINDOW_S), width_px=336, height_px=224, text_tokens=96, reply_tokens=512)


def lines(preset: str) -> Sequence[str]:
    """The plan of a preset about one full window; `tiny` needs none and says so."""
    if preset == "tiny":
        return ("tiny: about 1.6 M parameters, 6 MB in fp32; it runs on a CPU and needs no plan",)
    return tuple(plan_lines(preset, ARCHITECTURES["7b"], WINDOW, ranks=RANKS, cards_gb=CARDS_GB))
