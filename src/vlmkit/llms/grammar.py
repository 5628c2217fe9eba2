"""Constraints as token masks: llguidance behind a `transformers` logits processor."""

from __future__ import annotations

import functools
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from llguidance import LLExecutor, LLMatcher, LLTokenizer
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask, fill_next_token_bitmask_par
from torch import Tensor
from transformers import LogitsProcessor

from vlmkit.errors import WiringError
from vlmkit.types import Constraint

CACHED_GRAMMARS = 64  # a tokenizer; a compiled grammar takes some hundred kilobytes and about 2 ms to make again
WRITING: Any = {"whitespace_flexible": False, "json_allowed_escapes": '"\\bfnrt'}
"""What `decoders.shape` counts on, in words that every llguidance from 1.7 on knows."""
_SINCE_1_8 = {"json_allow_general_unicode_escapes": False}  # before, what is not allowed by name is not legal


@functools.cache
def writing() -> Any:
    """What `decoders.shape` counts on, as this llguidance calls it: no white space, and escapes of two bytes only."""
    whole: Any = {**WRITING, **_SINCE_1_8}
    refused = LLMatcher.validate_grammar(LLMatcher.grammar_from_json_schema('{"type":"null"}', overrides=whole))
    return dict(WRITING) if refused else whole


