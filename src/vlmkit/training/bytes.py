"""Pixels kept for many epochs, one byte each: what a file of a picture had to begin with."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Bytes:
    """Numbers between two ends in 256 even steps: off by half a step at most, half a grey level of a normalised pixel.

    Attributes:
        codes: uint8, of the numbers' shape. low, step: what code 0 stands for, and one more.
    """

    codes: Tensor
    low: float
    step: float

    @classmethod
    def of(cls, numbers: Tensor | Bytes) -> Bytes:
        """Of floating numbers; what is kept so already stays as it is."""
        if isinstance(numbers, Bytes):
            return numbers
        low, high = (float(end) for end in torch.aminmax(numbers)) if numbers.numel() else (0.0, 0.0)
        step = (high - low) / 255 or 1.0
        return cls(((numbers - low) / step).round_().to(torch.uint8), low, step)

    def values(self) -> Tensor:
        """In fp32."""
        return self.codes.float().mul_(self.step).add_(self.low)
