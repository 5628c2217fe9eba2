"""Architecture figures of the presets, and the small tokenizer that the tiny one is trained with."""

from __future__ import annotations

from typing import Any

from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)

from vlmkit.llms.small import TURNS, small_tokenizer
from vlmkit_plugins.warehouse.head import QUESTION, SYSTEM
from vlmkit_plugins.warehouse.schema import CLIP_FRAMES, OPERATIONS, OperationSpan

SPECIAL = (
    *TURNS,
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)

# The chat format of Qwen2-VL: turns between <|im_start|> and <|im_end|>, one pad token a slot between vision marks.
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}"
    "{% if p.type in ('image', 'video') %}<|vision_start|><|{{ p.type }}_pad|><|vision_end|>"
    "{% else %}{{ p.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

# Text and vision figures as published in the config.json of Qwen/Qwen2.5-VL-3B-Instruct and -7B-Instruct.
_VISION = {
    "depth": 32,
    "hidden_size": 1280,
    "intermediate_size": 3420,
    "num_heads": 16,
    "window_size": 112,
    "fullatt_block_indexes": [7, 15, 23, 31],
    "tokens_per_second": 2,
}
_TEXT = {
    "qwen2.5-vl-3b": {
        "hidden_size": 2048,
        "intermediate_size": 11008,
        "num_hidden_layers": 36,
        "num_attention_heads": 16,
        "num_key_value_heads": 2,
        "vocab_size": 151936,
    },
    "qwen2.5-vl-7b": {
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152064,
    },
}


def tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE over the task's own words; every whole number from 0 to 125 is one token."""
    return small_tokenizer(_corpus(), CHAT, SPECIAL)


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


def processor(words: PreTrainedTokenizerFast, temporal_patch_size: int = 2) -> Qwen2_5_VLProcessor:
    """Image and video processors with OpenAI CLIP's means, around a tokenizer."""
    return Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(temporal_patch_size=temporal_patch_size),
        tokenizer=words,
        video_processor=Qwen2VLVideoProcessor(temporal_patch_size=temporal_patch_size, cap_pixels_per_frame=False),
        chat_template=CHAT,
    )


def config(preset: str, words: PreTrainedTokenizerFast) -> Qwen2_5_VLConfig:
    """The configuration of a preset, with the special ids of the tokenizer at hand."""
    text, vision = (_tiny(words)) if preset == "tiny" else (_TEXT[preset], _VISION)
    ends = {"bos_token_id": None, "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}
    sections = [4, 6, 6] if preset == "tiny" else [16, 24, 24]
    rope = {"rope_type": "default", "mrope_section": sections, "rope_theta": 1e4 if preset == "tiny" else 1e6}
    tied = preset != "qwen2.5-vl-7b"
    ids = {f"{name}_token_id": words.convert_tokens_to_ids(f"<|{name}_pad|>") for name in ("image", "video")}
    marks = {f"vision_{end}_token_id": words.convert_tokens_to_ids(f"<|vision_{end}|>") for end in ("start", "end")}
    return Qwen2_5_VLConfig(
        text_config={**text, **ends, "rope_parameters": rope, "tie_word_embeddings": tied},
        vision_config={**vision, "out_hidden_size": text["hidden_size"]},
        tie_word_embeddings=tied,
        **ids,
        **marks,
    )


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