class Grammars:
    """Compiled grammars of one tokenizer, the least recently used forgotten first. Safe to share between threads.

    Raises `WiringError` for a tokenizer that cannot drive a grammar.
    """

    def __init__(self, tokenizer: Any, eos_ids: Sequence[int]) -> None:
        if not eos_ids:
            raise WiringError("a constrained reply has to end: give at least one end-of-sequence id")
        backend = copy(_backend(tokenizer))
        backend.no_padding()
        backend.no_truncation()
        with _as_wiring_error("this tokenizer cannot drive a grammar: llguidance refuses its vocabulary"):
            self.tokenizer = LLTokenizer(backend.to_str(), eos_token=[int(token) for token in eos_ids])
        self._compiled: OrderedDict[str, Any] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Grammars held, at most `CACHED_GRAMMARS`."""
        return len(self._compiled)

    def matcher(self, constraint: Constraint) -> Any:
        """A fresh matcher at the start of a reply. Raises `WiringError` for a schema that does not compile."""
        key = hashlib.sha256(constraint.schema.encode()).hexdigest()
        with self._lock:
            if key not in self._compiled:
                self._compiled[key] = self._compile(constraint.schema)
            self._compiled.move_to_end(key)
            while len(self._compiled) > CACHED_GRAMMARS:
                self._compiled.popitem(last=False)
            return self._compiled[key].deep_copy()

    def _compile(self, schema: str) -> Any:
        with _as_wiring_error("llguidance refuses this schema"):
            grammar = LLMatcher.grammar_from_json_schema(schema, overrides=writing())
            matcher = LLMatcher(self.tokenizer, grammar, log_level=0)
        if matcher.is_error():
            raise WiringError(f"llguidance refuses this schema: {matcher.get_error().splitlines()[0]}")
        return matcher


def _backend(tokenizer: Any) -> Any:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise WiringError(f"{type(tokenizer).__name__} is not a fast tokenizer; load it from a tokenizer.json")
    return backend


_GRAMMARS: WeakKeyDictionary[Any, dict[tuple[int, ...], Grammars]] = WeakKeyDictionary()
_GRAMMARS_LOCK = threading.Lock()


def grammars_of(tokenizer: Any, eos_ids: Sequence[int]) -> Grammars:
    """One shared `Grammars` for a tokenizer and its ends, as long as the tokenizer lives and does not grow."""
    _backend(tokenizer)
    with _GRAMMARS_LOCK:
        known = _GRAMMARS.setdefault(tokenizer, {})
        key = (len(tokenizer), *eos_ids)
        if key not in known:
            known[key] = Grammars(tokenizer, eos_ids)
        return known[key]


class GrammarProcessor(LogitsProcessor):
    """Masks every token that would leave a row's grammar, in place and for one `generate` call.

    A masked score is `-inf`, so the scores of `generate(output_scores=True)` give log-probabilities under the
    constraint. Only what comes after the first call's `input_ids` is read, so prompts may be padded on the left. A row
    that has ended allows its ends only. Rows of the vocabulary that have no token are masked.

    Args:
        constraints: one a row; None leaves that row as it is.
        tokenizer: a fast Hugging Face tokenizer.
        eos_ids: tokens that end a reply.

    Raises `WiringError`: a tokenizer or schema that llguidance refuses, a row count that differs, rows that were
    reordered (beam search) or cut back (assisted generation), a token that the grammar forbids.
    """

    def __init__(self, constraints: Sequence[Constraint | None], tokenizer: Any, eos_ids: Sequence[int]) -> None:
        self._n = len(constraints)
        self._ends = frozenset(int(token) for token in eos_ids)
        self._free = [row for row, constraint in enumerate(constraints) if constraint is None]
        self._open: dict[int, Any] = {}  # row -> matcher, until the row has ended
        self._seen: Tensor | None = None
        self._mask: Any = None
        if len(self._free) < self._n:
            grammars = grammars_of(tokenizer, eos_ids)
            self._open = {row: grammars.matcher(c) for row, c in enumerate(constraints) if c is not None}
            self._mask = allocate_token_bitmask(self._n, grammars.tokenizer.vocab_size)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """`input_ids` `[b, s]` so far, `scores` `[b, v]` of the next token; returns `scores`."""
        if self._mask is None:
            return scores
        self._consume(input_ids)
        self._fill()
        here, n = scores.device.type == "cpu", scores.shape[1]
        allowed = unpack_here(self._mask, n) if here else unpack_there(self._mask, n, scores.device)
        allowed[self._free] = True
        return scores.masked_fill_(~allowed, -torch.inf)

    def _consume(self, input_ids: Tensor) -> None:
        if len(input_ids) != self._n:
            raise WiringError(
                f"{self._n} constraints for {len(input_ids)} rows; one row a prompt, num_return_sequences=1"
            )
        before, self._seen = self._seen, input_ids
        if before is None:
            return
        known = before.shape[1]
        if input_ids.shape[1] < known or not torch.equal(input_ids[:, :known], before):
            raise WiringError(
                "rows were reordered or cut back; grammars need num_beams=1, no assistant, one generate call"
            )
        new = input_ids[:, known:].tolist()
        for row, matcher in list(self._open.items()):
            for token in new[row]:
                if token in self._ends and matcher.is_accepting():
                    self._end(row)
                    break
                if not matcher.consume_token(token):
                    raise WiringError(
                        f"row {row}: token {token} leaves the grammar; let no later processor unmask scores"
                    )

    def _end(self, row: int) -> None:
        del self._open[row]
        bits = np.zeros(self._mask.shape[1] * 32, dtype=np.uint8)
        bits[list(self._ends)] = 1
        self._mask[row] = np.packbits(bits, bitorder="little").view(np.int32)

    def _fill(self) -> None:
        with _as_wiring_error("llguidance failed on a reply"):
            if len(self._open) > 1:
                rows = [(matcher, row) for row, matcher in self._open.items()]
                fill_next_token_bitmask_par(_executor(torch.get_num_threads()), rows, self._mask)
            else:
                for row, matcher in self._open.items():
                    fill_next_token_bitmask(matcher, self._mask, row)
        for row, matcher in self._open.items():
            if matcher.is_error():
                raise WiringError(f"row {row}: llguidance failed: {matcher.get_error().splitlines()[0]}")


def unpack_here(mask: Any, n: int) -> Tensor:
    """Packed words `[b, v / 32]` in memory to booleans `[b, n]`; bits beyond the mask are off."""
    return torch.from_numpy(np.unpackbits(mask.view(np.uint8), axis=1, count=n, bitorder="little").view(np.bool_))


def unpack_there(mask: Any, n: int, device: torch.device) -> Tensor:
    """The same on another device: the packed words travel, a 32nd of the booleans' bits."""
    words = torch.from_numpy(mask).to(device)
    shifts = torch.arange(32, device=device, dtype=torch.int32)
    known = ((words.unsqueeze(-1) >> shifts) & 1).bool().flatten(1)[:, :n]
    return torch.nn.functional.pad(known, (0, n - known.shape[1]))


@functools.cache
def _executor(n_threads: int) -> Any:
    return LLExecutor(num_threads=n_threads)


@contextmanager
def _as_wiring_error(what: str) -> Iterator[None]:
    # A failed Rust assertion arrives as a BaseException, which `except Exception` lets through.
    try:
        yield
    except BaseException as error:
        if isinstance(error, ValueError | RuntimeError) or type(error).__name__ == "PanicException":
            raise WiringError(f"{what}; use the model's own tokenizer, or constrain nothing") from error
        raise
