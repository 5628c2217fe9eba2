"""What every local language model does alike: draw a reply under its grammar, and spell it with its probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from transformers import LogitsProcessor, LogitsProcessorList

from vlmkit.llms.grammar import GrammarProcessor
from vlmkit.llms.spelling import Speller
from vlmkit.types import Constraint, Generation, Limits


class TokenLoss(Protocol):
    """`(logits [k, v], labels [k]) -> loss [k]`."""

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor: ...


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The plain loss of each token, `[k]`, in fp32 whatever the model computes in."""
    return nn.functional.cross_entropy(logits.float(), labels, reduction="none")


class Replies:
    """Replies of one Hugging Face model with one tokenizer."""

    def __init__(self, hf: Any, tokenizer: Any) -> None:
        self._hf = hf
        self._tokenizer = tokenizer
        self._speller = Speller(tokenizer)
        self._ends = [tokenizer.eos_token_id]  # the turn's end: what an answer is trained to finish with

    def target(self, answer: str) -> list[int]:
        """The ids that a model learns to write for an answer, its end included."""
        return [*self._tokenizer(answer, add_special_tokens=False)["input_ids"], self._ends[0]]

    def generate(
        self,
        inputs: Mapping[str, Any],
        constraints: Sequence[Constraint | None],
        limits: Limits,
        n_prompt: Sequence[int],
    ) -> list[Generation]:
        """Replies in order, under their constraints; `inputs` are those of `hf.generate`, padded on the left.

        Args:
            n_prompt: positions of each prompt without its padding.
        """
        record = _LogProbs()
        processors = [GrammarProcessor(constraints, self._tokenizer, self._ends), record]
        with torch.inference_mode(), torch.random.fork_rng(enabled=limits.seed is not None):
            if limits.seed is not None:
                torch.manual_seed(limits.seed)
            ids = self._hf.generate(
                **inputs,
                logits_processor=LogitsProcessorList(processors),
                max_new_tokens=limits.max_new_tokens,
                eos_token_id=self._ends,
                pad_token_id=self._tokenizer.pad_token_id,
                **_sampling(limits),
            )
        given = inputs.get("input_ids")  # ids come back with their prompt, embeddings without
        new = ids if given is None else ids[:, given.shape[1] :]
        logprobs, margins = (each.tolist() for each in record.finish(new))
        return [self._spelled(new[i].tolist(), logprobs[i], margins[i], n) for i, n in enumerate(n_prompt)]

    def _spelled(
        self, ids: Sequence[int], logprobs: Sequence[float], margins: Sequence[float], n_prompt: int
    ) -> Generation:
        n_new = next((i for i, token in enumerate(ids) if token in self._ends), None)
        kept = ids if n_new is None else ids[:n_new]
        text, spans = self._speller.spell(kept)
        n = len(kept)
        return Generation(
            text=text,
            stop="length" if n_new is None else "end",
            n_prompt=n_prompt,
            n_new=n,
            logprobs=tuple(logprobs[:n]),
            spans=spans,
            ids=tuple(kept),
            margins=tuple(margins[:n]),
        )


def _sampling(limits: Limits) -> dict[str, Any]:
    # Explicit everywhere: a checkpoint's own generation_config (top_k 1, say) would quietly change the draw.
    same = {"repetition_penalty": limits.repetition_penalty}
    if limits.temperature == 0:
        return {"do_sample": False, "temperature": None, "top_p": None, "top_k": None, **same}
    return {"do_sample": True, "temperature": limits.temperature, "top_p": limits.top_p, "top_k": 0, **same}


class _LogProbs(LogitsProcessor):
    """Keeps of each chosen token its log-probability and its lead, one step of scores at a time instead of all."""

    def __init__(self) -> None:
        self._scores: Tensor | None = None
        self._chosen: list[Tensor] = []
        self._leads: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        if input_ids.shape[1]:  # embeddings bring no ids along
            self._take(input_ids[:, -1])
        self._scores = scores.float().log_softmax(-1)
        return scores

    def _take(self, ids: Tensor) -> None:
        if self._scores is None:
            return
        chosen = self._scores.gather(1, ids[:, None])[:, 0]
        best, places = self._scores.topk(2)
        rival = torch.where(places[:, 0] == ids, best[:, 1], best[:, 0])
        self._chosen.append(chosen)
        self._leads.append(chosen - rival)

    def finish(self, new: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities, and how far they are above the best other one: `[b, n_new]` each."""
        self._take(new[:, -1])
        return torch.stack(self._chosen, dim=1), torch.stack(self._leads, dim=1)
