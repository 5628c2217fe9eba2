"""A real warehouse preset at its full size with random weights: seconds, and measured memory beside the plan."""

from __future__ import annotations

from _full_size import measure

from vlmkit.llms.qwen_vl_memory import Load
from vlmkit.types import Clip, Sample
from vlmkit_plugins.warehouse.plan import ARCHITECTURES
from vlmkit_plugins.warehouse.stages import STAGES
from vlmkit_plugins.warehouse.synth import draw_clip


def samples(n: int) -> list[Sample]:
    """Synthetic clips with truth, in memory."""
    drawn = [draw_clip(0, index) for index in range(n)]
    return [Sample(f"clip{i}", {"video": Clip(d.frames, fps=25.0)}, truth=d.truth) for i, d in enumerate(drawn)]


if __name__ == "__main__":
    measure("warehouse", ARCHITECTURES, STAGES, samples, Load(reply_tokens=138))
