"""Rows of a batch, taken apart by sample and put together again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from vlmkit.types import Features, Modality

Packed = Mapping[Modality, Features]


def split(features: Packed, n: int) -> list[dict[Modality, Features]]:
    """Packed rows of `n` samples, one by one; one medium a sample and modality."""
    return [{modality: _one(rows, index) for modality, rows in features.items()} for index in range(n)]


def join(parts: Sequence[Packed]) -> dict[Modality, Features]:
    """The opposite of `split`."""
    return {modality: _cat([part[modality] for part in parts]) for modality in parts[0]}


def moved(features: Packed, device: torch.device | str) -> dict[Modality, Features]:
    """The same rows on a device."""
    return {modality: _moved(rows, device) for modality, rows in features.items()}


def absent(width: int) -> Features:
    """No row: how one sample says that it lacks a modality."""
    return Features(torch.zeros(0, width), (0,))


def _one(rows: Features, index: int) -> Features:
    start = sum(rows.lengths[:index])
    here = slice(start, start + rows.lengths[index])
    item = sum(n > 0 for n in rows.lengths[:index])
    present = slice(item, item + (rows.lengths[index] > 0))
    return Features(
        rows.values[here].clone(),
        (rows.lengths[index],),
        times_s=None if rows.times_s is None else rows.times_s[here].clone(),
        grid=None if rows.grid is None else rows.grid[present],
        deep=tuple(layer[here].clone() for layer in rows.deep),
        step_s=None if rows.step_s is None else rows.step_s[present],
    )


def _cat(parts: Sequence[Features]) -> Features:
    # Without those that have no row: their type of number would make the others' wider.
    full = [part for part in parts if len(part.values)] or parts[:1]

    def cat(name: str) -> Any:
        found = [value for part in full if (value := getattr(part, name)) is not None]
        return torch.cat(found) if found else None

    deep = tuple(torch.cat(layers) for layers in zip(*(part.deep for part in full if part.deep), strict=True))
    lengths = tuple(n for part in parts for n in part.lengths)
    return Features(cat("values"), lengths, cat("times_s"), cat("grid"), deep, cat("step_s"))


def _moved(rows: Features, device: torch.device | str) -> Features:
    def there(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.to(device)
        return tuple(layer.to(device) for layer in value) if value and isinstance(value[0], Tensor) else value

    return Features(**{f.name: there(getattr(rows, f.name)) for f in fields(rows)})
