"""The plan's arithmetic against the modules that it speaks of, built without memory."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from accelerate import init_empty_weights
from torch import nn
from transformers import Qwen2ForCausalLM

from vlmkit.errors import UnknownNameError
from vlmkit.projectors.aligned import Aligned
from vlmkit_plugins.purrsight import architecture, plan, recipe
from vlmkit_plugins.purrsight.plan import LLM, TextModel, answering_bytes, exported_bytes, lines, parameters

PRESET = "qwen2.5-0.5b"


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameters_are_those_of_the_real_modules() -> None:
    figures = architecture.FIGURES[PRESET]
    with init_empty_weights():
        modules = recipe.random_modules(PRESET)
    with torch.device("meta"):
        llm = Qwen2ForCausalLM(architecture.llm_config(PRESET, architecture.tokenizer()))
    projector = Aligned({"image": 960, "video": 960, "audio": 2048, "text": 384}, figures.llm["hidden_size"])
    found = parameters()
    assert found["image encoder"] == _count(modules.image)
    assert found["audio encoder"] == _count(modules.audio)
    assert found["text tower"] == _count(modules.text)
    assert found["aligner"] == _count(projector.aligner)
    assert found["projector"] == _count(projector.module)
    assert found["language model"] == _count(llm) == 494_032_768


def test_an_adapter_on_q_k_v_o() -> None:
    assert LLM.lora(16) == 2 * LLM.lora(8) == 2_162_688


def test_trained_parameters_are_the_tasks_figures() -> None:
    found = parameters()
    trained = found["projector"] + found["LoRA"]
    assert round(trained / 1e6, 1) == 10.6
    assert 586e6 < sum(found.values()) - found["text tower"] < 589e6


def test_int8_takes_a_quarter_and_the_export_stays_under_a_gigabyte() -> None:
    assert 0.25 < LLM.bytes("int8") / LLM.bytes("fp32") < 0.26
    assert LLM.bytes("bf16") * 2 == LLM.bytes("fp32") == 4 * LLM.parameters
    assert exported_bytes() < 1e9
    assert answering_bytes("int8") < answering_bytes("bf16") < answering_bytes("fp32")
    assert TextModel(layers=48).cache(10) == 2 * LLM.cache(10)


def test_lines_name_every_part_and_unknown_presets_are_refused() -> None:
    text = "\n".join(lines(PRESET))
    assert all(name in text for name in parameters())
    assert len(lines("tiny")) == 1
    with pytest.raises(UnknownNameError, match=r"did you mean 'qwen2.5-0.5b'"):
        lines("qwen2.5-0.5")


def test_the_plan_needs_no_torch() -> None:
    code = f"import sys, {plan.__name__} as plan; plan.lines({PRESET!r}); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
