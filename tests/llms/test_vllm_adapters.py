"""Adapters that vLLM would load and not serve: refused before it is started, so without it, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.vllm.models import Ground, adapter, changed, misnamed
from vlmkit.errors import AdapterError
from vlmkit.llms.vllm.adapters import Served, servable
from vlmkit.llms.vllm.settings import RANKS, lora


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground.made(tmp_path_factory.mktemp("adapters"))


def test_an_adapter_as_vlmkit_saves_it_is_taken(ground: Ground) -> None:
    (served,) = ground.opened(ground.plain)
    assert (served.rank, served.language, served.vision, served.number) == (4, True, (), 1)
    assert all(name.startswith("model.language_model.layers") for name in served.keys)


def test_keys_that_reach_nothing(ground: Ground, tmp_path: Path) -> None:
    """vLLM loads it without a word and answers as the base does."""
    wrong = changed(
        ground.plain,
        tmp_path / "a",
        tensors=misnamed,
    )
    with pytest.raises(AdapterError, match="would load the adapter and silently leave them out"):
        ground.opened(wrong)


def test_a_rank_above_the_limit(ground: Ground, tmp_path: Path) -> None:
    path = adapter(ground.base, tmp_path / "a", 1, {"role": "llm", "r": 513, "alpha": 8, "targets": ("q_proj",)})
    with pytest.raises(AdapterError, match="rank 513 is above 512"):
        ground.opened(path)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"modules_to_save": ["lm_head"]}, "modules_to_save: more than a plain LoRA"),
        ({"use_dora": True}, "use_dora"),
        ({"bias": "all"}, "bias='all'"),
        ({"base_model_name_or_path": "Qwen/Qwen2.5-VL-3B-Instruct"}, "trained on base 'Qwen/Qwen2.5-VL-3B-Instruct'"),
        ({"base_model_name_or_path": "sha256:0"}, "trained on base 'sha256:0', given 'sha256:"),
        ({"r": 8}, "of another rank"),
    ],
)
def test_settings_that_it_cannot_serve(ground: Ground, tmp_path: Path, setting: dict[str, Any], said: str) -> None:
    with pytest.raises(AdapterError, match=said):
        ground.opened(changed(ground.plain, tmp_path / "a", setting))


def test_an_adapter_that_was_never_trained(ground: Ground, tmp_path: Path) -> None:
    path = changed(
        ground.plain, tmp_path / "a", tensors=lambda found: {k: v * ("lora_A" in k) for k, v in found.items()}
    )
    with pytest.raises(AdapterError, match="every lora_B is zero"):
        ground.opened(path)


def test_a_folder_that_is_none(ground: Ground, tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="no such directory"):
        ground.opened(tmp_path / "none")


def test_an_architecture_whose_names_are_not_recorded(ground: Ground, tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    GPT2LMHeadModel(GPT2Config(n_embd=8, n_layer=1, n_head=1, vocab_size=16)).save_pretrained(tmp_path / "gpt2")
    with pytest.raises(AdapterError, match="GPT2LMHeadModel is not recorded here"):
        servable({"a": ground.plain}, tmp_path / "gpt2", None, None)


def test_what_vllm_is_started_with(ground: Ground) -> None:
    """A slot to spare, or rows of the base get an adapter; a rank that it knows; the vision tower where adapted."""
    (one,) = ground.opened(ground.plain)
    assert lora([]) == {}
    wide = Served("b", ground.plain, 17, one.keys, ("visual.x",), 2)
    assert lora([one]) == {
        "enable_lora": True,
        "max_lora_rank": 8,
        "max_loras": 2,
        "enable_tower_connector_lora": False,
    }
    assert lora([one, wide]) == {
        "enable_lora": True,
        "max_lora_rank": 32,
        "max_loras": 4,  # and one for the proof of the vision layers alone
        "enable_tower_connector_lora": True,
    }
    assert tuple(sorted(RANKS)) == RANKS
