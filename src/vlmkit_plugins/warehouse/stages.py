"""How the presets are trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlmkit.training.stage import Stage
from vlmkit.types import Sample
from vlmkit_plugins.warehouse.schema import CLIP_FRAMES, FPS


def operation_at(sample: Sample, time_s: float) -> str | None:
    """The operation that a sample's timeline shows at a moment; None outside it or without one."""
    frame = time_s * FPS
    for operation, start, end in sample.meta.get("timeline", ()):
        if start <= frame < end:
            return str(operation)
    return None


# From random weights, end to end, the answer's JSON is right within 100 steps and nothing else is learned: the tower
# has to see first (probe), the language model has to read it (rows kept), and then both tune in together.
_TINY = (
    Stage(
        "see",
        "probe",
        ("encoder",),
        {"encoder": 2e-3},
        steps=250,
        batch_size=16,
        label_at=operation_at,
        label_names=("timeline",),
    ),
    Stage("read", "sft", ("llm",), {"llm": 1.5e-3}, steps=1600, batch_size=16, sigma=3.0, last_number=CLIP_FRAMES),
    Stage(
        "join",
        "sft",
        ("encoder", "llm"),
        {"encoder": 5e-4, "llm": 8e-4},
        steps=500,
        batch_size=16,
        sigma=3.0,
        last_number=CLIP_FRAMES,
    ),
)

# LoRA as the warehouse brief sets it: rate 2e-4, two clips at once and eight times that a step, checkpointing.
_RANK = {"role": "llm", "r": 8, "alpha": 16, "dropout": 0.05}
_LORA = (
    Stage(
        "lora",
        "sft",
        ("lora",),
        {"lora": 2e-4},
        steps=300,
        batch_size=2,
        accumulate=8,
        checkpointing=True,
        lora=_RANK,
    ),
)

STAGES: Mapping[str, Sequence[Stage]] = {"tiny": _TINY, "qwen2.5-vl-3b": _LORA, "qwen2.5-vl-7b": _LORA}
