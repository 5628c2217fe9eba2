"""Samples made ready once: decoded, cut into patches and, where the encoders are frozen, encoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor
from torch.utils.data import Dataset

from vlmkit.errors import DataError
from vlmkit.model import Model
from vlmkit.prepared import Prepared
from vlmkit.types import Modality, Sample, Tokens

Row = tuple[Prepared, Mapping[Modality, Tokens] | None]


@dataclass(frozen=True)
class Rows(Dataset[Row]):
    """Prepared samples in memory, with their encoded rows where they were computed ahead."""

    prepared: Sequence[Prepared]
    tokens: Sequence[Mapping[Modality, Tokens]] | None = None

    def __len__(self) -> int:
        """How many samples."""
        return len(self.prepared)

    def __getitem__(self, index: int) -> Row:
        """One sample, and its rows or None."""
        return self.prepared[index], None if self.tokens is None else self.tokens[index]


def prepare(model: Model[Any], samples: Sequence[Sample], workers: int = 2) -> tuple[Rows, dict[str, str]]:
    """Decode every sample once. Patches are kept in half precision, which costs a normalised pixel under 1/1000.

    Returns the usable rows, and `{sample id: reason}` of the others. Raises `DataError` when none is usable, or when
    a sample has no truth to learn from.
    """
    if blind := [sample.id for sample in samples if sample.truth is None]:
        raise DataError(f"{len(blind)} samples have no truth to learn from, the first is {blind[0]!r}")
    with ThreadPoolExecutor(workers) as pool:  # PyAV decodes outside the GIL
        found = track(
            pool.map(lambda sample: _halved(model.prepare(sample)), samples),
            "reading media",
            total=len(samples),
            console=Console(stderr=True),
        )
        prepared = list(found)
    bad = {p.sample.id: "; ".join(x.message for x in p.problems if x.fatal) for p in prepared if not p.usable}
    good = [one for one in prepared if one.usable]
    if not good:
        raise DataError(
            f"none of {len(samples)} samples can be used; the first: {next(iter(bad.values()), 'none given')}"
        )
    return Rows(good), bad


def encode(model: Model[Any], rows: Rows, batch_size: int = 16) -> Rows:
    """Run frozen encoders and projector once over everything."""
    model.eval()
    kept: list[Mapping[Modality, Tokens]] = []
    starts = range(0, len(rows), batch_size)
    with torch.inference_mode():
        for start in track(starts, "encoding once", console=Console(stderr=True)):
            batch = rows.prepared[start : start + batch_size]
            kept += [_on_cpu(tokens) for tokens in split(model.tokens(batch), len(batch))]
    return Rows([_without_pixels(one) for one in rows.prepared], kept)


def split(tokens: Mapping[Modality, Tokens], n: int) -> list[dict[Modality, Tokens]]:
    """Packed rows of `n` samples, taken apart again; one medium a sample and modality."""
    return [{modality: _one(rows, index) for modality, rows in tokens.items()} for index in range(n)]


def join(parts: Sequence[Mapping[Modality, Tokens]]) -> dict[Modality, Tokens]:
    """The opposite of `split`."""
    return {modality: _cat([part[modality] for part in parts]) for modality in parts[0]}


def _one(rows: Tokens, index: int) -> Tokens:
    start = sum(rows.lengths[:index])
    here = slice(start, start + rows.lengths[index])
    item = sum(n > 0 for n in rows.lengths[:index])
    present = slice(item, item + (rows.lengths[index] > 0))
    return Tokens(
        rows.values[here].clone(),
        (rows.lengths[index],),
        times_s=None if rows.times_s is None else rows.times_s[here].clone(),
        grid=None if rows.grid is None else rows.grid[present],
        deep=tuple(layer[here].clone() for layer in rows.deep),
        step_s=None if rows.step_s is None else rows.step_s[present],
    )


def _cat(parts: Sequence[Tokens]) -> Tokens:
    def cat(name: str) -> Any:
        found = [value for part in parts if (value := getattr(part, name)) is not None]
        return torch.cat(found) if found else None

    deep = tuple(torch.cat(layers) for layers in zip(*(part.deep for part in parts if part.deep), strict=True))
    lengths = tuple(n for part in parts for n in part.lengths)
    return Tokens(cat("values"), lengths, cat("times_s"), cat("grid"), deep, cat("step_s"))


def _on_cpu(tokens: Mapping[Modality, Tokens]) -> dict[Modality, Tokens]:
    """Rows of a whole data set do not belong on a GPU."""
    return {modality: _moved(rows) for modality, rows in tokens.items()}


def _moved(rows: Tokens) -> Tokens:
    def cpu(value: Tensor | None) -> Tensor | None:
        return None if value is None else value.cpu()

    return Tokens(
        rows.values.cpu(),
        rows.lengths,
        times_s=cpu(rows.times_s),
        grid=cpu(rows.grid),
        deep=tuple(layer.cpu() for layer in rows.deep),
        step_s=cpu(rows.step_s),
    )


def _without_pixels(one: Prepared) -> Prepared:
    """What a frozen encoder has read is not needed again."""
    inputs = tuple({k: v for k, v in made.items() if not k.startswith("pixel_values")} for made in one.inputs)
    return replace(one, inputs=inputs)


def _halved(one: Prepared) -> Prepared:
    inputs = tuple({k: v.half() if k.startswith("pixel_values") else v for k, v in made.items()} for made in one.inputs)
    return replace(one, inputs=inputs)
