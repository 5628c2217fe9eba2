"""Save → load → the same logits, bit for bit; and everything that has to be refused."""

from __future__ import annotations

import json
from pathlib import Path

import peft
import pytest
import torch
from safetensors import safe_open

from tests.llms.lora.adapters import (
    BASE,
    BASES,
    edit_config,
    edit_weights,
    logits_of,
    saved,
    trained,
)
from vlmkit.llms.lora import adapted, load_adapter, save_adapter

SHA = "0123456789abcdef0123456789abcdef01234567"
FIRST = "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight"


@pytest.mark.parametrize("name", BASES)
def test_saved_and_loaded_gives_the_same_logits(name: str, tmp_path: Path) -> None:
    module, processor = trained(name)
    names = save_adapter(module, tmp_path, base=BASE, revision=SHA, provenance={"data": "手"})
    wanted = logits_of(module, processor)
    again, _ = BASES[name]()
    plain = logits_of(again, processor)
    report = load_adapter(again, tmp_path, base=BASE, revision=SHA)
    assert torch.equal(logits_of(again, processor), wanted)
    assert not torch.allclose(plain, wanted, atol=1e-2), "the test would pass without an adapter"
    assert report.modules == names == tuple(adapted(again))
    assert (report.n_nonzero, report.rank, report.base, report.revision) == (14, 4, BASE, SHA)
    assert not any(parameter.requires_grad for parameter in again.parameters())


# PEFT asks transformers for an attribute that is on its way out.
PEFT_ASKS = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


@PEFT_ASKS
@pytest.mark.parametrize("name", BASES)
def test_peft_itself_loads_it_and_answers_the_same(name: str, tmp_path: Path) -> None:
    module, processor = trained(name)
    save_adapter(module, tmp_path, base=BASE, revision=None, provenance={})
    wrapped = peft.PeftModel.from_pretrained(BASES[name]()[0], str(tmp_path))
    assert torch.equal(logits_of(wrapped, processor), logits_of(module, processor))


@PEFT_ASKS
def test_what_peft_saves_loads_here(tmp_path: Path) -> None:
    base, processor = BASES["qwen2.5-vl"]()
    torch.manual_seed(0)
    config = peft.LoraConfig(r=4, use_rslora=True, init_lora_weights=False, target_modules=["q_proj", "gate_proj"])
    wrapped = peft.get_peft_model(base, config).eval()
    wrapped.save_pretrained(str(tmp_path))
    module, _ = BASES["qwen2.5-vl"]()
    report = load_adapter(module, tmp_path, base=None)
    assert torch.equal(logits_of(module, processor), logits_of(wrapped, processor))
    assert any(name.startswith("model.visual.") for name in report.modules)


def test_the_directory_records_base_revision_and_provenance(tmp_path: Path) -> None:
    module, _ = trained("qwen2")
    save_adapter(module, tmp_path, base="Qwen/Qwen2.5-0.5B", revision=SHA, provenance={"data": "手"})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "Qwen/Qwen2.5-0.5B"
    assert config["revision"] == SHA
    assert (config["peft_type"], config["inference_mode"], config["r"]) == ("LORA", True, 4)
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nbase_model: Qwen/Qwen2.5-0.5B\nlibrary_name: peft\n")
    assert '"data": "手"' in card
    with safe_open(tmp_path / "adapter_model.safetensors", "pt") as file:
        assert FIRST in file.keys()  # noqa: SIM118 - it is no dict
        assert file.metadata() == {"format": "pt"}


def test_saving_twice_and_saving_what_was_loaded_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = saved("qwen3-vl", tmp_path / "a"), saved("qwen3-vl", tmp_path / "b")
    module, _ = BASES["qwen3-vl"]()
    load_adapter(module, first, base=BASE)
    save_adapter(module, tmp_path / "c", base=BASE, revision=None, provenance={"seed": 1})
    for name in ("README.md", "adapter_config.json", "adapter_model.safetensors"):
        whole = (first / name).read_bytes()
        assert whole == (second / name).read_bytes()
        assert whole == (tmp_path / "c" / name).read_bytes()


def test_a_card_does_not_take_a_path_for_a_hub_id(tmp_path: Path) -> None:
    module, _ = trained("qwen2")
    save_adapter(module, tmp_path / "a", base=str(tmp_path), revision=None, provenance={})
    assert (tmp_path / "a" / "README.md").read_text().startswith("---\nlibrary_name: peft\n")


def test_bfloat16_adapters_keep_their_precision(tmp_path: Path) -> None:
    directory = saved("qwen2", tmp_path)
    edit_weights(directory, lambda tensors: {key: value.bfloat16() for key, value in tensors.items()})
    module, _ = BASES["qwen2"]()
    load_adapter(module, directory, base=BASE)
    assert {layer.lora_A["default"].weight.dtype for layer in adapted(module).values()} == {torch.bfloat16}


def test_a_loaded_adapter_learns_on_when_asked(tmp_path: Path) -> None:
    module, _ = BASES["qwen2"]()
    load_adapter(module, saved("qwen2", tmp_path), base=BASE, trainable=True)
    assert sum(parameter.requires_grad for parameter in module.parameters()) == 2 * 14


OLDER = {
    "qwen2.5-vl": [
        ("model.language_model.", "model."),
        ("model.language_model.", "language_model.model."),
        ("base_model.model.", ""),
    ],
    "qwen3-vl": [("model.language_model.", "language_model.model."), ("base_model.model.", "")],
}


@pytest.mark.parametrize(("name", "today", "older"), [(name, *pair) for name, pairs in OLDER.items() for pair in pairs])
def test_older_names_are_understood(name: str, today: str, older: str, tmp_path: Path) -> None:
    module, processor = trained(name)
    save_adapter(module, tmp_path, base=BASE, revision=None, provenance={})
    edit_weights(tmp_path, lambda tensors: {key.replace(today, older, 1): value for key, value in tensors.items()})
    edit_config(tmp_path, target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"])
    edit_config(tmp_path, exclude_modules=r".*visual\..*")
    again, _ = BASES[name]()
    load_adapter(again, tmp_path, base=BASE)
    assert torch.equal(logits_of(again, processor), logits_of(module, processor))
