"""Fragmented MP4 behind a broken place: FFmpeg stops there, and the fragments that follow are whole.

A box is its size in 4 bytes, big-endian, and its type in 4 letters; a fragment is a `moof` box, which begins with an
`mfhd` box of 16 bytes, and the `mdat` box after it (ISO/IEC 14496-12, 8.8).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_CHUNK = 1 << 20
_LARGEST_HEAD = 1 << 24  # what comes before the first fragment tells about streams, and of no frame
_LARGEST_MOOF = 1 << 24


class Rest:
    """A file in which the bytes from `head` up to `start` are an empty box, and all else stands where it stood."""

    def __init__(self, file: BinaryIO, head: bytes, start: int) -> None:
        size = start - len(head)
        box = b"\0\0\0\1free" + size.to_bytes(8, "big") if size else b""  # size 1: the real one follows the type
        self._file, self._begin, self.start = file, head + box, start
        self._at = 0

    def read(self, n: int = -1) -> bytes:
        """Up to `n` bytes; all that is left where it is negative."""
        if self._at >= self.start:
            self._file.seek(self._at)
            found = self._file.read(n)
        else:
            n = self.start - self._at if n < 0 else min(n, self.start - self._at, _CHUNK)
            found = self._begin[self._at : self._at + n].ljust(n, b"\0")
        self._at += len(found)
        return found

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of any file."""
        if whence == io.SEEK_END:
            offset += self._file.seek(0, io.SEEK_END)
        elif whence == io.SEEK_CUR:
            offset += self._at
        self._at = max(0, offset)
        return self._at

    def tell(self) -> int:
        """Where it reads next."""
        return self._at


@contextmanager
def rest(source: str | Path | bytes, behind: int) -> Iterator[Rest | None]:
    """What follows the byte `behind`, from the next fragment on; None where there is none."""
    with io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file:
        head = _head(file)
        start = None if head is None else _next(file, max(behind, len(head)))
        yield None if head is None or start is None else Rest(file, head, start)


def _head(file: BinaryIO) -> bytes | None:
    """Everything before the first fragment."""
    at = 0
    while at < _LARGEST_HEAD:
        file.seek(at)
        box = file.read(8)
        size = int.from_bytes(box[:4], "big")
        if box[4:] == b"moof":
            file.seek(0)
            return file.read(at)
        if len(box) < 8 or size < 8 or box[4:] == b"mdat":
            return None
        at += size
    return None


def _next(file: BinaryIO, behind: int) -> int | None:
    at, before = behind, b""
    while True:
        file.seek(at)
        chunk = file.read(_CHUNK)
        if not chunk:
            return None
        text = before + chunk
        place = -1
        while (place := text.find(b"moof", place + 1)) >= 0:
            start = at - len(before) + place - 4
            if start >= behind and _is_fragment(file, start):
                return start
        before, at = text[-16:], at + len(chunk)


def _is_fragment(file: BinaryIO, start: int) -> bool:
    file.seek(start)
    found = file.read(16)
    size = int.from_bytes(found[:4], "big")
    return found[8:] == b"\0\0\0\x10mfhd" and 24 <= size <= _LARGEST_MOOF
