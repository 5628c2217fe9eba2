"""Merged equals base + adapter on sample logits, or the model stays as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft.tuners.lora import layer as peft_layer
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from tests.llms.lora.adapters import BASE, BASES, logits_of, saved, trained
from vlmkit.errors import AdapterError
from vlmkit.llms.lora import LoraSpec, adapted, add_lora, load_adapter, merge_adapter, role_prefixes


def _state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def _same(module: nn.Module, before: dict[str, Tensor]) -> bool:
    after = module.state_dict()
    return after.keys() == before.keys() and all(torch.equal(after[name], before[name]) for name in before)


@pytest.mark.parametrize("name", BASES)
def test_merged_equals_base_and_adapter(name: str) -> None:
    module, processor = trained(name)
    plain = logits_of(BASES[name]()[0], processor)
    wanted = logits_of(module, processor)
    report = merge_adapter(module, lambda: logits_of(module, processor))
    assert torch.allclose(logits_of(module, processor), wanted, atol=1e-4)
    assert len(report.modules) == 14
    assert report.effect == pytest.approx(float((wanted - plain).abs().max()))
    assert report.lost < 1e-4
    assert not adapted(module)
    assert module.state_dict().keys() == BASES[name]()[0].state_dict().keys(), "a plain model again"


@pytest.mark.parametrize("trainable", [True, False])
def test_a_merge_that_goes_wrong_is_undone_bit_for_bit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trainable: bool
) -> None:
    directory = saved("qwen2", tmp_path)
    module, processor = BASES["qwen2"]()
    load_adapter(module, directory, base=BASE, trainable=trainable)
    before, wanted = _state(module), logits_of(module, processor)
    flags = [parameter.requires_grad for parameter in module.parameters()]
    real = peft_layer.Linear.merge

    def corrupt(layer: Any, *args: Any, **kwargs: Any) -> None:
        real(layer, *args, **kwargs)
        layer.get_base_layer().weight.data[0] += 0.5

    monkeypatch.setattr(peft_layer.Linear, "merge", corrupt)
    with pytest.raises(AdapterError, match=r"merged logits differ .* not merged"):
        merge_adapter(module, lambda: logits_of(module, processor))
    assert _same(module, before)
    assert torch.equal(logits_of(module, processor), wanted)
    assert [parameter.requires_grad for parameter in module.parameters()] == flags
    monkeypatch.undo()
    assert merge_adapter(module, lambda: logits_of(module, processor)).lost < 1e-4


def test_a_merge_that_raises_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    module, processor = trained("qwen2")
    before = _state(module)
    real, calls = peft_layer.Linear.merge, []

    def stop(layer: Any, *args: Any, **kwargs: Any) -> None:
        calls.append(layer)
        if len(calls) == 5:
            raise KeyboardInterrupt
        real(layer, *args, **kwargs)

    monkeypatch.setattr(peft_layer.Linear, "merge", stop)
    with pytest.raises(KeyboardInterrupt):
        merge_adapter(module, lambda: logits_of(module, processor))
    assert _same(module, before)


def test_rounding_to_bfloat16_is_seen_and_the_tolerance_decides() -> None:
    module, processor = trained("qwen2")
    module.to(torch.bfloat16)
    before = _state(module)
    with pytest.raises(AdapterError, match="float32"):
        merge_adapter(module, lambda: logits_of(module, processor), tolerance=1e-6)
    assert _same(module, before)
    report = merge_adapter(module, lambda: logits_of(module, processor), tolerance=0.2)
    assert 1e-6 < report.lost < 0.2


def test_quantized_layers_are_refused_unless_asked() -> None:
    module, processor = trained("qwen2")
    layer = next(iter(adapted(module).values()))
    # What a 4-bit layer looks like from here: packed bytes in place of a matrix.
    layer.get_base_layer().weight = nn.Parameter(torch.zeros(8, 1, dtype=torch.uint8), requires_grad=False)
    with pytest.raises(AdapterError, match=r"1 quantized layers, first model\.layers\.0.*allow_quantized=True"):
        merge_adapter(module, lambda: logits_of(module, processor))


@pytest.mark.filterwarnings("ignore")  # of loading on a CPU, which is bitsandbytes' own affair
def test_a_real_4_bit_base_takes_an_adapter_and_refuses_the_merge(tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    module, processor = BASES["qwen2"]()
    module.save_pretrained(tmp_path / "base")
    four_bit = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.float32)
    coarse = AutoModelForCausalLM.from_pretrained(
        tmp_path / "base", quantization_config=four_bit, device_map="cpu"
    ).eval()
    assert load_adapter(coarse, saved("qwen2", tmp_path / "a"), base=BASE).n_nonzero == 14
    before = logits_of(coarse, processor)
    with pytest.raises(AdapterError, match="14 quantized layers"):
        merge_adapter(coarse, lambda: logits_of(coarse, processor))
    with pytest.raises(AdapterError, match="merged logits differ"):
        merge_adapter(coarse, lambda: logits_of(coarse, processor), allow_quantized=True)
    assert torch.equal(logits_of(coarse, processor), before)


def test_nothing_to_prove_is_refused() -> None:
    module, processor = BASES["qwen2"]()
    with pytest.raises(AdapterError, match="no adapter to merge"):
        merge_adapter(module, lambda: logits_of(module, processor))
    add_lora(module, LoraSpec(r=4), role_prefixes(module))
    with pytest.raises(AdapterError, match=r"changes the sample logits by 0\.0"):
        merge_adapter(module, lambda: logits_of(module, processor))
    module.train()
    with pytest.raises(AdapterError, match="training mode"):
        merge_adapter(module, lambda: logits_of(module, processor))


def test_weights_that_are_not_finite_are_not_merged() -> None:
    module, processor = trained("qwen2")
    layer = adapted(module)["model.layers.0.mlp.up_proj"]
    layer.scaling["default"] = float("inf")
    before = _state(module)
    constant = iter([torch.zeros(1), torch.ones(1)])
    with pytest.raises(AdapterError, match="not finite"):
        merge_adapter(module, lambda: next(constant))
    assert _same(module, before)
    del processor
