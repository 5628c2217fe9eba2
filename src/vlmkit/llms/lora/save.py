"""Saving an adapter as the directory that PEFT, vLLM and the hub expect."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmkit.errors import WiringError
from vlmkit.llms.lora.card import adapter_card
from vlmkit.llms.lora.files import CONFIG, WEIGHTS
from vlmkit.llms.lora.inject import ADAPTER, adapted
from vlmkit.llms.lora.names import PEFT_PREFIX

if TYPE_CHECKING:
    from torch import nn


def save_adapter(
    module: nn.Module, directory: Path, *, base: str, revision: str | None, provenance: Mapping[str, Any]
) -> tuple[str, ...]:
    """Write `adapter_config.json`, `adapter_model.safetensors` and `README.md`.

    Args:
        base: hub id or directory of the base weights; recorded, and compared when the adapter is loaded.
        revision: of the base: a commit hash, if there is one.
        provenance: plain JSON data about the training, for the card.

    Returns:
        The adapted modules' names, sorted. Raises `WiringError` when there is no adapter.
    """
    from safetensors.torch import save_file

    layers = adapted(module)
    if not layers:
        raise WiringError(f"{type(module).__name__} has no adapter to save; add_lora first")
    directory.mkdir(parents=True, exist_ok=True)
    weights = {
        f"{PEFT_PREFIX}{name}.lora_{part}.weight": getattr(layer, f"lora_{part}")[ADAPTER].weight.detach().cpu().clone()
        for name, layer in layers.items()
        for part in "AB"
    }
    partial = directory / f"{WEIGHTS}.partial"
    save_file(weights, partial, metadata={"format": "pt"})
    os.replace(partial, directory / WEIGHTS)
    config = _config(module, base, revision)
    (directory / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    card = adapter_card(tuple(layers), config, provenance)
    (directory / "README.md").write_text(card, encoding="utf-8")
    return tuple(layers)


def _config(module: Any, base: str, revision: str | None) -> dict[str, Any]:
    written: dict[str, Any] = module.peft_config[ADAPTER].to_dict()
    # PEFT holds names as sets: sorted, so that two savings are the same bytes.
    written = {key: sorted(value) if isinstance(value, set) else value for key, value in written.items()}
    return written | {
        "auto_mapping": {"base_model_class": type(module).__name__, "parent_library": type(module).__module__},
        "base_model_name_or_path": base,
        "inference_mode": True,
        "revision": revision,
    }
