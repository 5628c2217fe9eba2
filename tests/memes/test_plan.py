"""The plan's arithmetic against the modules that it speaks of, built without memory."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn
from transformers import DebertaV2Config, DebertaV2Model, SiglipVisionConfig, SiglipVisionModel

from vlmkit.decoders.linear import LinearDecoder
from vlmkit.errors import UnknownNameError
from vlmkit.projectors.fusion import Fusion
from vlmkit_plugins.memes import plan
from vlmkit_plugins.memes.architecture import FIGURES
from vlmkit_plugins.memes.head import decoder
from vlmkit_plugins.memes.plan import answering_bytes, embedding, experts_bytes, fusion_bytes, lines, parameters

PRESET = "mdeberta-siglip"


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("preset", [PRESET, f"{PRESET}-gated"])
def test_parameters_are_those_of_the_real_modules(preset: str) -> None:
    figures = FIGURES[preset]
    with torch.device("meta"):
        text = DebertaV2Model(DebertaV2Config(**figures.text))
        image = SiglipVisionModel(SiglipVisionConfig(**figures.image))
        fusion = Fusion({"text": text.config.hidden_size, "image": image.config.hidden_size}, **figures.fusion)
        classifiers: LinearDecoder[object] = decoder(fusion.widths)  # type: ignore[assignment]
    found = parameters(preset)
    assert found["text expert"] == _count(text) == 278_218_752
    assert found["image expert"] == _count(image) == 93_176_064
    assert found["fusion"] == _count(fusion.module)
    assert found["classifiers"] == _count(classifiers.module)
    assert embedding() == text.get_input_embeddings().weight.numel()


def test_the_tiny_experts_stay_small() -> None:
    figures = FIGURES["tiny"]
    with torch.device("meta"):
        text = DebertaV2Model(DebertaV2Config(vocab_size=2048, **figures.text))
        image = SiglipVisionModel(SiglipVisionConfig(**figures.image))
    assert _count(text) + _count(image) <= 1_500_000


def test_memory_grows_with_the_batch_and_shrinks_with_the_precision() -> None:
    weights = 4 * sum(parameters().values())
    assert weights < answering_bytes("fp32", 1) < answering_bytes("fp32", 8) < 1.5 * weights
    small = 4 * (parameters()["fusion"] + parameters()["classifiers"])  # in fp32 always
    assert 2 * (answering_bytes("bf16", 8) - small) == answering_bytes("fp32", 8) - small
    assert fusion_bytes(8) < 1.1 * answering_bytes("fp32", 8)
    assert experts_bytes() > 4 * weights * 0.99


def test_lines_name_every_part_and_unknown_presets_are_refused() -> None:
    text = "\n".join(lines(PRESET))
    assert all(name in text for name in parameters())
    assert len(lines("tiny")) == 1
    with pytest.raises(UnknownNameError, match="did you mean 'mdeberta-siglip'"):
        lines("mdeberta-siglp")


def test_the_plan_needs_no_torch() -> None:
    code = f"import sys, {plan.__name__} as plan; plan.lines({PRESET!r}); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
