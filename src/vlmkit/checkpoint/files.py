"""The files of a checkpoint: all that decide an answer, each as it was written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from vlmkit.calibration.files import Mode, names
from vlmkit.errors import CheckpointError

MANIFEST = "vlmkit.json"


def digests(directory: Path) -> dict[str, str]:
    """SHA-256 of everything that decides an answer, by relative name: what the manifest has as `files`."""
    return {name: sha256(directory / name) for name in _weights(directory)}


def compare(directory: Path, wanted: Mapping[str, str], *, calibrated: bool) -> None:
    """Raise `CheckpointError` for the first file that is missing, was added or is another than was written.

    Args:
        wanted: what `digests` gave.
        calibrated: whether files of a calibration count.
    """
    calibration = {name for mode in get_args(Mode) for name in names(mode)}
    passed = set() if calibrated else calibration
    present, listed = set(_weights(directory)) - passed, set(wanted) - passed
    changed = {name for name in listed & present if sha256(directory / name) != wanted[name]}
    for some, wrong in (
        (listed - present, "is missing; copy the whole folder again"),
        (present - listed, "was not there when the head was saved; remove it"),
        (changed, "was changed after saving; restore it, or train and save again"),
    ):
        if first := min(some, default=None):
            ours = "is not as vlmkit calibrate wrote it; calibrate again, or load with calibration='none'"
            raise CheckpointError(f"{directory}: {first} {ours if first in calibration else wrong}")


def _weights(directory: Path) -> list[str]:
    """Everything that decides an answer, by relative name; what lies outside is never listed, so never opened."""
    files = [path for path in directory.rglob("*") if path.is_file() and path.name not in (MANIFEST, "README.md")]
    return sorted(path.relative_to(directory).as_posix() for path in files if not path.name.startswith("."))


def sha256(path: Path) -> str:
    """Of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
