from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.tiny_models import tiny_qwen2
from vlmkit.edge.compare import compared, logits
from vlmkit.errors import WiringError
from vlmkit.llms.int8 import NARROW, Int8Embedding, Int8Linear, is_int8, rounded, to_int8
from vlmkit.llms.lora.inject import add_lora
from vlmkit.llms.lora.spec import LoraSpec, role_prefixes

IDS = torch.randint(250, (60,), generator=torch.Generator().manual_seed(3)).tolist()


def _drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_weight_is_off_by_half_a_step_at_most() -> None:
    weight = _drawn(40, 64) * torch.logspace(-6, 3, 40)[:, None]
    numbers, scale = rounded(weight)
    assert numbers.dtype == torch.int8
    assert (numbers.abs().amax(1) == 127).all()
    assert ((numbers * scale[:, None] - weight).abs() <= scale[:, None] * 0.5001).all()


def test_a_row_of_zeros_stays_one() -> None:
    numbers, scale = rounded(torch.zeros(2, 8))
    assert not numbers.any()
    assert torch.isfinite(scale).all()


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(wrong: float) -> None:
    with pytest.raises(WiringError, match=r"shape \[2, 3\] hold NaN or infinity"):
        rounded(torch.tensor([[1.0, 2.0, 3.0], [1.0, wrong, 3.0]]))


@pytest.mark.parametrize("n", [1, NARROW, NARROW + 1])
@pytest.mark.parametrize("k", [64, 100])  # torch's kernel reads past the end of rows of 100, so it must not be called
def test_a_layer_multiplies_its_rounded_weights(n: int, k: int) -> None:
    linear = nn.Linear(k, 33)
    layer = Int8Linear(*rounded(linear.weight), linear.bias.detach())
    x = _drawn(n, k)
    wanted = functional.linear(x, layer.weight * layer.scale[:, None], linear.bias)
    tolerance = 1e-2 if n <= NARROW and k == 64 else 1e-5
    assert torch.allclose(layer(x), wanted, atol=tolerance, rtol=tolerance)
    assert layer(x.view(1, n, k)).shape == (1, n, 33)


def test_no_row_touches_another_and_an_outlier_costs_its_neighbours_nothing() -> None:
    layer = Int8Linear(*rounded(_drawn(48, 64)))
    x = _drawn(NARROW, 64, seed=1)
    x[0] *= 1e4
    together = layer(x)
    for i in range(NARROW):
        assert torch.equal(layer(x[i : i + 1])[0], together[i])


def test_a_table_gives_its_rounded_rows() -> None:
    weight = _drawn(20, 16)
    table = Int8Embedding(*rounded(weight))
    assert table(torch.tensor([[3, 5]])).shape == (1, 2, 16)
    assert torch.allclose(table(torch.arange(20)), weight, atol=float(weight.abs().max()) / 127)


@pytest.mark.parametrize("tied", [True, False])
def test_a_whole_model_stays_near_and_takes_a_quarter(tied: bool) -> None:
    hf, _ = tiny_qwen2()
    hf.config.tie_word_embeddings = tied
    if tied:
        hf.lm_head.weight = hf.model.embed_tokens.weight
    wanted, before = logits(hf, IDS), _bytes(hf)
    assert not is_int8(hf)
    to_int8(hf)
    assert is_int8(hf)
    difference = compared(wanted, logits(hf, IDS))
    assert difference.cosine > 0.99
    assert difference.agreement > 0.8
    assert difference.positions == len(IDS)
    assert _bytes(hf) < 0.32 * before  # biases, norms and scales stay in fp32
    assert not any(type(module) in (nn.Linear, nn.Embedding) for module in hf.modules())
    same = hf.lm_head.weight.data_ptr() == hf.model.embed_tokens.weight.data_ptr()
    assert same is tied


def test_read_at_once_and_one_by_one_agree() -> None:
    hf, _ = tiny_qwen2()
    to_int8(hf)
    with torch.inference_mode():
        at_once = hf(input_ids=torch.tensor([IDS])).logits[0]
    assert compared(at_once, logits(hf, IDS)).cosine > 0.999


def test_an_adapter_is_refused_by_name() -> None:
    hf, _ = tiny_qwen2()
    add_lora(hf, LoraSpec(targets=("q_proj",)), role_prefixes(hf))
    before = copy.deepcopy(hf.state_dict())
    with pytest.raises(WiringError, match=r"take no adapter, and \S+q_proj has one; merge it first"):
        to_int8(hf)
    assert all(torch.equal(value, before[key]) for key, value in hf.state_dict().items())


def test_rounding_twice_is_harmless() -> None:
    hf, _ = tiny_qwen2()
    to_int8(hf)
    with pytest.raises(WiringError, match="int8"):
        to_int8(hf)


def _bytes(module: nn.Module) -> int:
    kept = {value.data_ptr(): value.numel() * value.element_size() for value in module.state_dict().values()}
    return sum(kept.values())
