from __future__ import annotations

from dataclasses import replace

import pytest

from vlmkit.errors import DataError, UnknownNameError
from vlmkit.llms.qwen_vl_memory import Load, inference, training
from vlmkit_plugins.warehouse.plan import ARCHITECTURES, brief_gb, lines

SMALL, LARGE = ARCHITECTURES["qwen2.5-vl-3b"], ARCHITECTURES["qwen2.5-vl-7b"]


def test_parameter_counts() -> None:
    assert (SMALL.parameters, LARGE.parameters) == (3_754_622_976, 8_292_166_656)
    assert (SMALL.vision_parameters, LARGE.vision_parameters) == (668_684_288, 676_550_144)
    assert (SMALL.text_parameters, LARGE.text_parameters) == (3_085_938_688, 7_070_619_136)


def test_visual_tokens() -> None:
    assert (Load().visual_tokens, Load().patches) == (720, 2880)
    assert Load(frames=9).visual_tokens == Load(frames=10).visual_tokens
    assert Load(frames=8, width_px=448, height_px=448).visual_tokens == 4 * 16 * 16


@pytest.mark.parametrize("wrong", [{"width_px": 300}, {"height_px": 300}, {"frames": 0}, {"batch": 0}])
def test_a_load_that_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(DataError):
        Load(**wrong)


def test_lora_grows_with_its_rank() -> None:
    assert SMALL.lora_parameters(16) == 2 * SMALL.lora_parameters(8) == 29_933_568


def test_four_bits_shrink_the_matrices_only() -> None:
    share = SMALL.weight_bytes("nf4") / SMALL.weight_bytes("bf16")
    assert 0.25 < share < 0.35
    assert SMALL.weight_bytes("nf4") > 2 * SMALL.vocabulary * SMALL.hidden


def test_more_clips_take_more_memory_and_weights_do_not() -> None:
    one, eight = (training(SMALL, "nf4", Load(batch=batch), 8) for batch in (1, 8))
    assert eight.weights == one.weights
    assert eight.activations == 8 * one.activations
    assert eight.total > one.total
    more = training(SMALL, "nf4", Load(frames=20), 8)
    assert more.activations > one.activations and more.vision == 2 * one.vision


def test_inference_has_a_cache_and_no_optimiser() -> None:
    use = inference(LARGE, "bf16", Load())
    assert use.optimiser == use.gradients == use.lora == 0
    assert use.kv_cache == 2 * 2 * 28 * 512 * Load().sequence


def test_the_plan_stands_beside_the_briefs_formula() -> None:
    text = "\n".join(lines("qwen2.5-vl-3b"))
    assert "3,754,622,976 parameters" in text
    assert "5 x 12 x 12 = 720 visual tokens" in text
    assert brief_gb() == pytest.approx(2.305, abs=5e-4)
    assert "= 2.305 GB" in text
    assert training(SMALL, "nf4", Load(batch=2), 8).total / 1e9 > brief_gb()
    assert "none" not in text
    assert "frames of 448 x 448" in "\n".join(lines("qwen2.5-vl-7b", replace(Load(), width_px=448, height_px=448)))


def test_presets_without_figures() -> None:
    assert len(lines("tiny")) == 1
    with pytest.raises(UnknownNameError, match=r"qwen2\.5-vl-3b"):
        lines("qwen2.5-vl-2b")


@pytest.mark.parametrize("preset", list(ARCHITECTURES))
def test_the_figures_are_those_of_the_model_that_is_built(preset: str) -> None:
    torch = pytest.importorskip("torch")
    from transformers import Qwen2_5_VLForConditionalGeneration

    from vlmkit_plugins.warehouse.architecture import config, tokenizer
    from vlmkit_plugins.warehouse.specs import VIDEO

    figures = ARCHITECTURES[preset]
    with torch.device("meta"):
        hf = Qwen2_5_VLForConditionalGeneration(config(preset, tokenizer()))
    text = hf.model.language_model
    linears = [module for module in text.layers.modules() if isinstance(module, torch.nn.Linear)]
    assert sum(p.numel() for p in hf.parameters()) == figures.parameters
    assert sum(p.numel() for p in hf.model.visual.parameters()) == figures.vision_parameters
    assert sum(p.numel() for p in text.parameters()) == figures.text_parameters
    assert sum(linear.weight.numel() for linear in linears) == figures.text_linear
    assert sum(8 * (linear.in_features + linear.out_features) for linear in linears) == figures.lora_parameters(8)
    spec = VIDEO[preset]
    assert spec.max_s is not None
    assert (Load().frames, Load().width_px * Load().height_px) == (spec.fps * spec.max_s, spec.max_pixels)
