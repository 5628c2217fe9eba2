"""The local engine for composed models: a plain causal language model that reads ready rows among its own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from vlmkit.errors import DataError
from vlmkit.llms.pieces import Piece, PieceRenderer, ids_of, joined
from vlmkit.llms.replies import Replies, TokenLoss, cross_entropy
from vlmkit.types import Constraint, Generation, Lane, Limits, Modality, Prompt, Tokens


class CausalLm:
    """A causal language model fed through `inputs_embeds`: rows stand where the prompt has their slots.

    Args:
        hf: a causal LM of `transformers`; tested with Qwen2.
        tokenizer: with a chat template. Training and serving both render through it (`llms.pieces`).
        slots: modalities that it has been given rows for.
    """

    def __init__(
        self, hf: Any, tokenizer: Any, slots: frozenset[Modality] = frozenset({"image", "audio", "video"})
    ) -> None:
        self.hf = hf
        self.tokenizer = tokenizer
        self.dim: int = hf.config.hidden_size
        self.slots = slots
        self.module: nn.Module = hf
        self.context: int = hf.config.max_position_embeddings
        self._renderer = PieceRenderer(tokenizer)
        self._replies = Replies(hf, tokenizer)

    def generate(
        self,
        prompts: Sequence[Prompt],
        tokens: Mapping[Lane, Tokens],
        constraints: Sequence[Constraint | None],
        limits: Limits,
    ) -> list[Generation]:
        """Replies in order, under their constraints. Greedy at temperature 0, where a batch equals its rows alone.

        A prompt that leaves no place for the reply in the model's context gets an empty one that stops as "unread".
        Raises `WiringError` where slots and rows do not match.
        """
        with torch.inference_mode():
            pieces = [self._renderer.pieces(prompt, tokens, i) for i, prompt in enumerate(prompts)]
            rows = [self._embedded(one) for one in pieces]
            fits = [i for i, row in enumerate(rows) if len(row) + limits.max_new_tokens <= self.context]
            replies = [Generation("", "unread", len(row), 0) for row in rows]
            if not fits:
                return replies
            embeds, mask = _padded([rows[i] for i in fits], left=True)
        inputs = {"inputs_embeds": embeds, "attention_mask": mask}
        lengths = [len(rows[i]) for i in fits]
        made = self._replies.generate(inputs, [constraints[i] for i in fits], limits, lengths)
        for i, reply in zip(fits, made, strict=True):
            replies[i] = reply
        return [replace(reply, prompt_ids=ids_of(one)) for reply, one in zip(replies, pieces, strict=True)]

    def loss(
        self,
        prompts: Sequence[Prompt],
        tokens: Mapping[Lane, Tokens],
        answers: Sequence[str],
        token_loss: TokenLoss = cross_entropy,
        max_tokens: int | None = None,
    ) -> Tensor:
        """Mean loss of the answers' tokens and their end token; the head sees those positions only.

        Args:
            max_tokens: most positions of a prompt with its answer, the model's context when not given. The prompt
                is kept whole: what does not fit is cut off the end of the answer.

        Raises `DataError` for a prompt that leaves no place for an answer.
        """
        budget = min(max_tokens or self.context, self.context)
        rows, tails, starts = [], [], []
        for index, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
            prompt_rows = self._embedded(self._renderer.pieces(prompt, tokens, index))
            tail = _cut(self._replies.target(answer), len(prompt_rows), budget, index)
            starts.append(len(prompt_rows) - 1)  # the position that predicts the first answer token
            tails.append(tail)
            rows.append(torch.cat([prompt_rows, self._words(tail)]))
        embeds, mask = _padded(rows, left=False)
        hidden = self.hf.model(inputs_embeds=embeds, attention_mask=mask)[0]
        seen = torch.cat(
            [hidden[i, at : at + len(tail)] for i, (at, tail) in enumerate(zip(starts, tails, strict=True))]
        )
        labels = torch.tensor([token for tail in tails for token in tail], device=seen.device)
        return token_loss(self.hf.lm_head(seen), labels).mean()

    def lengths(
        self, prompts: Sequence[Prompt], tokens: Mapping[Lane, Tokens], answers: Sequence[str]
    ) -> list[tuple[int, int]]:
        """Positions of each prompt, and of its whole answer with the end token: what `max_tokens` is held against."""
        found = []
        for index, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
            pieces = self._renderer.pieces(prompt, tokens, index)
            found.append((sum(len(piece) for piece in pieces), len(self._replies.target(answer))))
        return found

    def text(self, prompt: Prompt) -> str:
        """The chat text of a prompt, its slots as marks."""
        return self._renderer.text(prompt)

    def _embedded(self, pieces: Sequence[Piece]) -> Tensor:
        return joined(pieces, self._words)

    def _words(self, ids: Sequence[int]) -> Tensor:
        table = self.hf.get_input_embeddings()
        found: Tensor = table(torch.tensor(ids, dtype=torch.long, device=self.hf.device))
        return found


def _cut(tail: list[int], n_prompt: int, budget: int, index: int) -> list[int]:
    if n_prompt >= budget:
        raise DataError(
            f"prompt {index} of the batch takes {n_prompt} positions and the budget is {budget}: no answer fits "
            "behind it; raise max_tokens"
        )
    return tail[: budget - n_prompt]


def _padded(rows: Sequence[Tensor], *, left: bool) -> tuple[Tensor, Tensor]:
    """Embeddings `[b, s, d]` and mask `[b, s]`. Padding stands on the left for decoding, on the right for a loss."""
    side = "left" if left else "right"
    embeds = nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_side=side)
    ones = [torch.ones(len(row), dtype=torch.long, device=row.device) for row in rows]
    return embeds, nn.utils.rnn.pad_sequence(ones, batch_first=True, padding_side=side)
