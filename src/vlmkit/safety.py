"""Weights are safetensors, or they are not opened: reading a pickle runs whatever code its author put in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from vlmkit.errors import CheckpointError

PICKLES = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".dill", ".t7", ".mar"})
TRAINER_LEFTOVERS = ("training_args.bin", "optimizer.*", "scheduler.*", "scaler.*", "rng_state*")
"""What `transformers.Trainer` leaves beside its weights. Nothing here opens them."""

HEADER_MAX = 100_000_000
"""Bytes of the longest header that the safetensors format allows."""


@dataclass(frozen=True)
class TensorInfo:
    """What a safetensors header says of one tensor; `dtype` in the format's own words (`F32`, `BF16` …)."""

    shape: tuple[int, ...]
    dtype: str


def refuse_pickles(
    directory: Path, *, ignore: Sequence[str] = (), error: type[CheckpointError] = CheckpointError
) -> None:
    """Go through a directory and its folders; raise `error` naming every pickle in it and what to do.

    Args:
        directory: a file is taken as a directory with just that file.
        ignore: file name patterns that are never opened and may stay, such as `TRAINER_LEFTOVERS`.
        error: what to raise.
    """
    paths = [directory] if directory.is_file() else sorted(directory.rglob("*"))
    found = [
        path
        for path in paths
        if path.suffix.lower() in PICKLES and not any(fnmatch(path.name.lower(), pattern) for pattern in ignore)
    ]
    if found:
        names = ", ".join(str(path) for path in found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
        raise error(
            f"{names}: refused, because opening a pickle can run any code. Wanted: .safetensors. To get the weights "
            "out of one, type: vlmkit convert FILE -o model.safetensors; then take the pickle away"
        )


def require_safetensors(path: Path, *, error: type[CheckpointError] = CheckpointError) -> dict[str, TensorInfo]:
    """What is in a safetensors file, by name, read from its header alone.

    Raises `error` for a missing file, another format behind the name, and a file that was cut or grown.
    """
    if path.suffix.lower() in PICKLES:
        refuse_pickles(path, error=error)
    if not path.is_file():
        raise error(f"{path}: no such file; wanted a .safetensors file")
    try:
        return _header(path)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise error(
            f"{path}: not a whole safetensors file (truncated, edited, or another format under this name); "
            "copy or download it again"
        ) from None
    except OSError as failure:
        raise error(f"{path}: cannot be read ({failure.strerror or 'input/output error'})") from None


def _header(path: Path) -> dict[str, TensorInfo]:
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(HEADER_MAX, size - 8):
            raise ValueError("header length")
        header = json.loads(file.read(length).decode("utf-8"))
    header.pop("__metadata__", None)
    expected = 0
    # The format wants no gaps and no overlaps: sorted by offset, each tensor starts where the last one ended.
    for entry in sorted(header.values(), key=lambda entry: tuple(entry["data_offsets"])):
        start, end = entry["data_offsets"]
        if start != expected or end < start:
            raise ValueError("offsets")
        expected = end
    if 8 + length + expected != size:
        raise ValueError("file size")
    return {name: TensorInfo(tuple(map(int, entry["shape"])), str(entry["dtype"])) for name, entry in header.items()}
