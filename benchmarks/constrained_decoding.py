"""What a grammar costs: compile, mask and apply, for llguidance and (where installed) xgrammar, side by side.

Type: `python benchmarks/constrained_decoding.py [--vocabulary 150000] [--replies 5]`. Needs `vlmkit[local]`, no
weights.
The schema is a list of events with clock times and free sentences; replies are drawn uniformly from what is allowed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import random
import statistics
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Annotated, Any, Literal, Protocol

import numpy as np
import torch
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask
from pydantic import BaseModel, Field, RootModel
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from vlmkit.decoders.schema import bounded
from vlmkit.llms.grammar import Grammars, unpack_here
from vlmkit.types import Constraint

N_COMPILES = 5
N_APPLIES = 200
EOS = 0

Clock = Annotated[str, Field(max_length=8, pattern=r"^[0-9]:[0-9]{1,2}:[0-9]{1,2}$")]


class Event(BaseModel):
    """One thing that happened."""

    description: Annotated[str, Field(max_length=80)]
    start_time: Clock
    end_time: Clock
    event: Literal["goal", "corner", "foul", "offside"]


Events = RootModel[Annotated[list[Event], Field(max_length=6)]]


class Engine(Protocol):
    """What both libraries do, under one set of names."""

    def compile(self) -> None: ...
    def start(self) -> Any: ...
    def fill(self, matcher: Any) -> None: ...
    def allowed(self) -> np.ndarray[Any, Any]: ...
    def accept(self, matcher: Any, token: int) -> None: ...
    def apply(self, logits: torch.Tensor) -> None: ...


class LlGuidance:
    """As `GrammarProcessor` uses it."""

    def __init__(self, tokenizer: Any, constraint: Constraint) -> None:
        self._grammars = Grammars(tokenizer, [EOS])
        self._constraint = constraint
        self._n = len(tokenizer)
        self._mask = allocate_token_bitmask(1, self._n)

    def compile(self) -> None:
        self._grammars._compile(self._constraint.schema)

    def start(self) -> Any:
        return self._grammars.matcher(self._constraint)

    def fill(self, matcher: Any) -> None:
        fill_next_token_bitmask(matcher, self._mask)

    def allowed(self) -> np.ndarray[Any, Any]:
        return unpack_here(self._mask, self._n)[0].numpy().nonzero()[0]

    def accept(self, matcher: Any, token: int) -> None:
        matcher.consume_token(token)

    def apply(self, logits: torch.Tensor) -> None:
        mask = np.repeat(self._mask, len(logits), axis=0)
        logits.masked_fill_(~unpack_here(mask, self._n), -torch.inf)


class XGrammar:
    """As its manual says, one thread, caches off."""

    def __init__(self, tokenizer: Any, constraint: Constraint) -> None:
        import xgrammar

        self._xgrammar = xgrammar
        self._n = len(tokenizer)
        names = [tokenizer.convert_ids_to_tokens(token) for token in range(self._n)]
        info = xgrammar.TokenizerInfo(
            names, xgrammar.VocabType.BYTE_LEVEL, vocab_size=self._n, stop_token_ids=[EOS], add_prefix_space=False
        )
        self._compiler = xgrammar.GrammarCompiler(info, max_threads=1, cache_enabled=False)
        self._schema = constraint.schema
        self._mask = xgrammar.allocate_token_bitmask(1, self._n)
        self._compiled = self._compile()

    def _compile(self) -> Any:
        return self._compiler.compile_json_schema(self._schema, any_whitespace=False, separators=(",", ":"))

    def compile(self) -> None:
        self._compile()

    def start(self) -> Any:
        return self._xgrammar.GrammarMatcher(self._compiled)

    def fill(self, matcher: Any) -> None:
        matcher.fill_next_token_bitmask(self._mask)

    def allowed(self) -> np.ndarray[Any, Any]:
        return unpack_here(self._mask.numpy(), self._n)[0].numpy().nonzero()[0]

    def accept(self, matcher: Any, token: int) -> None:
        matcher.accept_token(token)

    def apply(self, logits: torch.Tensor) -> None:
        self._xgrammar.apply_token_bitmask_inplace(logits, self._mask.repeat(len(logits), 1))


def synthetic_tokenizer(n: int) -> Any:
    """A byte-level vocabulary of `n` entries: all bytes, and letter pieces of 2 to 12 bytes, half after a space."""
    rng = random.Random(0)
    names = dict.fromkeys(["<eos>", *sorted(pre_tokenizers.ByteLevel.alphabet())])
    while len(names) < n:
        piece = "".join(rng.choices("etaoinshrdlucmfwypvbgkjqxzETAO0123456789", k=rng.randint(2, 12)))
        names[rng.choice(["Ġ", ""]) + piece] = None
    bpe = Tokenizer(models.BPE(vocab={name: i for i, name in enumerate(names)}, merges=[]))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<eos>")


def milliseconds(work: Callable[[], object], times: int) -> list[float]:
    """How long each of `times` runs took."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - start))
    return taken


def walk(engine: Engine, n_replies: int) -> Iterator[float]:
    """Milliseconds of every mask on the way through random replies."""
    rng = np.random.default_rng(0)
    for _ in range(n_replies):
        matcher, token = engine.start(), -1
        while token != EOS:
            yield milliseconds(lambda matcher=matcher: engine.fill(matcher), 1)[0]  # type: ignore[misc]
            token = int(rng.choice(engine.allowed()))
            engine.accept(matcher, token)


def measure(engine: Engine, n: int, n_replies: int) -> dict[str, float]:
    """Figures by name, in the units of the names."""
    masks = sorted(walk(engine, n_replies))
    figures = {
        "compile, ms": statistics.median(milliseconds(engine.compile, N_COMPILES)),
        "mask median, us": 1000 * statistics.median(masks),
        "mask mean, us": 1000 * statistics.fmean(masks),
        "mask p99, us": 1000 * masks[int(0.99 * (len(masks) - 1))],
    }
    for batch in (1, 8):
        logits = torch.zeros(batch, n)
        applied = milliseconds(lambda logits=logits: engine.apply(logits), N_APPLIES)  # type: ignore[misc]
        figures[f"apply, batch {batch}, us"] = 1000 * statistics.median(applied)
    return figures


def main() -> None:
    """Print one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vocabulary", type=int, default=150_000)
    parser.add_argument("--replies", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    kinds: dict[str, Callable[[Any, Constraint], Engine]] = {"llguidance": LlGuidance}
    if importlib.util.find_spec("xgrammar"):
        kinds["xgrammar"] = XGrammar
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", *kinds))
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {versions}")
    tokenizer, constraint = synthetic_tokenizer(options.vocabulary), bounded(Events)
    found = {}
    for name, kind in kinds.items():
        start = time.perf_counter()
        engine = kind(tokenizer, constraint)
        figures = {"tokenizer, ms (once)": 1000 * (time.perf_counter() - start)}
        found[name] = figures | measure(engine, len(tokenizer), options.replies)
    for row, figure in found["llguidance"].items():
        others = [f"{name} {found[name][row]:12.1f}" for name in kinds]
        ratio = f"   ratio {found['xgrammar'][row] / figure:8.2f}" if "xgrammar" in found else ""
        print(f"{row:22} " + "   ".join(others) + ratio)


if __name__ == "__main__":
    main()
