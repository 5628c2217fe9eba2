"""Replies drawn token by token from what the real grammar allows: a model that knows nothing but its constraint."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

from tests.tiny_models import tiny_tokenizer
from vlmkit.llms.grammar import grammars_of
from vlmkit.llms.spelling import Speller
from vlmkit.types import Constraint, Generation


@cache
def words() -> Any:
    """One tokenizer for all."""
    return tiny_tokenizer()


def random_replies(constraint: Constraint, n: int, seed: int, closing: float = 0.1) -> Iterator[Generation]:
    """`n` whole replies; where a string may end, it does with the probability `closing`."""
    draw = np.random.default_rng(seed)
    for _ in range(n):
        yield spoken(_draw(constraint, draw, closing))


def spoken(ids: list[int], *, cut: bool = False) -> Generation:
    """What an engine would hand over for these tokens, or, with `cut`, for these and no budget left."""
    text, spans = Speller(words()).spell(ids)
    return Generation(text, "length" if cut else "end", 1, len(ids), (-0.5,) * len(ids), spans)


def tokens(text: str) -> list[int]:
    """Ids of a text."""
    return list(words()(text, add_special_tokens=False)["input_ids"])


def takes(constraint: Constraint, text: str) -> bool:
    """Whether the grammar allows exactly this reply."""
    matcher = grammars_of(words(), [words().eos_token_id]).matcher(constraint)
    ids = tokens(text)
    return bool(matcher.try_consume_tokens(ids) == len(ids) and matcher.is_accepting())


def _draw(constraint: Constraint, draw: np.random.Generator, closing: float) -> list[int]:
    grammars = grammars_of(words(), [words().eos_token_id])
    matcher, (quote,) = grammars.matcher(constraint), tokens('"')
    mask, ids = allocate_token_bitmask(1, grammars.tokenizer.vocab_size), list[int]()
    while not matcher.is_stopped():
        fill_next_token_bitmask(matcher, mask)
        allowed = np.flatnonzero(np.unpackbits(mask.view(np.uint8), bitorder="little"))
        ends = quote in allowed and draw.random() < closing
        token = quote if ends else int(draw.choice(allowed))
        matcher.consume_token(token)
        ids.append(token)
    return [token for token in ids if token != words().eos_token_id]
