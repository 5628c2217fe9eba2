"""Shared by the adapter tests: tiny bases, sample logits, and adapters that change something."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tests.tiny_models import tiny_qwen2, tiny_qwen2_5_vl, tiny_qwen3_vl
from vlmkit.llms.lora import LoraSpec, adapted, add_lora, role_prefixes, save_adapter

BASES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "qwen2": tiny_qwen2,
    "qwen2.5-vl": tiny_qwen2_5_vl,
    "qwen3-vl": tiny_qwen3_vl,
}
VLS = ("qwen2.5-vl", "qwen3-vl")
BASE = "owner/base"


def logits_of(module: nn.Module, processor: Any) -> Tensor:
    """Logits `[1, n, vocab]` of one prompt, with an image where the model takes one."""
    if not hasattr(processor, "image_processor"):
        inputs = processor("a few words", return_tensors="pt")
    else:
        pixels = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
        text = "<|vision_start|><|image_pad|><|vision_end|>a few words"
        inputs = processor(text=[text], images=[pixels], return_tensors="pt")
    with torch.no_grad():
        logits: Tensor = module(**inputs).logits
    return logits


def pretend_trained(module: nn.Module, seed: int = 1) -> None:
    """Draw A, and B, which starts at zero."""
    noise = torch.Generator().manual_seed(seed)
    for layer in adapted(module).values():
        for part in (layer.lora_A, layer.lora_B):
            nn.init.normal_(part["default"].weight, std=0.1, generator=noise)


def trained(name: str, spec: LoraSpec | None = None) -> tuple[Any, Any]:
    """A tiny base with an adapter that changes its answers."""
    module, processor = BASES[name]()
    add_lora(module, spec or LoraSpec(r=4, alpha=8), role_prefixes(module))
    pretend_trained(module)
    return module, processor


def saved(name: str, directory: Path, spec: LoraSpec | None = None) -> Path:
    """Such an adapter on disk."""
    module, _ = trained(name, spec)
    save_adapter(module, directory, base=BASE, revision=None, provenance={"seed": 1})
    return directory


def edit_weights(directory: Path, edit: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    """Rewrite the safetensors file."""
    path = directory / "adapter_model.safetensors"
    save_file(edit(load_file(path)), path)


def edit_config(directory: Path, **changes: Any) -> None:
    """Rewrite fields of the configuration."""
    path = directory / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
