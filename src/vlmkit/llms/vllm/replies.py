"""What vLLM is asked of a reply, and its answer as a `Generation`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from vlmkit.llms.grammar import writing
from vlmkit.llms.spelling import Speller
from vlmkit.types import Constraint, Generation, Limits, Problem


@lru_cache(maxsize=256)
def _schema(text: str) -> str:
    """A schema that says how JSON is written, in the words of llguidance, which vLLM hands it to."""
    return json.dumps({**json.loads(text), "x-guidance": writing()}, ensure_ascii=False)


def asked(constraint: Constraint | None, limits: Limits, room: int, end: int) -> Any:
    """`SamplingParams` of one reply.

    Args:
        room: positions that are left behind the prompt.
        end: the id that ends a reply, and nothing else does: a checkpoint may name more of them.
    """
    from vllm import SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    return SamplingParams(
        temperature=limits.temperature,
        top_p=limits.top_p if limits.temperature else 1.0,
        repetition_penalty=limits.repetition_penalty,
        seed=limits.seed,  # of each prompt: a reply is the same whatever is asked beside it
        max_tokens=min(limits.max_new_tokens, room),
        logprobs=2,
        detokenize=False,
        ignore_eos=True,
        stop_token_ids=[end],
        structured_outputs=None if constraint is None else StructuredOutputsParams(json=_schema(constraint.schema)),
    )


def read(
    output: Any, speller: Speller, end: int, prompt_ids: Sequence[int], grids: tuple[tuple[int, int, int], ...] = ()
) -> Generation:
    """A finished request of vLLM."""
    made = output.outputs[0]
    if made.finish_reason not in ("stop", "length"):  # "error": a grammar that llguidance cannot follow, and others
        problem = Problem("engine_failed", f"vLLM broke off its reply ({made.finish_reason})", "engine", fatal=True)
        return Generation("", "failed", len(prompt_ids), 0, problem=problem)
    ids = list(made.token_ids)
    stopped = bool(ids) and ids[-1] == end
    kept = ids[:-1] if stopped else ids
    text, spans = speller.spell(kept)
    steps = [_step(told, token) for told, token in zip(made.logprobs or (), kept, strict=False)]
    return Generation(
        text,
        "end" if stopped else "length",
        len(prompt_ids),
        len(kept),
        tuple(logprob for logprob, _ in steps),
        spans,
        prompt_ids=tuple(prompt_ids),
        ids=tuple(kept),
        grids=grids,
        margins=tuple(lead for _, lead in steps),
    )


def _step(told: Mapping[int, Any], token: int) -> tuple[float, float]:
    """A chosen token's log-probability, and its lead over the best other one."""
    own = float(told[token].logprob)
    others = [float(one.logprob) for other, one in told.items() if other != token]
    return own, own - max(others, default=-math.inf)
