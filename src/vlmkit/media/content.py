"""Media by what is in them: one digest of the bytes, whatever the file is called."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np


def content_sha256(source: str | Path | bytes | np.ndarray) -> str:
    """One digest of a medium's source: of the bytes in it, not of its name. Raises `OSError` for an unreadable file."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    if isinstance(source, np.ndarray):
        head = f"{source.dtype} {source.shape}".encode()
        return hashlib.sha256(head + np.ascontiguousarray(source).tobytes()).hexdigest()
    with Path(source).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Contents:
    """Digests of many media. A file is read once while it stays the same: one film is often asked about by window."""

    def __init__(self) -> None:
        self._digests: dict[tuple[str, int, int], str] = {}

    def sha256(self, source: str | Path | bytes | np.ndarray) -> str:
        """As `content_sha256`, which see."""
        if isinstance(source, bytes | np.ndarray):
            return content_sha256(source)
        path = Path(source)
        state = path.stat()
        known = (str(path.resolve()), state.st_size, state.st_mtime_ns)
        if known not in self._digests:
            self._digests[known] = content_sha256(path)
        return self._digests[known]
