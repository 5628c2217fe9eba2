"""The memory plan as text: `vlmkit info warehouse --plan`, beside the formula of the task's brief and its gaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from vlmkit.errors import UnknownNameError
from vlmkit.llms.qwen_vl_memory import ARCHITECTURES as PUBLISHED
from vlmkit.llms.qwen_vl_memory import Architecture, Load, training
from vlmkit.llms.qwen_vl_plan import plan_lines

ARCHITECTURES = {f"qwen2.5-vl-{size}": figures for size, figures in PUBLISHED.items()}
CARDS_GB = {"T4": 16.0, "A100": 40.0}
"""Nominal memory of the brief's two cards."""
RANKS = (8, 16)


def brief_gb() -> float:
    """The brief's own formula: base, LoRA, and 0.4 of 8 frames x 256 tokens x batch 2 x hidden 1536 x 2 bytes."""
    return 2.0 + 0.3 + 0.4 * (8 * 256 * 2 * 1536 * 2) / 1e9


def lines(preset: str, load: Load | None = None) -> tuple[str, ...]:
    """The plan of a preset at one load (10 frames of 336 x 336 when none is given), one line of text each.

    Raises `UnknownNameError` for a preset without architecture figures; `tiny` needs no plan and says so.
    """
    if preset == "tiny":
        return ("tiny: about 1.4 M parameters, 6 MB in fp32; it runs on a CPU and needs no plan",)
    if preset not in ARCHITECTURES:
        raise UnknownNameError("preset", preset, [*ARCHITECTURES, "tiny"])
    return tuple(_lines(preset, ARCHITECTURES[preset], load or Load()))


def _lines(preset: str, architecture: Architecture, load: Load) -> Iterator[str]:
    yield from plan_lines(preset, architecture, load, ranks=RANKS, cards_gb=CARDS_GB)
    yield ""
    yield from _about_brief(architecture, load)


def _about_brief(a: Architecture, load: Load) -> Iterator[str]:
    ours = training(a, "nf4", replace(load, batch=2), RANKS[0])
    yield f"the brief's formula: 2.0 + 0.3 + 0.4 x (8 x 256 x 2 x 1536 x 2 B) / 10^9 = {brief_gb():.3f} GB"
    yield f"this plan for that case (NF4, batch 2, r={RANKS[0]}): {ours.total / 1e9:.3f} GB; what the formula misses:"
    yield (
        f"  - weights: 2.0 GB is no size of Qwen2.5-VL; with 4-bit matrices this one takes {ours.weights / 1e9:.2f}, "
        "for embedding, head, norms and biases stay 16-bit"
    )
    yield (
        f"  - activations: it counts one tensor of one layer, 1536 wide (Qwen2-VL-2B); {a.layers} layers of {a.hidden} "
        f"keep a row each and one layer is recomputed: {ours.activations / 1e9:.2f} GB"
    )
    yield (
        f"  - what it does not count: gradients {ours.gradients / 1e9:.2f}, Adam {ours.optimiser / 1e9:.2f}, "
        f"logits {ours.logits / 1e9:.2f}, vision tower {ours.vision / 1e9:.2f}, "
        f"CUDA context and waste {ours.allowance / 1e9:.2f} GB"
    )
    yield "  - text: prompt and reply take positions too; the factor 0.4 is given without a reason"
