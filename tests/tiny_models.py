"""Random tiny models of the real classes, with tokenizers and processors made in memory: no network, under a second.

Weights are drawn wide (std .16): at the usual .02 the logits are almost constant, and an equality test proves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from tokenizers.pre_tokenizers import ByteLevel
from torch import nn
from transformers import (
    PreTrainedTokenizerBase,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2Tokenizer,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
MERGES = ("i n", "e r", "o n", "t h", "th e", "Ġ t", "Ġ a", "e n", "a t", "s t", '" :', "_ f", "r a")

# The layout of the real templates, without tools: content is a string, or parts of type image, video or text.
CHAT_TEMPLATE = """\
{%- for message in messages -%}
{{- '<|im_start|>' + message['role'] + '\\n' -}}
{%- if message['content'] is string -%}
{{- message['content'] -}}
{%- else -%}
{%- for part in message['content'] -%}
{%- if part['type'] == 'image' -%}
{{- '<|vision_start|><|image_pad|><|vision_end|>' -}}
{%- elif part['type'] == 'video' -%}
{{- '<|vision_start|><|video_pad|><|vision_end|>' -}}
{%- else -%}
{{- part['text'] -}}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|im_start|>assistant\\n' -}}
{%- endif -%}
"""


def tiny_tokenizer(extra: Sequence[str] = ()) -> PreTrainedTokenizerBase:
    """A byte-level BPE: 256 bytes, a few merges, `extra` whole words (as added tokens), Qwen's special tokens last."""
    pieces = [*sorted(ByteLevel.alphabet()), *("".join(pair.split(" ")) for pair in MERGES)]
    vocab = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Qwen2Tokenizer(
        vocab=vocab,
        merges=[tuple(pair.split(" ")) for pair in MERGES],
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=list(SPECIAL),
        chat_template=CHAT_TEMPLATE,
        padding_side="left",
    )
    tokenizer.add_tokens(list(extra))
    return tokenizer


def tiny_qwen2(seed: int = 0) -> tuple[Qwen2ForCausalLM, PreTrainedTokenizerBase]:
    """A text-only causal LM: hidden 64, 2 layers, head dim 32."""
    tokenizer = tiny_tokenizer()
    config = Qwen2Config(**_text(tokenizer, {"rope_type": "default", "rope_theta": 10000.0}), **_ends(tokenizer))
    return _drawn(Qwen2ForCausalLM, config, tokenizer, seed), tokenizer


def tiny_qwen2_5_vl(seed: int = 0) -> tuple[Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor]:
    """Patches of 14 px, tokens of 28 px; images of 56² to 112² px, video frames of 56² to 84² px."""
    tokenizer = tiny_tokenizer()
    rope = {"rope_type": "default", "mrope_section": [4, 6, 6], "rope_theta": 10000.0}
    config = Qwen2_5_VLConfig(
        text_config={**_text(tokenizer, rope), **_ends(tokenizer)},
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "out_hidden_size": 64,
            "window_size": 56,
            "fullatt_block_indexes": [1],  # block 0 stays windowed, so the un-permutation is exercised
            "tokens_per_second": 2,
        },
        **_ids(tokenizer),
    )
    processor = Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(size={"shortest_edge": 56 * 56, "longest_edge": 112 * 112}),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(
            size={"shortest_edge": 56 * 56, "longest_edge": 84 * 84}, cap_pixels_per_frame=False
        ),
        chat_template=CHAT_TEMPLATE,
    )
    return _drawn(Qwen2_5_VLForConditionalGeneration, config, tokenizer, seed), processor


def tiny_qwen3_vl(seed: int = 0) -> tuple[Qwen3VLForConditionalGeneration, Qwen3VLProcessor]:
    """Patches of 16 px, tokens of 32 px; images of 64² to 128² px; a whole video has 8 · 64² px at most."""
    tokenizer = tiny_tokenizer()
    rope = {
        "rope_type": "default",
        "mrope_section": [4, 6, 6],
        "mrope_interleaved": True,
        "rope_theta": 10000.0,
    }
    config = Qwen3VLConfig(
        text_config={**_text(tokenizer, rope), "head_dim": 32, **_ends(tokenizer)},
        vision_config={
            "depth": 3,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "out_hidden_size": 64,
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0, 1],
        },
        **_ids(tokenizer),
    )
    processor = Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor(
            patch_size=16,
            image_mean=[0.5] * 3,
            image_std=[0.5] * 3,
            size={"shortest_edge": 64 * 64, "longest_edge": 128 * 128},
        ),
        tokenizer=tokenizer,
        video_processor=Qwen3VLVideoProcessor(
            size={"shortest_edge": 2 * 32 * 32, "longest_edge": 8 * 64 * 64},
            do_sample_frames=False,
            cap_pixels_per_frame=False,
        ),
        chat_template=CHAT_TEMPLATE,
    )
    return _drawn(Qwen3VLForConditionalGeneration, config, tokenizer, seed), processor


def _text(tokenizer: PreTrainedTokenizerBase, rope: dict[str, Any]) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 4096,
        "rope_parameters": rope,
    }


def _ends(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    return {
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def _ids(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    return {
        f"{name}_token_id": tokenizer.convert_tokens_to_ids(token)
        for name, token in (
            ("image", "<|image_pad|>"),
            ("video", "<|video_pad|>"),
            ("vision_start", "<|vision_start|>"),
            ("vision_end", "<|vision_end|>"),
        )
    }


def _drawn(model_class: Any, config: Any, tokenizer: PreTrainedTokenizerBase, seed: int) -> Any:
    model = model_class(config)
    noise = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1 or name.endswith("bias"):
            nn.init.normal_(parameter, std=0.16, generator=noise)
    model.generation_config.update(**_ends(tokenizer))
    return model.eval()
