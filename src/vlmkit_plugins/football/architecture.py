"""Architecture figures of the presets, and the small tokenizer that the tiny one is trained with."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedTokenizerFast, Qwen2_5_VLConfig

from vlmkit.llms import qwen_vl
from vlmkit.llms.small import small_tokenizer
from vlmkit_plugins.football.head import QUESTION
from vlmkit_plugins.football.schema import CLASSES, WINDOW_S, Event, events_of
from vlmkit_plugins.football.story import descriptions


def tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE over the task's own words; every second of a window is one token."""
    return small_tokenizer(_corpus(), qwen_vl.CHAT, qwen_vl.SPECIAL)


def _corpus() -> list[str]:
    last = int(WINDOW_S) + 1
    told = [
        Event(description=words, start_time="0:0:0", end_time=f"0:0:{last}", event=CLASSES[i % len(CLASSES)])
        for i, words in enumerate(descriptions())
    ]
    replies = [events_of([one, one]).model_dump_json() for one in told]
    return [*map(str, range(last + 1)), *replies, "[]", QUESTION, "user\n", "assistant\n"]


def config(preset: str, words: PreTrainedTokenizerFast) -> Qwen2_5_VLConfig:
    """The configuration of a preset, with the special ids of the tokenizer at hand.

    `nvidia/Cosmos-Reason1-7B` is a Qwen2.5-VL 7B in every figure (its config.json).
    """
    if preset == "tiny":
        return qwen_vl.config(words, _text(len(words)), _VISION, tied=True, theta=1e4, sections=_SECTIONS)
    return qwen_vl.config(words, qwen_vl.TEXT["7b"], qwen_vl.VISION, tied=False)


def _text(vocabulary: int) -> dict[str, Any]:
    # Head width 32 and M-RoPE sections that sum to half of it are what vLLM accepts on a CPU.
    return {
        "vocab_size": vocabulary,
        "hidden_size": 128,
        "intermediate_size": 384,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
    }


# Half of the pairs are for time, which answers are about; a picture has 2 x 3 places. With a quarter, the slowest of
# which turns nearly twice in a window, seconds were read worse.
_SECTIONS = (8, 4, 4)
_VISION = {
    "depth": 3,
    "hidden_size": 96,
    "intermediate_size": 192,
    "num_heads": 3,
    "window_size": 112,
    "fullatt_block_indexes": [0, 1, 2],
    "tokens_per_second": 1,
    "temporal_patch_size": 4,  # one second a step, which is what answers count in; Cosmos-Reason1 has half a second
}
