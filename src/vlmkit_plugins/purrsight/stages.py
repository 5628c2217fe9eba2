"""How the presets are trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlmkit.training.stage import Stage
from vlmkit_plugins.purrsight.data import group, labels

# From random weights: first the encoders learn what a sample's markers are, each from its own modality (attributes);
# then their rows are brought together (align); then the language model learns to read them (sft).
_TINY = (
    Stage("see", "attributes", ("encoder",), {"encoder": 2e-3}, steps=1500, batch_size=48, labels=labels),
    Stage("align", "align", ("aligner",), {"aligner": 2e-3}, steps=1500, batch_size=64, evals=5, group=group),
    Stage(
        "read",
        "sft",
        ("aligner", "projector", "llm"),
        {"aligner": 1e-3, "projector": 1e-3, "llm": 1e-3},
        steps=1200,
        batch_size=16,
        evals=4,
    ),
)

# Rates, LoRA and batch as the first PurrSight's cluster runs had them: 2e-4, five times that for the projector, half
# of it for the adapter (facts of the task, A9). Its aligner is trained first and then left alone.
_RANK = {"role": "llm", "r": 16, "alpha": 32, "dropout": 0.1, "targets": ("q_proj", "k_proj", "v_proj", "o_proj")}
_FULL = (
    Stage(
        "align",
        "align",
        ("aligner",),
        {"aligner": 1e-3},
        steps=2000,
        batch_size=32,
        evals=10,
        patience=3,
        group=group,
    ),
    Stage(
        "sft",
        "sft",
        ("projector", "lora"),
        {"projector": 1e-3, "lora": 1e-4},
        steps=1000,
        batch_size=4,
        accumulate=4,
        checkpointing=True,
        evals=10,
        patience=3,
        max_tokens=1024,
        lora=_RANK,
    ),
)

STAGES: Mapping[str, Sequence[Stage]] = {"tiny": _TINY, "qwen2.5-0.5b": _FULL}
