"""Keep freed memory in the process while training on a CPU."""

from __future__ import annotations

import ctypes
import sys

# glibc, malloc.h
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_KEPT_BYTES = 1 << 30


def keep_pages() -> bool:
    """Ask glibc to reuse large blocks instead of giving them back to the system after each step.

    A step frees and allocates the same hundreds of megabytes; where touching fresh pages is slow (virtual machines),
    that costs several times the arithmetic (benchmarks/training_memory.py). Returns whether glibc was there to ask.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # musl has neither
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES) and mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES))
