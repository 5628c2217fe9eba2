"""Language models of composed heads: rows among words, as prompt embeddings, equal to `llms.embedded`."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.tiny_models import tiny_qwen2
from tests.vllm.models import LLM_ONLY, SCHEMA, draw, legal, same
from vlmkit.composed import Composed
from vlmkit.errors import WiringError
from vlmkit.llms.embedded import CausalLm
from vlmkit.llms.vllm import VllmEmbedded, VllmSettings
from vlmkit.types import Limits, Message, Prompt, Slot, Tokens

SETTINGS = VllmSettings(max_model_len=1024, max_num_seqs=8, cache_bytes=32 << 20)
FREE = Limits(24)


def _adapter(folder: Path, out: Path, seed: int) -> Path:
    weights = _composed(folder, None)
    weights.add_lora(**LLM_ONLY)
    draw(weights.hf, seed)
    weights.save_adapter(out, {})
    return out


def _composed(folder: Path, adapter: Path | None) -> Composed:
    hf = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    made = Composed(hf, AutoTokenizer.from_pretrained(folder), {})
    if adapter is not None:
        made.load_adapter(adapter)
    return made


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory, engines: list[Any]) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("qwen2")
    hf, tokenizer = tiny_qwen2()
    hf.save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")
    paths = {name: _adapter(folder / "base", folder / name, seed) for seed, name in enumerate(("one", "two"))}
    engine = VllmEmbedded(
        folder / "base", AutoTokenizer.from_pretrained(folder / "base"), adapters=paths, settings=SETTINGS
    )
    engines.append(engine)
    return SimpleNamespace(base=folder / "base", paths=paths, engine=engine, dim=hf.config.hidden_size)


def _prompt(*slots: Slot, words: str = "What does it show?") -> Prompt:
    return Prompt((Message("system", ("You read cats.",)), Message("user", (*slots, words))))


def _asked(dim: int) -> tuple[list[Prompt], dict[Any, Tokens]]:
    """Words alone, a picture, a sound, both."""
    noise = torch.Generator().manual_seed(0)

    def rows(*lengths: int) -> Tokens:
        return Tokens(torch.randn(sum(lengths), dim, generator=noise) * 0.2, lengths)

    picture, sound = Slot("image"), Slot("audio")
    prompts = [_prompt(), _prompt(picture), _prompt(sound, words="And now?"), _prompt(picture, sound)]
    return prompts, {"image": rows(0, 5, 0, 3), "audio": rows(0, 0, 4, 2)}


def _local(case: SimpleNamespace, name: str | None, constraints: list[Any], limits: Limits) -> list[Any]:
    weights = _composed(case.base, case.paths[name] if name else None)
    return CausalLm(weights.hf, weights.tokenizer).generate(*_asked(case.dim), constraints, limits)


def test_rows_among_words(case: SimpleNamespace) -> None:
    prompts, tokens = _asked(case.dim)
    wanted = _local(case, None, [None] * 4, FREE)
    for found, reference in zip(case.engine.generate(prompts, tokens, [None] * 4, FREE), wanted, strict=True):
        same(found, reference)
    assert len({reference.ids for reference in wanted}) == 4


def test_rows_with_a_schema(case: SimpleNamespace) -> None:
    limits = Limits(SCHEMA.longest + 1)
    found = case.engine.generate(*_asked(case.dim), [SCHEMA] * 4, limits)
    for mine, reference in zip(found, _local(case, None, [SCHEMA] * 4, limits), strict=True):
        legal(mine.text)
        same(mine, reference)


def test_base_and_two_adapters_in_one_batch(case: SimpleNamespace) -> None:
    names = ["two", None, "one", "two"]
    found = case.engine.generate(*_asked(case.dim), [None] * 4, FREE, adapters=names)
    for index, (name, mine) in enumerate(zip(names, found, strict=True)):
        same(mine, _local(case, name, [None] * 4, FREE)[index])
    assert found[0].ids != _local(case, None, [None] * 4, FREE)[0].ids


def test_a_prompt_that_leaves_no_place_is_unread(case: SimpleNamespace) -> None:
    prompts = [_prompt(words="cat " * 1000), _prompt()]
    long, short = case.engine.generate(prompts, {}, [None] * 2, FREE)
    assert (long.stop, long.n_new) == ("unread", 0)
    assert short.stop == "length"


def test_it_does_not_learn(case: SimpleNamespace) -> None:
    with pytest.raises(WiringError, match="does not learn"):
        case.engine.loss([_prompt()], {}, ["x"])
    with pytest.raises(WiringError, match="engine='local'"):
        case.engine.backbone.add_lora()
    with pytest.raises(WiringError, match="slots for"):
        case.engine.generate([_prompt(Slot("image"))], {}, [None], FREE)
