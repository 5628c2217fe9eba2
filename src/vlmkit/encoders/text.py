"""A Hugging Face text encoder: what a sample says in words, to one row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from vlmkit.errors import WiringError
from vlmkit.hub import opened, refuse_gaps
from vlmkit.types import Batch, Features, Inputs, Modality, Problem, Sample

# What a published encoder may hold or lack besides what is read: heads of its pretraining, and old buffers.
_HEADS = (
    "cls.",
    "lm_head.",
    "classifier.",
    "discriminator_predictions.",
    "lm_predictions.",
    "mask_predictions.",
    "vocab_",
)
_POOLER = "pooler."
_BUFFERS = ("position_ids", "token_type_ids")
# DeBERTa v3: what its discriminator added to the generator's words, already in the sum that is read (He et al. 2021,
# arXiv 2111.09543, 3.2), and absolute positions, which only the mask decoder of its pretraining took.
_LEFTOVERS = ("embeddings._weight", "position_embeddings.weight")


Words = Callable[[Sample], tuple[str, tuple[Problem, ...]]]
"""`sample -> ` the text that is read of it, empty where it has none, and what has to be said about it."""


def plain(sample: Sample) -> tuple[str, tuple[Problem, ...]]:
    """The sample's text as it is."""
    return sample.text or "", ()


class HfText:
    """One row a text, from the last hidden states, before any pooler.

    Args:
        hf: an encoder of `transformers` (`AutoModel`), with its tokenizer.
        max_tokens: the most tokens of a text, the special ones counted; a longer one is cut, and a note says so.
        row: `first` is the state of the token (CLS) that the tokenizer puts before a text; `mean` that of all tokens.
        name: hub id or folder that the weights are from; the model's own word when not given.
        words: what is read of a sample; its text when not given. Training and serving have no other way to the model.
        words_spec: what changes when `words` does, as JSON data; it is saved and compared like the rest of `spec`.

    Raises `WiringError` for a tokenizer that has no such first token, or not this model's vocabulary.
    """

    def __init__(
        self,
        hf: Any,
        tokenizer: Any,
        *,
        max_tokens: int = 32,
        row: Literal["first", "mean"] = "first",
        name: str | None = None,
        words: Words = plain,
        words_spec: Mapping[str, Any] | None = None,
    ) -> None:
        self._hf = hf
        self._words = words
        self.tokenizer = tokenizer
        self._max_tokens = max_tokens
        self._row = row
        self._check()
        self.modalities: frozenset[Modality] = frozenset({"text"})
        self.reads = self.modalities
        self.dim: int = hf.config.hidden_size
        self.module: nn.Module = hf
        about = {"tower": name or str(hf.config.name_or_path), "max_tokens": max_tokens, "row": row}
        self.spec: Mapping[str, Any] = {"text": {**about, **({"words": dict(words_spec)} if words_spec else {})}}

    def _check(self) -> None:
        empty = self.tokenizer("")["input_ids"]
        if self._row == "first" and (not empty or empty[0] not in self.tokenizer.all_special_ids):
            raise WiringError("the tokenizer puts no token of its own before a text; set row='mean'")
        if len(self.tokenizer) > self._hf.config.vocab_size:
            raise WiringError(
                f"the tokenizer has {len(self.tokenizer)} words and the text model {self._hf.config.vocab_size}"
            )
        longest = getattr(self._hf.config, "max_position_embeddings", self._max_tokens)
        if not len(empty) < self._max_tokens <= longest:
            raise WiringError(
                f"max_tokens={self._max_tokens} does not fit: {len(empty)} are special tokens, and the text model "
                f"reads {longest} at most"
            )

    def transform(self, sample: Sample, modality: Modality) -> Inputs | None:
        """`input_ids` `[n]`; none for a sample without text, or whose text has no sign that the encoder knows.

        Notes say what was left out of a text (`text_cut`) and that nothing of it could be read (`text_unknown`).
        """
        words, notes = self._words(sample)
        if not words.strip():
            return {"notes": notes} if notes else None
        made = self.tokenizer(words, return_special_tokens_mask=True, verbose=False)
        ids: list[int] = made["input_ids"]
        own: list[int] = made["special_tokens_mask"]
        if len(ids) > self._max_tokens:
            left = getattr(self.tokenizer, "truncation_side", "right") == "left"
            end = "beginning" if left else "end"
            text = f"it has {len(ids)} tokens and the text encoder reads {self._max_tokens}: its {end} was left out"
            notes = (*notes, Problem("text_cut", text, "text"))
            ids, own = _cut(ids, own, self._max_tokens, from_left=left)
        if self._unknown([one for one, special in zip(ids, own, strict=True) if not special]):
            text = "none of its signs is in the vocabulary of the text encoder: nothing of it was read"
            return {"notes": (*notes, Problem("text_unknown", text, "text"))}
        return {"input_ids": torch.tensor(ids), **({"notes": notes} if notes else {})}

    def _unknown(self, ids: Sequence[int]) -> bool:
        """Whether there is nothing in it but blanks, markers and the token for what is not in the vocabulary."""
        unknown = self.tokenizer.unk_token_id
        known = sorted(set(ids) - {unknown})
        return unknown in ids and not self.tokenizer.decode(known, skip_special_tokens=True).strip()

    def encode(self, batch: Batch) -> dict[Modality, Features]:
        """`[n, d]`, one row a text. Padding is masked: a row does not depend on the rest of the batch."""
        weight = next(self.module.parameters())
        present = [one["input_ids"] for one in batch.inputs if "input_ids" in one]
        lengths = tuple(int("input_ids" in one) for one in batch.inputs)
        if not present:
            return {"text": Features(weight.new_zeros(0, self.dim), lengths)}
        ids, mask = _padded(present, self.tokenizer.pad_token_id)
        out = self._hf(input_ids=ids.to(weight.device), attention_mask=mask.to(weight.device))
        states: Tensor = out.last_hidden_state
        if self._row == "first":
            return {"text": Features(states[:, 0], lengths)}
        there = mask.to(states).unsqueeze(-1)
        return {"text": Features((states * there).sum(1) / there.sum(1), lengths)}


