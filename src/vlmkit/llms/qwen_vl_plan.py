"""A memory plan of a Qwen2.5-VL as text: what is trained, what answers, at which batch, and which card holds it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from vlmkit.llms.qwen_vl_memory import Architecture, Load, Storage, Use, inference, training

BATCHES = (1, 2, 8)
_STORAGES: tuple[Storage, ...] = ("bf16", "nf4")
_NAMES = {"bf16": "fp16/bf16", "nf4": "NF4 4-bit"}
_HEAD = ("weights", "lora", "grads", "adam", "activ.", "logits", "kv", "vision", "other", "TOTAL")


def plan_lines(
    name: str, architecture: Architecture, load: Load, *, ranks: Sequence[int], cards_gb: Mapping[str, float]
) -> Iterator[str]:
    """The plan at one load, one line of text each.

    Args:
        ranks: of LoRA; the first is the one that training is planned with.
        cards_gb: nominal memory of the cards that each row is held against, in 10^9 bytes.
    """
    a = architecture
    head = "tied" if a.tied else f"{a.head_parameters:,}"
    yield (
        f"{name}: {a.parameters:,} parameters "
        f"(vision {a.vision_parameters:,}, text {a.text_parameters:,}, output head {head})"
    )
    rows, columns = load.height_px // 28, load.width_px // 28
    yield (
        f"a clip: {load.frames} frames of {load.width_px} x {load.height_px} px -> {load.steps} x {rows} x {columns} = "
        f"{load.visual_tokens} visual tokens, + {load.text_tokens} of text + {load.reply_tokens} of reply = "
        f"{load.sequence} positions"
    )
    yield "LoRA on q, k, v, o, gate, up, down of the language model: " + "; ".join(
        f"r={rank}: {a.lora_parameters(rank):,} parameters" for rank in ranks
    )
    yield "GB = 10^9 bytes. TOTAL takes the larger of vision and activ. + logits: they are not needed at once."
    yield ""
    yield from _table(
        f"training, gradient checkpointing, LoRA r={ranks[0]} and AdamW in fp32",
        [(s, b, training(a, s, replace(load, batch=b), ranks[0])) for s in _STORAGES for b in BATCHES],
        cards_gb,
    )
    yield ""
    yield from _table(
        "inference, adapter merged",
        [(s, b, inference(a, s, replace(load, batch=b))) for s in _STORAGES for b in BATCHES],
        cards_gb,
    )


def _table(title: str, rows: Sequence[tuple[Storage, int, Use]], cards_gb: Mapping[str, float]) -> Iterator[str]:
    yield f"{title} (GB)"
    yield f"  {'weights as':<10} {'batch':>5} " + " ".join(f"{name:>7}" for name in _HEAD) + "  fits"
    for storage, batch, use in rows:
        parts = (
            use.weights, use.lora, use.gradients, use.optimiser, use.activations, use.logits, use.kv_cache,
            use.vision, use.allowance, use.total,
        )  # fmt: skip
        fits = ", ".join(card for card, size in cards_gb.items() if use.total / 1e9 < size) or "none"
        yield f"  {_NAMES[storage]:<10} {batch:>5} " + " ".join(f"{part / 1e9:7.2f}" for part in parts) + f"  {fits}"
