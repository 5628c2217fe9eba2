"""A prompt with ready rows in it: ids of its words, and rows where its slots stand. For composed models."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from vlmkit.errors import WiringError
from vlmkit.llms.chat import plain
from vlmkit.types import ROW, Lane, Prompt, Slot, Tokens

# Where rows go, inside the text that the chat template is given: a private-use character that no user text keeps.
_MARK = "\ue000"
_SLOT = re.compile(f"{_MARK}([a-z]+){_MARK}")

Piece = list[int] | Tensor


class PieceRenderer:
    """Renders for a text model with a chat template. Training and every engine render through it."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._special = tuple(tokenizer.get_added_vocab())

    def pieces(self, prompt: Prompt, tokens: Mapping[Lane, Tokens], index: int) -> list[Piece]:
        """Prompt `index` of a batch as the model reads it: ids of text, and rows `[n, d]` where slots stand.

        Raises `WiringError` where slots and rows do not match.
        """
        text = self.text(prompt)
        asked = [modality for modality in _SLOT.findall(text)]
        own = {modality: rows for modality, rows in _of_sample(tokens, index) if len(rows)}
        if sorted(asked) != sorted(own):
            raise WiringError(
                f"prompt {index} has slots for {asked or 'nothing'} and rows for {list(own) or 'nothing'}"
            )
        found: list[Piece] = []
        for number, part in enumerate(_SLOT.split(text)):
            if number % 2:
                found.append(own[part])  # type: ignore[index]
            elif part:
                found.append(self._tokenizer(part, add_special_tokens=False)["input_ids"])
        return found

    def text(self, prompt: Prompt) -> str:
        """The chat text of a prompt, its slots as marks; there is no other way to render."""
        messages = [
            {"role": message.role, "content": "".join(self._part(part) for part in message.parts)}
            for message in prompt.messages
        ]
        text: str = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return text

    def _part(self, part: str | Slot) -> str:
        if isinstance(part, Slot):
            return f"{_MARK}{part.modality}{_MARK}"
        return plain(part.replace(_MARK, ""), self._special)


def ids_of(pieces: Sequence[Piece]) -> tuple[int, ...]:
    """What a prompt can be compared by: its words' ids, and `ROW` for each row among them."""
    return tuple(n for piece in pieces for n in (piece if isinstance(piece, list) else [ROW] * len(piece)))


def joined(pieces: Sequence[Piece], words: Callable[[Sequence[int]], Tensor]) -> Tensor:
    """A prompt's embeddings `[n, d]`, of the type and on the device of what `words` makes of ids."""
    like = words([])
    parts = [words(piece) if isinstance(piece, list) else piece for piece in pieces]
    return torch.cat([part.to(like.device, like.dtype) for part in parts])


def _of_sample(tokens: Mapping[Lane, Tokens], index: int) -> Iterator[tuple[Lane, Tensor]]:
    for modality, rows in tokens.items():
        start = sum(rows.lengths[:index])
        yield modality, rows.values[start : start + rows.lengths[index]]
