"""How far the numbers of a smaller model are from those of the one that it was made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

_STEPS = 16  # last tokens that are read one by one, as a reply is written


@dataclass(frozen=True)
class Compared:
    """Next-token logits of two models over one text.

    Attributes:
        cosine: the least over all positions; 1 for equal ones.
        agreement: share of positions whose likeliest token is the same.
        largest: the largest difference, relative to the largest logit.
        positions: how many were compared.
    """

    cosine: float
    agreement: float
    largest: float
    positions: int

    def __str__(self) -> str:
        return (
            f"cosine {self.cosine:.5f} at least, likeliest token the same at {self.agreement:.1%} of {self.positions} "
            f"positions, largest difference {self.largest:.2g} of the largest logit"
        )


def compared(wanted: Tensor, found: Tensor) -> Compared:
    """Two `[n, vocabulary]` tables of logits."""
    return Compared(
        cosine=float(functional.cosine_similarity(wanted, found, dim=-1).min()),
        agreement=float((wanted.argmax(-1) == found.argmax(-1)).float().mean()),
        largest=float((wanted - found).abs().max() / wanted.abs().max()),
        positions=len(wanted),
    )


def logits(hf: Any, ids: list[int]) -> Tensor:
    """`[n, vocabulary]` in fp32: of a text read at once, its last tokens one by one. `n` is the number of `ids`."""
    rows = torch.tensor([ids], device=hf.device)
    whole = max(1, len(ids) - _STEPS)
    with torch.inference_mode():
        out = hf(input_ids=rows[:, :whole], use_cache=True)
        found = [out.logits[0].float()]
        for at in range(whole, len(ids)):
            out = hf(input_ids=rows[:, at : at + 1], past_key_values=out.past_key_values, use_cache=True)
            found.append(out.logits[0].float())
    return torch.cat(found)
