"""Putting adapter layers into a model in place, and finding them again. The model stays the object it was."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vlmkit.errors import WiringError
from vlmkit.llms.lora.spec import LoraSpec
from vlmkit.protocols import Role

if TYPE_CHECKING:
    from torch import nn

ADAPTER = "default"
"""PEFT's own name for the only adapter of a model; it does not appear in files."""


def add_lora(module: nn.Module, spec: LoraSpec, prefixes: Mapping[Role, Sequence[str]]) -> tuple[str, ...]:
    """Put a fresh adapter into `module`; the answer does not change until it is trained.

    Every parameter that is not the adapter's is frozen afterwards: to train more, ask for it after this.

    Returns:
        The adapted modules' names, sorted.

    Raises:
        WiringError: when a target matches nothing in the role, or something that is no linear layer, or when there is
            an adapter already.
    """
    from peft import LoraConfig

    if adapted(module):
        raise WiringError("there is an adapter already; merge_adapter or remove_adapter it first")
    pattern = spec.pattern(prefixes)
    names = _matched(module, spec, prefixes, pattern)
    config = LoraConfig(r=spec.r, lora_alpha=spec.alpha, lora_dropout=spec.dropout, target_modules=pattern, bias="none")
    inject(module, config, trainable=True)
    return names


def adapted(module: nn.Module) -> dict[str, Any]:
    """The adapter layers by the name of the module they stand for, sorted."""
    from peft.tuners.lora import LoraLayer

    return dict(sorted((name, layer) for name, layer in module.named_modules() if isinstance(layer, LoraLayer)))


def inject(module: nn.Module, config: Any, *, trainable: bool) -> None:
    """Insert the layers of a `peft.LoraConfig`; only they learn, or nothing does."""
    from peft import inject_adapter_in_model

    inject_adapter_in_model(config, module, adapter_name=ADAPTER)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(trainable and f".{ADAPTER}." in name)
    for layer in adapted(module).values():
        # Fresh layers are born in training mode: in a model set to eval their dropout would stay awake.
        layer.train(layer.base_layer.training)


def remove_adapter(module: nn.Module) -> tuple[str, ...]:
    """Take the adapter out; the base answers as before. Returns the names that had one; none is no error."""
    layers = adapted(module)
    for name, layer in layers.items():
        parent, _, last = name.rpartition(".")
        setattr(module.get_submodule(parent), last, layer.base_layer)
    if layers:
        del module.peft_config
    return tuple(layers)


def layer_shapes(module: nn.Module) -> dict[str, tuple[int, int] | None]:
    """(inputs, outputs) of every linear layer by name, 4-bit ones too; None for modules of another kind."""
    from torch import nn

    return {
        name: (layer.in_features, layer.out_features) if isinstance(layer, nn.Linear) else None
        for name, layer in module.named_modules()
    }


def _matched(
    module: nn.Module, spec: LoraSpec, prefixes: Mapping[Role, Sequence[str]], pattern: str
) -> tuple[str, ...]:
    shapes = layer_shapes(module)
    names = sorted(name for name in shapes if re.fullmatch(pattern, name))
    if odd := [name for name in names if shapes[name] is None]:
        raise WiringError(
            f"LoRA for role {spec.role!r}: {odd[0]!r} is no linear layer; give a longer target, such as 'attn.proj'"
        )
    missed = [t for t in spec.targets if not any(name == t or name.endswith(f".{t}") for name in names)]
    if missed:
        group = prefixes[spec.role]
        inside = [name for name in shapes if any(not p or name.startswith(f"{p}.") for p in group)]
        there = {name.rpartition(".")[2] for name in inside if shapes[name] is not None}
        raise WiringError(
            f"LoRA for role {spec.role!r}: no layer is called {', '.join(missed)} in {', '.join(group)}; "
            f"linear layers there: {', '.join(sorted(there)) or 'none'}"
        )
    return tuple(names)