def open_text(source: str | Path, *, max_tokens: int = 32, revision: str | None = None) -> HfText:
    """An encoder in eval mode and fp32, with its tokenizer, from a hub id or a local folder.

    Heads of its pretraining and the pooler are left out. Raises `CheckpointError` for weights that are not there, only
    as pickles, or not all there.
    """
    from transformers import AutoModel, AutoTokenizer

    hf, tokenizer, report = opened(AutoModel, AutoTokenizer, source, revision=revision, dtype=torch.float32)
    refuse_gaps(source, report, _spare)
    return HfText(without_pooler(hf).eval(), tokenizer, max_tokens=max_tokens, name=str(source))


def without_pooler(hf: Any) -> Any:
    """The model, less the layer behind its first row that only pretraining reads; a published file may lack it."""
    if getattr(hf, "pooler", None) is not None:
        hf.pooler = None
    return hf


def _spare(kind: str, key: str) -> bool:
    allowed = (_POOLER,) if kind == "missing" else (_POOLER, *_HEADS) if kind == "unexpected" else ()
    return key.startswith(allowed) or key.endswith((*_BUFFERS, *_LEFTOVERS) if kind == "unexpected" else _BUFFERS)


def _cut(ids: Sequence[int], own: Sequence[int], n: int, *, from_left: bool) -> tuple[list[int], list[int]]:
    """`n` of the `ids`, all of the tokenizer's `own` (1) among them, as a tokenizer's own truncation has it.

    That one is not used: it is a setting of the tokenizer, which several threads share.
    """
    words = [at for at, special in enumerate(own) if not special]
    left_out = len(ids) - n
    gone = set(words[:left_out] if from_left else words[len(words) - left_out :])
    return [one for at, one in enumerate(ids) if at not in gone], [one for at, one in enumerate(own) if at not in gone]


def _padded(texts: Sequence[Tensor], pad: int | None) -> tuple[Tensor, Tensor]:
    """`[m, n]` ids and the mask that says which of them are there."""
    longest = max(len(ids) for ids in texts)
    ids = torch.full((len(texts), longest), pad or 0)
    mask = torch.zeros(len(texts), longest, dtype=torch.long)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = text
        mask[row, : len(text)] = 1
    return ids, mask
