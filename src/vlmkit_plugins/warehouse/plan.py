"""The memory plan as text: `vlmkit info warehouse --plan`, beside the formula of the task's brief and its gaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from vlmkit.errors import UnknownNameError
from vlmkit_plugins.warehouse.memory import ARCHITECTURES, Architecture, Load, Storage, Use, inference, training

CARDS_GB = {"T4": 16.0, "A100": 40.0}
"""Nominal memory of the brief's two cards."""
RANKS = (8, 16)
BATCHES = (1, 2, 8)
_STORAGES: tuple[Storage, ...] = ("bf16", "nf4")
_NAMES = {"bf16": "fp16/bf16", "nf4": "NF4 4-bit"}
_HEAD = ("weights", "lora", "grads", "adam", "activ.", "logits", "kv", "vision", "other", "TOTAL")


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
    a = architecture
    head = "tied" if a.tied else f"{a.head_parameters:,}"
    yield (
        f"{preset}: {a.parameters:,} parameters "
        f"(vision {a.vision_parameters:,}, text {a.text_parameters:,}, output head {head})"
    )
    side = load.side_px // 28
    yield (
        f"a clip: {load.frames} frames of {load.side_px} x {load.side_px} px -> {load.steps} x {side} x {side} = "
        f"{load.visual_tokens} visual tokens, + {load.text_tokens} of text + {load.reply_tokens} of reply = "
        f"{load.sequence} positions"
    )
    yield "LoRA on q, k, v, o, gate, up, down of the language model: " + "; ".join(
        f"r={rank}: {a.lora_parameters(rank):,} parameters" for rank in RANKS
    )
    yield "GB = 10^9 bytes. TOTAL takes the larger of vision and activ. + logits: they are not needed at once."
    yield ""
    yield from _table(
        f"training, gradient checkpointing, LoRA r={RANKS[0]} and AdamW in fp32",
        [(s, b, training(a, s, replace(load, batch=b), RANKS[0])) for s in _STORAGES for b in BATCHES],
    )
    yield ""
    yield from _table(
        "inference, adapter merged",
        [(s, b, inference(a, s, replace(load, batch=b))) for s in _STORAGES for b in BATCHES],
    )
    yield ""
    yield from _about_brief(a, load)


def _table(title: str, rows: Sequence[tuple[Storage, int, Use]]) -> Iterator[str]:
    yield f"{title} (GB)"
    yield f"  {'weights as':<10} {'batch':>5} " + " ".join(f"{name:>7}" for name in _HEAD) + "  fits"
    for storage, batch, use in rows:
        parts = (
            use.weights, use.lora, use.gradients, use.optimiser, use.activations, use.logits, use.kv_cache,
            use.vision, use.allowance, use.total,
        )  # fmt: skip
        fits = ", ".join(card for card, size in CARDS_GB.items() if use.total / 1e9 < size) or "neither T4 nor A100"
        yield f"  {_NAMES[storage]:<10} {batch:>5} " + " ".join(f"{part / 1e9:7.2f}" for part in parts) + f"  {fits}"


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
