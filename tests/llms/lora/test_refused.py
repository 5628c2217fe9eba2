"""Adapters that do not belong are refused by name, and the model stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.llms.lora.adapters import BASE, BASES, edit_config, edit_weights, logits_of, saved
from vlmkit.errors import AdapterError, WiringError
from vlmkit.llms.lora import LoraSpec, adapted, add_lora, load_adapter, role_prefixes, save_adapter
from vlmkit.llms.lora.identity import DIGEST

FIRST = "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight"


def _without(tensors: dict[str, Tensor], *ends: str) -> dict[str, Tensor]:
    return {key: value for key, value in tensors.items() if not key.endswith(ends)}


def _renamed(tensors: dict[str, Tensor], old: str, new: str) -> dict[str, Tensor]:
    return {key.replace(old, new): value for key, value in tensors.items()}


Edit = Callable[[dict[str, Tensor]], dict[str, Tensor]]
WEIGHTS: dict[str, tuple[Edit, str]] = {
    "missing layer": (
        lambda t: _without(t, "layers.1.mlp.up_proj.lora_A.weight", "layers.1.mlp.up_proj.lora_B.weight"),
        r"1 layers of target_modules have no weights in the file: model\.layers\.1\.mlp\.up_proj",
    ),
    "missing half": (lambda t: _without(t, "layers.0.mlp.up_proj.lora_B.weight"), r"up_proj has only lora_A"),
    "wrong prefix": (lambda t: _renamed(t, "model.layers", "wrong.layers"), r"nearest: model\.layers\.0\.mlp"),
    "one more layer": (lambda t: _renamed(t, "layers.1.mlp", "layers.2.mlp"), r"no layer for 6 weights"),
    "unexpected key": (lambda t: t | {"base_model.model.lm_head.weight": torch.zeros(2)}, r"not lora_A or lora_B"),
    "unexpected layer": (
        lambda t: (
            t
            | {"base_model.model.lm_head.lora_A.weight": torch.ones(4, 64)}
            | {"base_model.model.lm_head.lora_B.weight": torch.ones(276, 4)}
        ),
        r"1 layers have weights and are no target_modules: lm_head",
    ),
    "wrong shape": (
        lambda t: t | {FIRST: torch.ones(4, 100)},
        r"down_proj maps 128 to 64, the file's A and B are \[4, 100\] and \[64, 4\]",
    ),
    "other rank": (
        lambda t: {k: v[:2] if "lora_A" in k else v[:, :2].contiguous() for k, v in t.items()},
        r"14 layers of another rank: .* has rank 2, the configuration says 4",
    ),
    "the same twice": (lambda t: t | {FIRST.removeprefix("base_model.model."): t[FIRST] * 2}, r"not lora_A or lora_B"),
    "not finite": (lambda t: t | {FIRST: t[FIRST] * float("nan")}, r"1 layers hold NaN or infinity"),
    "all zero": (lambda t: {k: v * (0.0 if "lora_B" in k else 1.0) for k, v in t.items()}, r"every lora_B is zero"),
    "no adapter": (lambda _: {"model.layers.0.weight": torch.zeros(2)}, r"no lora_A or lora_B among them"),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_weights_that_do_not_belong_are_refused_and_nothing_is_touched(case: str, tmp_path: Path) -> None:
    edit, message = WEIGHTS[case]
    directory = saved("qwen2", tmp_path)
    edit_weights(directory, edit)
    module, processor = BASES["qwen2"]()
    before = logits_of(module, processor)
    with pytest.raises(AdapterError, match=message):
        load_adapter(module, directory, base=BASE)
    assert not adapted(module)
    assert torch.equal(logits_of(module, processor), before)
    assert all(parameter.requires_grad for parameter in module.parameters())


CONFIGS: dict[str, tuple[dict[str, Any], str]] = {
    "not LoRA": ({"peft_type": "IA3"}, r"peft_type"),
    "no rank": ({"r": 0}, r"not a LoRA configuration of PEFT: r"),
    "rank is text": ({"r": "many"}, r"not a LoRA configuration of PEFT: r"),
    "no targets": ({"target_modules": None}, r"target_modules"),
    "modules_to_save": ({"modules_to_save": ["lm_head"]}, r"modules_to_save: more than a plain LoRA"),
    "DoRA": ({"use_dora": True}, r"use_dora"),
    "bias": ({"bias": "all"}, r"bias='all'"),
    "PiSSA": ({"init_lora_weights": "pissa_niter_4"}, r"pissa_niter_4', which changes the base weights"),
    "rank pattern elsewhere": ({"rank_pattern": {"layers.9.mlp.up_proj": 2}}, r"layers that are not there"),
    "alpha pattern elsewhere": ({"alpha_pattern": {"layers.9.mlp.up_proj": 2}}, r"layers that are not there"),
    "broken pattern": ({"target_modules": "(q_proj"}, r"no regular expression"),
    "settings that clash": ({"layers_to_transform": [0]}, r"PEFT refuses this combination"),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_configurations_that_would_be_read_wrongly_are_refused(case: str, tmp_path: Path) -> None:
    changes, message = CONFIGS[case]
    directory = saved("qwen2", tmp_path)
    edit_config(directory, **changes)
    module, _ = BASES["qwen2"]()
    with pytest.raises(AdapterError, match=message):
        load_adapter(module, directory, base=BASE)
    assert not adapted(module)


def test_an_untrained_adapter_loads_when_asked(tmp_path: Path) -> None:
    module, _ = BASES["qwen2"]()
    add_lora(module, LoraSpec(r=4), role_prefixes(module))
    save_adapter(module, tmp_path, base=BASE, revision=None, provenance={})
    again, _ = BASES["qwen2"]()
    with pytest.raises(AdapterError, match="allow_untrained=True"):
        load_adapter(again, tmp_path, base=BASE)
    assert load_adapter(again, tmp_path, base=BASE, allow_untrained=True).n_nonzero == 0


@pytest.mark.parametrize("name", ["adapter_model.bin", "adapter_model.pt", "weights.pkl", "x.ckpt"])
def test_pickled_weights_are_refused(name: str, tmp_path: Path) -> None:
    directory = saved("qwen2", tmp_path)
    (directory / name).write_bytes((directory / "adapter_model.safetensors").read_bytes())
    module, _ = BASES["qwen2"]()
    with pytest.raises(AdapterError, match=rf"{name}: refused.*safetensors"):
        load_adapter(module, directory, base=BASE)


def test_what_a_trainer_leaves_behind_is_never_opened(tmp_path: Path) -> None:
    directory = saved("qwen2", tmp_path)
    (directory / "training_args.bin").write_bytes(b"no pickle at all")
    assert load_adapter(BASES["qwen2"]()[0], directory, base=BASE).modules


def test_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    module, _ = BASES["qwen2"]()
    with pytest.raises(AdapterError, match="no such directory"):
        load_adapter(module, tmp_path / "nowhere", base=BASE)
    with pytest.raises(AdapterError, match=r"adapter_model\.safetensors: no such file"):
        load_adapter(module, tmp_path, base=BASE)
    directory = saved("qwen2", tmp_path / "a")
    (directory / "adapter_config.json").write_text('{"r": ')
    with pytest.raises(AdapterError, match="not a LoRA configuration"):
        load_adapter(module, directory, base=BASE)
    (directory / "adapter_config.json").unlink()
    with pytest.raises(AdapterError, match="wanted the configuration that PEFT writes"):
        load_adapter(module, directory, base=BASE)
    weights = directory / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(AdapterError, match="not a whole safetensors file"):
        load_adapter(module, directory, base=BASE)


def test_one_adapter_at_a_time_and_none_is_not_saved(tmp_path: Path) -> None:
    directory = saved("qwen2", tmp_path)
    module, _ = BASES["qwen2"]()
    with pytest.raises(WiringError, match="no adapter to save"):
        save_adapter(module, tmp_path / "b", base=BASE, revision=None, provenance={})
    load_adapter(module, directory, base=BASE)
    with pytest.raises(AdapterError, match="an adapter already"):
        load_adapter(module, directory, base=BASE)


@pytest.mark.parametrize(("base", "typed"), [(BASE, BASE), (f"{DIGEST}0123", "BASE"), (None, "BASE")])
def test_what_it_says_to_type_can_be_typed(base: str | None, typed: str, tmp_path: Path) -> None:
    directory = saved("qwen2", tmp_path)
    edit_weights(directory, lambda t: _renamed(t, "model.layers", "wrong.layers"))
    edit_config(directory, base_model_name_or_path=base)
    module, _ = BASES["qwen2"]()
    with pytest.raises(AdapterError, match=rf"vlmkit adapter check \S+ --base {typed}$"):
        load_adapter(module, directory, base=base)
