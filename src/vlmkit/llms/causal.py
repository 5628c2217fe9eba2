"""The local engine: a Hugging Face vision-language model fed with ready rows instead of pixels."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPooling

from vlmkit.llms.chat import ChatRenderer, Rendered, grids_of, pad, unpadded
from vlmkit.llms.positions import follow_films
from vlmkit.llms.replies import Replies, TokenLoss, cross_entropy
from vlmkit.types import Constraint, Generation, Lane, Limits, Modality, Prompt, Tokens


class CausalVlm:
    """The language half of a native model. It owns slots and M-RoPE positions, in training and in serving."""

    def __init__(self, hf: Any, processor: Any) -> None:
        self.hf = hf
        self.tokenizer = processor.tokenizer
        self.dim: int = hf.config.text_config.hidden_size
        self.slots: frozenset[Modality] = frozenset({"image", "video"})
        self.module: nn.Module = nn.ModuleList([hf.model.language_model, hf.lm_head])
        self._chat = ChatRenderer(processor)
        self._replies = Replies(hf, self.tokenizer)
        follow_films(hf.model)
        self._takes_step = "second_per_grid_ts" in inspect.signature(hf.forward).parameters

    def generate(
        self,
        prompts: Sequence[Prompt],
        tokens: Mapping[Lane, Tokens],
        constraints: Sequence[Constraint | None],
        limits: Limits,
    ) -> list[Generation]:
        """Replies in order, under their constraints. Greedy at temperature 0, where a batch equals its rows alone."""
        rendered = self._chat.render(prompts, tokens)
        inputs = {**self._placed(vars(rendered)), **self._vision(tokens)}
        lengths = rendered.attention_mask.sum(-1).tolist()
        made = self._replies.generate(inputs, constraints, limits, lengths)
        ids = unpadded(rendered)
        grids = grids_of(prompts, tokens)
        return [replace(reply, prompt_ids=ids[i], grids=grids[i]) for i, reply in enumerate(made)]

    def loss(
        self,
        prompts: Sequence[Prompt],
        tokens: Mapping[Lane, Tokens],
        answers: Sequence[str],
        token_loss: TokenLoss = cross_entropy,
    ) -> Tensor:
        """Mean loss of the answers' tokens and their end token; the head sees those positions only."""
        rendered = self._chat.render(prompts, tokens)
        tails = [self._replies.target(answer) for answer in answers]
        ids, mask, positions = self._joined(rendered, tokens, tails)
        hidden = self.hf.model(
            input_ids=ids.to(self.hf.device),
            attention_mask=mask.to(self.hf.device),
            position_ids=positions.to(self.hf.device),
            **self._vision(tokens),
        )[0]
        rows = []
        for index, tail in enumerate(tails):
            start = int(rendered.attention_mask[index].sum()) - 1  # the position that predicts the first answer token
            rows.append(hidden[index, start : start + len(tail)])
        labels = torch.tensor([token for tail in tails for token in tail], device=hidden.device)
        return token_loss(self.hf.lm_head(torch.cat(rows)), labels).mean()

    def _joined(
        self, rendered: Rendered, tokens: Mapping[Lane, Tokens], tails: Sequence[Sequence[int]]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Prompt and answer padded on the right, with the positions that `generate` would use."""
        prompt_positions = self.positions(rendered, tokens)  # [3, b, s]
        rows, columns = [], []
        for index, tail in enumerate(tails):
            real = rendered.attention_mask[index].bool()
            head = prompt_positions[:, index, real]
            # `generate` goes on from the maximum of all positions, the film's included; so does training.
            follow = head.max() + 1 + torch.arange(len(tail))
            rows.append([*rendered.input_ids[index, real].tolist(), *tail])
            columns.append(torch.cat([head, follow.expand(3, -1)], dim=1))
        ids, mask = pad(rows, self.tokenizer.pad_token_id, left=False)
        positions = torch.zeros(3, *ids.shape, dtype=torch.long)
        for index, column in enumerate(columns):
            positions[:, index, : column.shape[1]] = column
        return ids, mask, positions

    def positions(self, rendered: Rendered, tokens: Mapping[Lane, Tokens]) -> Tensor:
        """M-RoPE positions `[3, b, s]` (time, height, width) of rendered prompts."""
        if not any(rows.grid is not None for rows in tokens.values()):
            plain = (rendered.attention_mask.cumsum(-1) - 1).clamp(min=0)
            return plain.expand(3, -1, -1)
        grids = {k: v.cpu() for k, v in self._vision(tokens).items() if k != "mm_encoder_outputs"}
        found: Tensor = self.hf.model.get_rope_index(**vars(rendered), **grids)[0]
        return found

    def _vision(self, tokens: Mapping[Lane, Tokens]) -> dict[str, Any]:
        """What `transformers` calls the rows: encoder outputs and grids, and seconds a step where it asks."""
        outputs: dict[str, Any] = {}
        found: dict[str, Any] = {}
        for modality, rows in tokens.items():
            if rows.grid is None:
                continue
            lengths = [n for n in rows.lengths if n]
            values = rows.values.to(self.hf.device)
            outputs[modality] = BaseModelOutputWithPooling(pooler_output=values.split(lengths))
            if rows.deep:
                layers = [layer.to(self.hf.device) for layer in rows.deep]
                outputs[modality]["deepstack_features"] = [layer.split(lengths) for layer in layers]
            found[f"{modality}_grid_thw"] = rows.grid.to(self.hf.device)
            if rows.step_s is not None and self._takes_step:
                found["second_per_grid_ts"] = rows.step_s.to(self.hf.device)
        return found | ({"mm_encoder_outputs": outputs} if outputs else {})

    def _placed(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: value.to(self.hf.device) for name, value in inputs.items()}
