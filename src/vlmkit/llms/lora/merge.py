"""Merging an adapter into its base, with proof on sample logits or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vlmkit.errors import AdapterError
from vlmkit.llms.lora.inject import ADAPTER, adapted, remove_adapter

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class MergeReport:
    """How near the merged model is. Logits' largest absolute differences over all samples.

    Attributes:
        modules: names of the merged layers.
        effect: base against base + adapter: what there was to keep.
        error: base + adapter against merged.
    """

    modules: tuple[str, ...]
    effect: float
    error: float

    @property
    def lost(self) -> float:
        """The part of the effect that was lost, 0 for a perfect merge."""
        return self.error / self.effect


def merge_adapter(
    module: nn.Module,
    check_inputs: Callable[[], Tensor],
    *,
    tolerance: float = 0.01,
    allow_quantized: bool = False,
) -> MergeReport:
    """Add the adapter to the base weights and take its layers out.

    Args:
        check_inputs: runs `module` on a few samples and returns their logits; the same ones each time.
        tolerance: largest `MergeReport.lost`. A merge in bfloat16 loses more than one in float32, because the sum is
            rounded to the base's steps: merge in float32.
        allow_quantized: merge into 4- or 8-bit layers, whose steps can swallow the adapter whole.

    Raises:
        AdapterError: no adapter, training mode, quantized layers, an adapter without effect on these samples, or a
            merged model that differs. `module` is then as it was, bit for bit.
    """
    layers = adapted(module)
    if not layers:
        raise AdapterError(f"{type(module).__name__} has no adapter to merge; load_adapter first")
    if module.training:
        raise AdapterError("merging in training mode, where dropout hides the comparison; call .eval() first")
    coarse = [name for name, layer in layers.items() if not layer.get_base_layer().weight.is_floating_point()]
    if coarse and not allow_quantized:
        raise AdapterError(
            f"{len(coarse)} quantized layers, first {coarse[0]}: their steps can swallow the adapter; "
            "load the base unquantized and merge there, or give allow_quantized=True (the logits are compared anyway)"
        )
    with _switched_off(layers):
        plain = _logits(check_inputs)
    wanted = _logits(check_inputs)
    effect = float((wanted - plain).abs().max())
    if not 0 < effect < float("inf"):
        raise AdapterError(
            f"the adapter changes the sample logits by {effect}: there is nothing to compare; not merged"
        )
    error = _merge(layers, check_inputs, wanted, limit=tolerance * effect)
    return MergeReport(remove_adapter(module), effect, error)


def _logits(check_inputs: Callable[[], Tensor]) -> Tensor:
    import torch

    with torch.no_grad():
        return check_inputs().detach().float().clone()


@contextmanager
def _switched_off(layers: dict[str, Any]) -> Iterator[None]:
    flags = [(parameter, parameter.requires_grad) for layer in layers.values() for parameter in layer.parameters()]
    for layer in layers.values():
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in layers.values():
            layer.enable_adapters(True)
        for parameter, flag in flags:  # PEFT's switch makes the adapter learn again
            parameter.requires_grad_(flag)


def _merge(layers: dict[str, Any], check_inputs: Callable[[], Tensor], wanted: Tensor, *, limit: float) -> float:
    # Kept whole, because subtracting the adapter again would not give the same bits.
    before = {name: layer.get_base_layer().weight for name, layer in layers.items()}
    copies = {name: weight.data.clone() for name, weight in before.items()}
    kept = False
    try:
        for layer in layers.values():
            layer.merge(safe_merge=True, adapter_names=[ADAPTER])
        error = float((_logits(check_inputs) - wanted).abs().max())
        if not error <= limit:  # NaN is not within it either
            raise AdapterError(
                f"merged logits differ from base + adapter by {error:.3g}, allowed {limit:.3g}; not merged. "
                "Load the base in float32 and merge there, or keep the adapter beside the base"
            )
        kept = True
        return error
    except ValueError:  # what PEFT's safe merge raises for weights that are not finite
        raise AdapterError("the merged weights are not finite; not merged: the adapter is broken") from None
    finally:
        if not kept:
            for name, layer in layers.items():
                layer.get_base_layer().weight = before[name]
                before[name].data = copies[name]
                layer.merged_adapters.clear()
