"""Architecture figures of the presets, and the small tokenizer that the tiny one is trained with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from transformers import BertConfig, PreTrainedTokenizerFast, Qwen2Config

from vlmkit.encoders.panns import VARIANTS, PannsConfig
from vlmkit.llms.small import small_tokenizer
from vlmkit_plugins.purrsight import ethology, wording
from vlmkit_plugins.purrsight.head import QUESTION, SYSTEM
from vlmkit_plugins.purrsight.schema import MARKERS, VOCABULARY

# Qwen's chat format for plain text.
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True)
class Figures:
    """What a preset is made of.

    Attributes:
        trunk: a name of timm, with arguments of its constructor in `widths`; `side_px` of the square that it looks at,
            its own when not given.
        panns: figures of the Cnn14.
        text, llm: arguments of `BertConfig` and `Qwen2Config`.
        shared: width of the aligned space. hidden: of the MLP behind it. tokens: how many an aligned row becomes.
    """

    trunk: str
    widths: Mapping[str, Any]
    side_px: int | None
    panns: PannsConfig
    text: Mapping[str, Any]
    llm: Mapping[str, Any]
    shared: int
    hidden: int
    tokens: int


FIGURES: Mapping[str, Figures] = {
    "qwen2.5-0.5b": Figures(
        trunk="mobilenetv4_conv_small.e2400_r224_in1k",
        widths={},
        side_px=None,
        panns=VARIANTS["16k"],
        # config.json of nreimers/MiniLM-L6-H384-uncased
        text={
            "vocab_size": 30522,
            "hidden_size": 384,
            "num_hidden_layers": 6,
            "num_attention_heads": 12,
            "intermediate_size": 1536,
            "max_position_embeddings": 512,
        },
        # config.json of Qwen/Qwen2.5-0.5B-Instruct
        llm={
            "vocab_size": 151936,
            "hidden_size": 896,
            "intermediate_size": 4864,
            "num_hidden_layers": 24,
            "num_attention_heads": 14,
            "num_key_value_heads": 2,
            "max_position_embeddings": 32768,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
        },
        shared=512,
        hidden=2048,
        tokens=4,
    ),
    "tiny": Figures(
        # Plain 3 x 3 convolutions: from random weights a small MobileNetV4 has learned little when this one is done.
        trunk="resnet10t",
        widths={"channels": (32, 48, 64, 96), "stem_width": 12},
        side_px=112,
        # Half the frames a second of the published networks, an eighth of their width.
        panns=PannsConfig(rate_hz=16_000, n_fft=512, n_hop=320, high_hz=8_000, channels=(8, 16, 32, 64, 96, 128)),
        text={
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 128,
            "max_position_embeddings": 64,
        },
        llm={
            "hidden_size": 128,
            "intermediate_size": 384,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 4096,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4},
        },
        shared=128,
        hidden=256,
        tokens=2,
    ),
}

_NOTES = 2000  # drawn descriptions that the tokenizer learns its words from
_EVERYWHERE = 500
_WORDS = 1280


def tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE over the task's own words: a label is a token or two."""
    return small_tokenizer(_corpus(), CHAT, size=_WORDS)


def llm_config(preset: str, words: PreTrainedTokenizerFast) -> Qwen2Config:
    """The language model of a preset, with the special ids of the tokenizer at hand."""
    figures = {"vocab_size": len(words), **FIGURES[preset].llm}
    ends = {"bos_token_id": None, "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}
    return Qwen2Config(**figures, **ends, tie_word_embeddings=True)


def text_config(preset: str, words: PreTrainedTokenizerFast) -> BertConfig:
    """The text tower of a preset."""
    return BertConfig(**{"vocab_size": len(words), **FIGURES[preset].text}, pad_token_id=words.pad_token_id)


def _corpus() -> list[str]:
    rng = np.random.default_rng(0)
    notes = []
    for _ in range(_NOTES):
        told = {marker: str(rng.choice(VOCABULARY[marker][:-1])) for marker in MARKERS if rng.random() < 0.5}
        markers = told or {"ears": "alert"}
        meaning = ethology.classify(markers)
        notes += [
            wording.describe(markers, rng),
            wording.summary(markers),
            wording.advice(meaning.affective_state, meaning.risk_rating),
        ]
    fields = [f'"{field}":"{value}",' for field, values in VOCABULARY.items() for value in values]
    frame = '{"diagnostic":{"physical_markers":{}},"classification":{}},'
    frame += '"behavioral_summary":"","human_actionable_insight":""'
    # What stands in every prompt and reply comes first: its words become one token each.
    return [*notes, *_EVERYWHERE * [*fields, frame, SYSTEM, QUESTION, "system\n", "user\n", "assistant\n"]]
