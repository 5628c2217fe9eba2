"""Weights in 8 bits: a causal language model whose matrices and embedding take a quarter of their bytes.

Weight-only: a weight is a whole number from -127 to 127 times its row's scale; activations are not rounded to 8 bits,
so that no row of a batch and no outlier of a row can take the precision of the others (docs/decisions/edge.md).

Shape legend: `n` rows of activations, `k` inputs, `m` outputs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from vlmkit.errors import WiringError

NARROW = 8
"""Most rows that the kernel for decoding gets; above it, multiplying unpacked weights is faster (measured there)."""

_MULTIPLE = 32  # of inputs: torch's kernel reads past the end of rows of other lengths, and does not check
_LARGEST = 127
_BLOCK = 8192  # rows that are unpacked, or rounded, at once: bounds the memory that it takes


class Int8Linear(nn.Module):
    """A linear layer with int8 weights `[m, k]`, a scale `[m]` each, and its own bias.

    Up to `NARROW` rows are multiplied in bf16 with sums in fp32, more of them in the precision that they come in. The
    rows of a batch do not touch each other.
    """

    weight: Tensor
    scale: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, scale: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("scale", scale)
        self.register_buffer("bias", bias)
        # The kernel's own scales have to be bf16; ours are multiplied afterwards, in fp32.
        self._ones = torch.ones(len(weight), dtype=torch.bfloat16)

    def forward(self, x: Tensor) -> Tensor:
        """`[..., k]` to `[..., m]`."""
        rows = x.reshape(-1, x.shape[-1])
        if len(rows) <= NARROW and _has_kernel(rows, self.weight):
            out = torch._weight_int8pack_mm(rows.bfloat16(), self.weight, self._ones).to(x.dtype)
        else:
            parts = self.weight.split(_BLOCK)
            out = torch.cat([functional.linear(rows, part.to(x.dtype)) for part in parts], dim=-1)
        out = out * self.scale.to(x.dtype)
        if self.bias is not None:
            out = out + self.bias.to(x.dtype)
        return out.view(*x.shape[:-1], -1)


class Int8Embedding(nn.Module):
    """A table of words `[m, k]` in int8 with a scale `[m]` each; rows come out in fp32."""

    weight: Tensor
    scale: Tensor

    def __init__(self, weight: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("scale", scale)

    def forward(self, ids: Tensor) -> Tensor:
        """`[...]` to `[..., k]`."""
        return self.weight[ids].float() * self.scale[ids].unsqueeze(-1)


def rounded(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Int8 weights `[m, k]` and their scales `[m]`: the largest of a row is 127. Raises `WiringError` for NaN, inf."""
    numbers, scales = [], []
    for part in weight.detach().split(_BLOCK):
        largest = part.float().abs().amax(1)
        if not torch.isfinite(largest).all():
            raise WiringError(f"weights of shape {list(weight.shape)} hold NaN or infinity; they have no int8 form")
        scale = torch.where(largest > 0, largest, 1.0) / _LARGEST
        numbers.append((part.float() / scale[:, None]).round().to(torch.int8))
        scales.append(scale)
    return torch.cat(numbers), torch.cat(scales)


def to_int8(hf: Any) -> None:
    """Put int8 layers in the place of all linear layers and of the embedding, one at a time, in eval mode and fp32.

    A head that is tied to the embedding stays tied. Raises `WiringError` for a model on a GPU, with an adapter, or with
    weights that are not finite or not floating numbers.
    """
    if str(hf.device) not in ("cpu", "meta"):
        raise WiringError(
            f"int8 is for the CPU and the model is on {hf.device}; give device='cpu', or precision='int4'"
        )
    if odd := [name for name, module in hf.named_modules() if hasattr(module, "base_layer")]:
        raise WiringError(f"int8 weights take no adapter, and {odd[0]} has one; merge it first")
    words, head = hf.get_input_embeddings(), hf.get_output_embeddings()
    tied = head.weight is words.weight
    hf.set_input_embeddings(Int8Embedding(*_parts(words)))
    if tied:
        table = hf.get_input_embeddings()
        hf.set_output_embeddings(Int8Linear(table.weight, table.scale, _plain(head.bias)))
    del words, head
    for name in [name for name, module in hf.named_modules() if type(module) is nn.Linear]:
        linear = hf.get_submodule(name)
        hf.set_submodule(name, Int8Linear(*_parts(linear), _plain(linear.bias)))
    hf.float().eval().requires_grad_(False)


def is_int8(hf: nn.Module) -> bool:
    """Whether `to_int8` was here."""
    return any(isinstance(module, Int8Linear) for module in hf.modules())


def _parts(module: Any) -> tuple[Tensor, Tensor]:
    weight = module.weight
    if weight.is_meta:  # a place for weights that are about to be loaded
        return torch.empty_like(weight, dtype=torch.int8), weight.new_empty(len(weight))
    if not weight.is_floating_point():
        raise WiringError(f"int8 is made of floating numbers, and these are {weight.dtype}; load them in fp32")
    return rounded(weight)


def _plain(bias: Tensor | None) -> Tensor | None:
    return None if bias is None else bias.detach().float()


def _has_kernel(rows: Tensor, weight: Tensor) -> bool:
    """Whether torch's own weight-only kernel may be called; the other way gives the same within bf16."""
    return rows.device.type == "cpu" and not weight.shape[1] % _MULTIPLE and hasattr(torch, "_weight_int8pack_mm")
