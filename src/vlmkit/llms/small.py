"""What tiny models that are trained from scratch share: a tokenizer over the task's own words, and start weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer
from torch import nn
from transformers import PreTrainedTokenizerFast

TURNS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
"""Special tokens of Qwen's chat format; the last ends an answer, the first pads."""


# Outputs into the residual stream, as Qwen2, Qwen2-VL's and SigLIP's towers, and DeBERTa call theirs.
_INTO_STREAM = (
    "o_proj.weight",
    "down_proj.weight",
    "attn.proj.weight",
    "out_proj.weight",
    "fc2.weight",
    "output.dense.weight",
)


def small_tokenizer(
    corpus: Sequence[str], chat_template: str = "", special: Sequence[str] = TURNS, size: int = 1024
) -> PreTrainedTokenizerFast:
    """Byte-level BPE over the words of `corpus`; no text is outside it, and a number of up to three digits is a word.

    Args:
        special: tokens that only a chat template writes; `TURNS` have to be among them.
        size: most entries.
    """
    model = Tokenizer(BPE())
    words = Regex(r" ?[\p{L}_]+|\p{N}{1,3}| ?[^\s\p{L}\p{N}_]+|\s+")
    model.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(words, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    model.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    model.train_from_iterator(2 * list(corpus), trainer)  # twice each: a pair seen once is not merged
    return PreTrainedTokenizerFast(
        tokenizer_object=model,
        eos_token=TURNS[2],
        pad_token=TURNS[0],
        additional_special_tokens=list(special),
        chat_template=chat_template,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def with_first(words: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """The same tokenizer, for a small text tower: it puts a token before every text, whose state is the text's row."""
    first = TURNS[1]
    words.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{first} $A", special_tokens=[(first, words.convert_tokens_to_ids(first))]
    )
    return words


def scaled_start(hf: nn.Module) -> None:
    """Start weights of a tiny model: 1/sqrt(fan in), outputs into the residual stream halved.

    With the usual .02 its rows are nearly equal and learning does not start.
    """
    for name, parameter in hf.named_parameters():
        if parameter.ndim < 2:
            continue
        fan_in = parameter[0].numel()
        embedding = "embed_tokens" in name or name.endswith(("word_embeddings.weight", "position_embedding.weight"))
        into_stream = name.endswith(_INTO_STREAM)
        std = 0.05 if embedding else fan_in**-0.5 * (0.5 if into_stream else 1.0)
        nn.init.normal_(parameter, std=std)
    torch.nn.Module.eval(hf)
