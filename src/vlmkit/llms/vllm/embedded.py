"""The language model of a composed head in vLLM: rows of our encoders go in as prompt embeddings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import torch
from safetensors import safe_open
from torch import Tensor, nn

from vlmkit.errors import CheckpointError, WiringError
from vlmkit.llms.pieces import PieceRenderer, ids_of, joined
from vlmkit.llms.vllm.base import VllmBase
from vlmkit.llms.vllm.settings import VllmSettings, common, text_length
from vlmkit.llms.vllm.start import config_of
from vlmkit.types import Constraint, Generation, Lane, Limits, Modality, Prompt, Tokens

_PLACEHOLDER = "<prompt_embeds>"  # vllm.renderers.chat_utils.PROMPT_EMBEDS_PLACEHOLDER_TOKEN
_TABLES = ("model.embed_tokens.weight", "embed_tokens.weight")


class VllmEmbedded(VllmBase):
    """A text model in vLLM that reads ready rows among its own words; a `LanguageModel` that answers only.

    Prompts are those of `llms.embedded.CausalLm`, position by position, so that greedy replies are equal token by
    token where both compute in fp32.

    Args:
        source: hub id, or a directory in Hugging Face's layout.
        tokenizer: the one that the head was trained with; prompts are rendered and split by it.
        adapters, active, device, precision, revision, settings: as of `Vllm`.

    Raises like `Vllm`.
    """

    def __init__(
        self,
        source: str | Path,
        tokenizer: Any,
        *,
        slots: frozenset[Modality] = frozenset({"image", "audio", "video"}),
        adapters: Mapping[str, Path] | None = None,
        active: str | None = None,
        device: str = "auto",
        precision: str = "auto",
        revision: str | None = None,
        settings: VllmSettings | None = None,
    ) -> None:
        settings = settings or VllmSettings()
        found = self._found(source, adapters, active, device, precision, revision)
        config = config_of(found.folder)
        self.slots = slots
        self.dim: int = config.hidden_size
        self.module: nn.Module = nn.Module()  # its weights are vLLM's
        self._renderer = PieceRenderer(tokenizer)
        self._table = _table(found.folder).to(getattr(torch, found.dtype))
        context = text_length(settings, config.max_position_embeddings)
        arguments = common(settings, config, found.dtype, found.on_cpu, context)
        arguments["enable_prompt_embeds"] = True
        words = _words(tokenizer)
        self._start(found, tokenizer, context, {**arguments, "tokenizer": words.name}, folders=[words])

    def generate(
        self,
        prompts: Sequence[Prompt],
        tokens: Mapping[Lane, Tokens],
        constraints: Sequence[Constraint | None],
        limits: Limits,
        adapters: Sequence[str | None] | None = None,
    ) -> list[Generation]:
        """Replies in order, under their constraints; see `Vllm.reply` for `adapters`.

        A prompt that leaves no place for the whole budget gets an empty reply that stops as "unread", as in
        `llms.embedded`. Raises `WiringError` where slots and rows do not match.
        """
        pieces = [self._renderer.pieces(prompt, tokens, index) for index, prompt in enumerate(prompts)]
        rows = [joined(one, self._embedded) for one in pieces]
        given = [{"prompt_embeds": row} if len(row) + limits.max_new_tokens <= self.context else None for row in rows]
        return self._answered(given, [ids_of(one) for one in pieces], constraints, limits, adapters)

    def loss(self, prompts: Sequence[Prompt], tokens: Mapping[Lane, Tokens], answers: Sequence[str]) -> NoReturn:
        """Refused."""
        raise WiringError("vLLM answers and does not learn; train with engine='local'")

    def _embedded(self, ids: Sequence[int]) -> Tensor:
        return self._table[torch.tensor(ids, dtype=torch.long)]


def _words(tokenizer: Any) -> TemporaryDirectory[str]:
    """The tokenizer as vLLM has to read it: class, rules and words of the given one, and the placeholder's.

    `AutoTokenizer` knows better than what a saved tokenizer says of itself where a language model of some kinds lies
    beside it (Qwen2 among them), and its way of splitting words is then another one: under a grammar, forced text
    would be written in tokens that the head was not trained on. So what lies beside it is of a kind without words.

    vLLM adds its placeholder after it has counted words, and llguidance then finds one more than a full vocabulary
    has room for.
    """
    words = deepcopy(tokenizer)
    words.add_tokens([_PLACEHOLDER], special_tokens=True)
    folder = TemporaryDirectory(prefix="vlmkit-words-")
    words.save_pretrained(folder.name)
    Path(folder.name, "config.json").write_text('{"model_type": "vit"}', encoding="utf-8")
    return folder


def _table(folder: Path) -> Tensor:
    """The embeddings of the vocabulary `[v, d]`, and nothing else of the weights."""
    for file, name in _places(folder):
        with safe_open(file, framework="pt") as weights:
            if name in weights.keys():  # noqa: SIM118 - it is no mapping
                found: Tensor = weights.get_tensor(name)
                return found
    raise CheckpointError(f"{folder}: no embeddings of a vocabulary, which are called {' or '.join(_TABLES)}")


def _places(folder: Path) -> list[tuple[Path, str]]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        files = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        return [(folder / files[name], name) for name in _TABLES if name in files]
    return [(folder / "model.safetensors", name) for name in _TABLES]
