"""Qwen2.5-VL as published: its architecture figures, its chat format, and a processor around any tokenizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)

from vlmkit.llms.small import TURNS

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
VISION: Mapping[str, Any] = {
    "depth": 32,
    "hidden_size": 1280,
    "intermediate_size": 3420,
    "num_heads": 16,
    "window_size": 112,
    "fullatt_block_indexes": [7, 15, 23, 31],
    "tokens_per_second": 2,
}
TEXT: Mapping[str, Mapping[str, Any]] = {
    "3b": {
        "hidden_size": 2048,
        "intermediate_size": 11008,
        "num_hidden_layers": 36,
        "num_attention_heads": 16,
        "num_key_value_heads": 2,
        "vocab_size": 151936,
    },
    "7b": {
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152064,
    },
}
SECTIONS = (16, 24, 24)
"""M-RoPE as published: pairs of a head's width that turn with time, height and width; the fastest are those of time."""


def processor(words: PreTrainedTokenizerFast, temporal_patch_size: int = 2) -> Qwen2_5_VLProcessor:
    """Image and video processors with OpenAI CLIP's means, around a tokenizer."""
    return Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(temporal_patch_size=temporal_patch_size),
        tokenizer=words,
        video_processor=Qwen2VLVideoProcessor(temporal_patch_size=temporal_patch_size, cap_pixels_per_frame=False),
        chat_template=CHAT,
    )


def config(
    words: PreTrainedTokenizerFast,
    text: Mapping[str, Any],
    vision: Mapping[str, Any],
    *,
    tied: bool,
    theta: float = 1e6,
    sections: Sequence[int] = SECTIONS,
) -> Qwen2_5_VLConfig:
    """A configuration of these figures, with the special ids of the tokenizer at hand.

    Args:
        tied: the output head is the embedding.
        theta: base of the rotary positions: 1e6 as published, less for short contexts.
        sections: as `SECTIONS`; they sum to half of a head's width.
    """
    ends = {"bos_token_id": None, "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}
    rope = {"rope_type": "default", "mrope_section": list(sections), "rope_theta": theta}
    ids = {f"{name}_token_id": words.convert_tokens_to_ids(f"<|{name}_pad|>") for name in ("image", "video")}
    marks = {f"vision_{end}_token_id": words.convert_tokens_to_ids(f"<|vision_{end}|>") for end in ("start", "end")}
    return Qwen2_5_VLConfig(
        text_config={**text, **ends, "rope_parameters": rope, "tie_word_embeddings": tied},
        vision_config={**vision, "out_hidden_size": text["hidden_size"]},
        tie_word_embeddings=tied,
        **ids,
        **marks,
    )
