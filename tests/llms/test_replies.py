from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.tiny_models import tiny_qwen2
from vlmkit.llms.replies import Replies
from vlmkit.types import Generation, Limits

NEW = 16
WORDS = "What is in the picture"


@pytest.fixture(scope="module")
def model() -> tuple[Any, Any, dict[str, Any]]:
    """A random tiny Qwen2, its tokenizer, and one prompt."""
    hf, tokenizer = tiny_qwen2()
    return hf, tokenizer, dict(tokenizer(WORDS, return_tensors="pt"))


def _reply(model: tuple[Any, Any, dict[str, Any]], **how: Any) -> Generation:
    hf, tokenizer, inputs = model
    (reply,) = Replies(hf, tokenizer).generate(inputs, [None], Limits(NEW, **how), [inputs["input_ids"].shape[1]])
    return reply


def test_top_p_draws_from_the_likeliest_only(model: tuple[Any, Any, dict[str, Any]]) -> None:
    greedy = _reply(model)
    assert _reply(model, temperature=2.0, top_p=1e-6, seed=1).ids == greedy.ids
    hot = [_reply(model, temperature=2.0, seed=seed) for seed in (1, 1, 2)]
    assert hot[0].ids == hot[1].ids != hot[2].ids, "the seed decides"
    assert min(hot[0].margins) < 0, "and what is drawn is not always the best"
    assert _reply(model, top_p=1e-6, seed=1) == greedy, "greedy knows no top_p"


def test_a_penalty_is_the_one_of_transformers_and_holds_for_greedy_replies(
    model: tuple[Any, Any, dict[str, Any]],
) -> None:
    hf, _, inputs = model
    found = _reply(model, repetition_penalty=1.8)
    assert found.ids != _reply(model).ids
    with torch.inference_mode():
        logits = hf(**inputs).logits[0, -1].clone()
        seen = inputs["input_ids"][0].unique()
        logits[seen] = torch.where(logits[seen] < 0, logits[seen] * 1.8, logits[seen] / 1.8)
    assert found.ids[0] == int(logits.argmax())
    assert found.logprobs[0] == pytest.approx(float(logits.log_softmax(-1).max()), abs=1e-4)


def test_a_checkpoints_own_habits_change_no_draw(
    model: tuple[Any, Any, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, hot = _reply(model), _reply(model, temperature=2.0, seed=3)
    for name, value in {"top_k": 1, "top_p": 0.001, "temperature": 0.01, "repetition_penalty": 1.9}.items():
        monkeypatch.setattr(model[0].generation_config, name, value)
    assert _reply(model) == plain
    assert _reply(model, temperature=2.0, seed=3) == hot
