"""An adapter goes to its role and nowhere else."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.llms.lora.adapters import BASES, VLS, logits_of, pretend_trained
from vlmkit.errors import WiringError
from vlmkit.llms.lora import DEFAULT_TARGETS, LoraSpec, adapted, add_lora, remove_adapter, role_of, role_prefixes
from vlmkit.protocols import Role

VISION = {
    "qwen2.5-vl": ("qkv", "attn.proj", "gate_proj", "up_proj", "down_proj"),
    "qwen3-vl": ("qkv", "attn.proj", "linear_fc1", "linear_fc2"),
}


@pytest.mark.parametrize("name", BASES)
def test_llm_means_all_projections_of_the_language_model_and_no_vision(name: str) -> None:
    module, _ = BASES[name]()
    before = [key for key, _ in module.named_modules()]
    names = add_lora(module, LoraSpec(r=4), role_prefixes(module))
    prefix = "model.layers" if name == "qwen2" else "model.language_model.layers"
    assert len(names) == 2 * 7
    assert all(re.fullmatch(rf"{re.escape(prefix)}\.[01]\.(self_attn|mlp)\.\w+_proj", key) for key in names)
    assert names == tuple(sorted(names)) == tuple(adapted(module))
    assert set(before) <= {key for key, _ in module.named_modules()}, "names that other views rely on"


def test_a_bare_suffix_list_would_have_touched_the_tower() -> None:
    module, _ = BASES["qwen2.5-vl"]()
    names = add_lora(module, LoraSpec(r=4, targets=("gate_proj",)), {"llm": ("",)})
    assert any(key.startswith("model.visual.") for key in names), "the reason for scoping by role is gone"


@pytest.mark.parametrize("name", VLS)
def test_encoder_means_vision_and_no_language_model(name: str) -> None:
    module, _ = BASES[name]()
    names = add_lora(module, LoraSpec(role="encoder", r=4, targets=VISION[name]), role_prefixes(module))
    assert names
    assert all(key.startswith("model.visual.") for key in names)


@pytest.mark.parametrize("name", BASES)
def test_only_the_adapter_learns_and_a_fresh_one_changes_nothing(name: str) -> None:
    module, processor = BASES[name]()
    before = logits_of(module, processor)
    names = add_lora(module, LoraSpec(r=4, dropout=0.5), role_prefixes(module))
    learning = {key for key, parameter in module.named_parameters() if parameter.requires_grad}
    assert learning == {f"{key}.lora_{part}.default.weight" for key in names for part in "AB"}
    assert torch.equal(logits_of(module, processor), before)
    pretend_trained(module)
    after = logits_of(module, processor)
    assert not torch.allclose(after, before, atol=1e-2)
    assert torch.equal(logits_of(module, processor), after), "dropout is asleep in a model set to eval"
    assert remove_adapter(module) == names
    assert torch.equal(logits_of(module, processor), before)
    assert not adapted(module)
    assert add_lora(module, LoraSpec(r=4), role_prefixes(module)) == names


def _features(module: Any, processor: Any) -> Tensor:
    pixels = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    inputs = processor.image_processor([pixels], return_tensors="pt")
    with torch.no_grad():
        found = module.get_image_features(**inputs)
    features: Tensor = torch.cat(tuple(found.pooler_output))
    return features


@pytest.mark.parametrize("name", VLS)
@pytest.mark.parametrize("role", ["llm", "encoder"])
def test_the_other_role_computes_what_it_did(name: str, role: Role) -> None:
    module, processor = BASES[name]()
    before = _features(module, processor)
    targets = VISION[name] if role == "encoder" else DEFAULT_TARGETS
    add_lora(module, LoraSpec(role=role, r=4, targets=targets), role_prefixes(module))
    pretend_trained(module)
    assert torch.equal(_features(module, processor), before) == (role == "llm")


@pytest.mark.parametrize("name", BASES)
def test_a_step_of_training_moves_the_adapter_alone(name: str) -> None:
    module, _ = BASES[name]()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    add_lora(module, LoraSpec(r=4), role_prefixes(module))
    learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(learning, lr=1.0)
    ids = torch.tensor([[1, 2, 3, 4]])
    module(input_ids=ids, labels=ids).loss.backward()
    optimizer.step()
    assert all(layer.lora_B["default"].weight.any() for layer in adapted(module).values())
    remove_adapter(module)
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


def test_a_target_that_matches_nothing_is_named_with_what_there_is() -> None:
    module, _ = BASES["qwen3-vl"]()
    with pytest.raises(WiringError, match=r"no layer is called q_porj in model\.language_model.*q_proj"):
        add_lora(module, LoraSpec(targets=("q_porj", "k_proj")), role_prefixes(module))
    with pytest.raises(WiringError, match=r"no layer is called .*gate_proj.* in model\.visual.*linear_fc1"):
        add_lora(module, LoraSpec(role="encoder"), role_prefixes(module))
    assert not adapted(module)
    assert all(parameter.requires_grad for parameter in module.parameters()), "a refused adapter freezes nothing"


def test_a_convolution_is_no_target() -> None:
    module, _ = BASES["qwen2.5-vl"]()
    with pytest.raises(WiringError, match=r"patch_embed\.proj' is no linear layer.*attn\.proj"):
        add_lora(module, LoraSpec(role="encoder", targets=("proj",)), role_prefixes(module))


def test_a_second_adapter_a_missing_role_and_odd_figures_are_refused() -> None:
    module, _ = BASES["qwen2"]()
    prefixes = role_prefixes(module)
    with pytest.raises(WiringError, match="role 'encoder': the model has llm"):
        add_lora(module, LoraSpec(role="encoder"), prefixes)
    add_lora(module, LoraSpec(r=4), prefixes)
    with pytest.raises(WiringError, match="an adapter already"):
        add_lora(module, LoraSpec(r=4), prefixes)
    for odd in ({"r": 0}, {"alpha": 0}, {"dropout": 1.0}, {"targets": ()}):
        with pytest.raises(WiringError, match="wanted r >= 1"):
            LoraSpec(**odd)


def test_prefixes_follow_the_layout() -> None:
    assert role_prefixes(BASES["qwen3-vl"]()[0]) == {
        "encoder": ("model.visual",),
        "llm": ("model.language_model", "lm_head"),
    }
    assert role_prefixes(BASES["qwen2"]()[0]) == {"llm": ("model", "lm_head")}
    with pytest.raises(WiringError, match="Linear: neither"):
        role_prefixes(torch.nn.Linear(2, 2))


def test_the_longest_prefix_decides_the_role() -> None:
    prefixes = {"llm": ("model", "lm_head"), "encoder": ("model.visual",)}
    assert role_of("model.visual.blocks.0", prefixes) == "encoder"  # type: ignore[arg-type]
    assert role_of("model.visuals", prefixes) == "llm"  # type: ignore[arg-type]
    assert role_of("lm_head", prefixes) == "llm"  # type: ignore[arg-type]
    assert role_of("other", prefixes) is None  # type: ignore[arg-type]
