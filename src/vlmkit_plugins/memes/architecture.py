"""Architecture figures of the presets, as arguments of the configurations that take them. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

TEXT_TOKENS = 256
"""The most tokens of a combined text (recognised words, caption, language); a longer one is cut, and a note says so."""

# What DeBERTa v3 changed about DeBERTa v2: relative positions in buckets only, keys shared between words and positions.
_DEBERTA_V3 = {
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-7,
    "relative_attention": True,
    "max_relative_positions": -1,
    "position_buckets": 256,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": "p2c|c2p",
    "position_biased_input": False,
    "type_vocab_size": 0,
}


@dataclass(frozen=True)
class Figures:
    """What a preset is made of.

    Attributes:
        text: arguments of `DebertaV2Config`; the vocabulary's size is left to a tokenizer that is trained here.
        image: arguments of `SiglipVisionConfig`.
        fusion: arguments of `vlmkit.projectors.fusion.Fusion` beside the widths that go in.
        text_tokens: the most tokens of a text.
    """

    text: Mapping[str, Any]
    image: Mapping[str, Any]
    fusion: Mapping[str, Any]
    text_tokens: int = TEXT_TOKENS


_FULL = Figures(
    # config.json of microsoft/mdeberta-v3-base
    text={
        "vocab_size": 251_000,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "max_position_embeddings": 512,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        **_DEBERTA_V3,
    },
    # vision_config of google/siglip-base-patch16-384: 24 x 24 patches
    image={
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "image_size": 384,
        "patch_size": 16,
        "hidden_act": "gelu_pytorch_tanh",
        "layer_norm_eps": 1e-6,
    },
    fusion={"out_dim": 512, "hidden": 512, "kind": "concat", "dropout": 0.1, "moddrop": 0.25},
)

FIGURES: Mapping[str, Figures] = {
    "mdeberta-siglip": _FULL,
    "mdeberta-siglip-gated": replace(_FULL, fusion={**_FULL.fusion, "kind": "gated", "heads": 8}),
    "tiny": Figures(
        text={
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 256,
            "max_position_embeddings": TEXT_TOKENS,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
            **_DEBERTA_V3,
            "position_buckets": 32,
        },
        image={
            "hidden_size": 128,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "intermediate_size": 384,
            "image_size": 80,
            "patch_size": 8,
            "hidden_act": "gelu_pytorch_tanh",
            "layer_norm_eps": 1e-6,
        },
        fusion={"out_dim": 128, "hidden": 256, "kind": "concat", "dropout": 0.1, "moddrop": 0.25},
    ),
}
