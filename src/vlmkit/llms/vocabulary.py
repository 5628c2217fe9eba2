"""A small tokenizer over a task's own words, for tiny models that are trained from scratch."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerFast

TURNS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
"""Special tokens of Qwen's chat format; the last ends an answer, the first pads."""


def small_tokenizer(
    corpus: Sequence[str], chat_template: str, special: Sequence[str] = TURNS, size: int = 1024
) -> PreTrainedTokenizerFast:
    """Byte-level BPE over the words of `corpus`; no text is outside it, and a number of up to three digits is a word.

    Args:
        special: tokens that only a chat template writes; `TURNS` have to be among them.
        size: most entries.
    """
    model = Tokenizer(BPE())
    words = Regex(r" ?[\p{L}_]+|\p{N}{1,3}| ?[^\s\p{L}\p{N}_]+|\s+")
    model.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(words, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
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
