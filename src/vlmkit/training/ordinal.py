"""A loss that knows that 41 is nearer to 40 than 90 is, for tokenizers that write a whole number as one token."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from vlmkit.errors import WiringError


class OrdinalLoss:
    """Cross-entropy against a Gaussian over whole numbers; plain cross-entropy for every other token.

    The first and the last number stay hard targets: softened, the model would learn to stop one short of the clip's
    end, with a token that it never saw as an input.

    Args:
        tokenizer: asked which of `0 … last` are single tokens.
        last: the largest number that an answer holds.
        sigma: width of the Gaussian, in numbers.

    Raises `WiringError` when the tokenizer splits a number.
    """

    def __init__(self, tokenizer: Any, last: int, sigma: float) -> None:
        ids = [tokenizer(str(number), add_special_tokens=False)["input_ids"] for number in range(last + 1)]
        if split := [number for number, pieces in enumerate(ids) if len(pieces) != 1]:
            raise WiringError(f"soft number targets need one token a number; the tokenizer splits {split[:5]}")
        self._ids = torch.tensor([pieces[0] for pieces in ids])
        numbers = torch.arange(last + 1.0)
        kernel = (-0.5 * ((numbers[:, None] - numbers) / sigma) ** 2).softmax(-1)  # [last + 1, last + 1]
        for hard in (0, last):
            kernel[hard] = 0
            kernel[hard, hard] = 1
        self._kernel = kernel

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """`(logits [k, v], labels [k]) -> loss [k]`."""
        logits = logits.float()
        ids, kernel = self._ids.to(labels.device), self._kernel.to(logits.device)
        loss = cross_entropy(logits, labels, reduction="none")
        rows, numbers = torch.nonzero(labels[:, None] == ids, as_tuple=True)
        soft = -(kernel[numbers] * logits[rows].log_softmax(-1)[:, ids]).sum(-1)
        return loss.index_put((rows,), soft)
