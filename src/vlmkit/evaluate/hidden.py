"""Samples with everything hidden that a head is not asked with: truth, id, names of files, the other keys of meta."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass, replace
from math import isclose, isnan
from pathlib import Path
from typing import Any

from vlmkit.types import Media, Sample

_NEARLY = 1e-3  # between numbers of two answers: batches of other sizes round otherwise


def hidden(sample: Sample, place: int, folder: Path, inputs: Collection[str]) -> Sample:
    """The sample as a stranger would give it.

    Each file lies alone in a folder of its own, under the same bytes and suffix; bytes and arrays stay as they are.

    Args:
        place: what it is called by. folder: where its files go. inputs: keys of meta that are part of the question.
    """
    media = {name: _moved(one, folder / f"{place:04d}-{name}") for name, one in sample.media.items()}
    meta = {key: value for key, value in sample.meta.items() if key in inputs}
    return Sample(f"sample-{place:04d}", media, sample.text, None, meta)


def alike(one: Any, other: Any) -> bool:
    """Whether two answers are equal but for the last digits of their numbers."""
    one, other = _plain(one), _plain(other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=_NEARLY, abs_tol=_NEARLY) or (isnan(one) and isnan(other))
    return bool(one == other)


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump()
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: getattr(value, one.name) for one in fields(value)}
    return value


def _moved(media: Media, folder: Path) -> Media:
    if not isinstance(media.source, str | Path) or not Path(media.source).is_file():
        return media
    source = Path(media.source).resolve()
    folder.mkdir(parents=True)
    target = folder / f"file{source.suffix}"
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)
    return replace(media, source=target)
