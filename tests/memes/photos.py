"""Pictures that look like photographs to a hash: smooth, coloured, and each unlike the others."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow


def photo(number: int, size_px: tuple[int, int] = (96, 64)) -> Pillow.Image:
    """The picture of a number: blots of light in a few colours."""
    rng = np.random.default_rng(number)
    rough = Pillow.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8))
    return rough.resize(size_px, Pillow.Resampling.BICUBIC)


def jpeg(number: int, quality: int = 90, size_px: tuple[int, int] = (96, 64)) -> bytes:
    """The picture as the bytes of a file."""
    out = io.BytesIO()
    photo(number, size_px).save(out, "JPEG", quality=quality)
    return out.getvalue()


def save(folder: Path, name: str, number: int, quality: int = 90, size_px: tuple[int, int] = (96, 64)) -> Path:
    """The picture as a file."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jpeg(number, quality, size_px))
    return path


def manifest(folder: Path, rows: Sequence[Mapping[str, Any]], name: str = "manifest.jsonl") -> Path:
    """A folder with these rows."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def record(key: str, **changes: Any) -> dict[str, Any]:
    """A row in the form of the data sets."""
    return {
        "id": key,
        "dataset": "hateful_memes",
        "split": "train",
        "image_path": None,
        "text_raw": f"words of {key}",
        "labels_raw": 0,
        **changes,
    }
