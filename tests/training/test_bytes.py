from __future__ import annotations

import torch

from vlmkit.training.bytes import Bytes


def test_pixels_come_back_to_half_a_step() -> None:
    grey = torch.arange(256.0).repeat(3, 1)
    pixels = (grey / 255 - 0.48) / 0.27
    kept = Bytes.of(pixels)
    assert kept.codes.dtype is torch.uint8
    assert (kept.values() - pixels).abs().max() < 0.5 / 255 / 0.27
    assert Bytes.of(kept) is kept


def test_one_colour_and_nothing() -> None:
    assert torch.equal(Bytes.of(torch.full((2, 2), 0.7)).values(), torch.full((2, 2), 0.7))
    assert Bytes.of(torch.zeros(0, 4)).values().shape == (0, 4)
