"""Small films of a known length, each with bytes of its own."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tests.media.films import film


@cache
def ten_seconds(n: int = 40) -> bytes:
    """`n` frames at four a second."""
    return film(n, rate=4)


def put(folder: Path, *names: str, n: int = 40, mark: str | None = None) -> None:
    """Films below a folder, no two alike; with a `mark` all that have it are."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        tail = (mark or name).encode()
        path.write_bytes(ten_seconds(n) + (8 + len(tail)).to_bytes(4, "big") + b"free" + tail)
