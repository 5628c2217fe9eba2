"""Architecture figures of the presets, and the small tokenizer that the tiny one is trained with."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedTokenizerFast, Qwen2_5_VLConfig

from vlmkit.llms import qwen_vl
from vlmkit.llms.small import small_tokenizer
from vlmkit_plugins.warehouse.head import QUESTION, SYSTEM
from vlmkit_plugins.warehouse.schema import CLIP_FRAMES, OPERATIONS, OperationSpan


def tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE over the task's own words; every whole number from 0 to 125 is one token."""
    return small_tokenizer(_corpus(), qwen_vl.CHAT, qwen_vl.SPECIAL)


def _corpus() -> list[str]:
    numbers = [str(number) for number in range(CLIP_FRAMES + 1)]
    replies = [
        OperationSpan.model_validate(
            {
                "dominant_operation": operation,
                "temporal_segment": {"start_frame": 0, "end_frame": CLIP_FRAMES},
                "anticipated_next_operation": operation,
            }
        ).model_dump_json()
        for operation in OPERATIONS
    ]
    return [*numbers, *replies, SYSTEM, QUESTION, "system\n", "user\n", "assistant\n"]


def config(preset: str, words: PreTrainedTokenizerFast) -> Qwen2_5_VLConfig:
    """The configuration of a preset, with the special ids of the tokenizer at hand."""
    if preset == "tiny":
        text, vision = _tiny(words)
        return qwen_vl.config(words, text, vision, tied=True, theta=1e4, sections=(4, 6, 6))
    size = preset.removeprefix("qwen2.5-vl-")
    return qwen_vl.config(words, qwen_vl.TEXT[size], qwen_vl.VISION, tied=size != "7b")


def _tiny(words: PreTrainedTokenizerFast) -> tuple[dict[str, Any], dict[str, Any]]:
    # Head width 32 and M-RoPE sections that sum to half of it are what vLLM accepts on a CPU.
    text = {
        "vocab_size": len(words),
        "hidden_size": 128,
        "intermediate_size": 384,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
    }
    vision = {
        "depth": 3,
        "hidden_size": 96,
        "intermediate_size": 192,
        "num_heads": 3,
        "window_size": 112,
        "fullatt_block_indexes": [0, 1, 2],
        "tokens_per_second": 2,
        "temporal_patch_size": 1,  # one time step a frame: a pair would blur every boundary by 12 frames
    }
    return text, vision
