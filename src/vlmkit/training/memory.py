"""Freed memory is kept for the next step, not given back and asked for again."""

from __future__ import annotations

import ctypes
import sys

# mallopt(3): blocks above the first limit are given back when freed, and free memory at the heap's end above the other.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_TRIM_BYTES, _MMAP_BYTES = 2**31 - 1, 2**30


def keep_freed() -> None:
    """Raise glibc's limits; nothing elsewhere. Activations come and go by the gigabyte, and in a virtual machine the
    first touch of a page is slow: convolutions on a CPU train about one and a half times as fast.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _TRIM_BYTES)
        mallopt(_MMAP_THRESHOLD, _MMAP_BYTES)
