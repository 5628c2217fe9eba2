"""What glibc does with freed memory while media are read, and while a model learns; nothing elsewhere."""

from __future__ import annotations

import ctypes
import sys

# mallopt(3): blocks above the first limit are given back when freed, and free memory at the heap's end above the other.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_TRIM_BYTES, _MMAP_BYTES = 2**31 - 1, 2**30
_DEFAULT_BYTES = 2**17  # of both; glibc's own, which it raises as blocks come and go unless it is set


def give_back() -> None:
    """Blocks as large as frames go back to the system when they are freed: for reading many media.

    Otherwise glibc keeps them on its heap, and what stays of each sample lies between them: the holes grow with the
    number of films.
    """
    _set(_DEFAULT_BYTES, _DEFAULT_BYTES)


def keep_freed() -> None:
    """Freed memory is kept for the next step, not given back and asked for again.

    Activations come and go by the gigabyte, and in a virtual machine the first touch of a page is slow: convolutions
    on a CPU train about one and a half times as fast.
    """
    _set(_TRIM_BYTES, _MMAP_BYTES)


def _set(trim: int, mmap: int) -> None:
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, trim)
        mallopt(_MMAP_THRESHOLD, mmap)
