"""Finished requests of vLLM as generations; needs no vLLM."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from vlmkit.llms.vllm.replies import read

END = 9


class Letters:
    """Ids are letters from "a" up."""

    def spell(self, ids: list[int]) -> tuple[str, tuple[tuple[int, int], ...]]:
        """One byte a token."""
        return "".join(chr(97 + one) for one in ids), tuple((at, at + 1) for at in range(len(ids)))


def finished(ids: list[int], reason: str | None) -> Any:
    steps = [{token: SimpleNamespace(logprob=-0.1), token + 1: SimpleNamespace(logprob=-0.6)} for token in ids]
    made = SimpleNamespace(token_ids=ids, logprobs=steps, finish_reason=reason)
    return SimpleNamespace(outputs=[made])


def test_a_reply_ends_with_its_end_or_with_its_budget() -> None:
    speller: Any = Letters()
    whole, cut = (
        read(finished([0, 1, END], "stop"), speller, END, [5]),
        read(finished([0], "length"), speller, END, [5]),
    )
    assert (whole.text, whole.stop, whole.ids, whole.n_prompt) == ("ab", "end", (0, 1), 1)
    assert whole.logprobs == (-0.1, -0.1)
    assert whole.margins == pytest.approx((0.5, 0.5))
    assert (cut.text, cut.stop) == ("a", "length")


@pytest.mark.parametrize("reason", ["error", "abort", "repetition", None])
@pytest.mark.parametrize("ids", [[], [0, 1]])
def test_a_reply_that_was_broken_off_is_not_one_that_was_cut(ids: list[int], reason: str | None) -> None:
    """vLLM ends a request so whose grammar cannot be compiled, or forbids what was drawn."""
    speller: Any = Letters()
    found = read(finished(ids, reason), speller, END, [5])
    assert (found.text, found.stop, found.n_prompt) == ("", "failed", 1)
    assert found.problem is not None
    assert (found.problem.code, found.problem.where) == ("engine_failed", "engine")
    assert str(reason) in found.problem.message
