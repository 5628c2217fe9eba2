"""Pixels kept for many epochs, one byte each and in a file: what a file of a picture had to begin with."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from weakref import finalize

import torch
from torch import Tensor

from vlmkit.errors import DataError


@dataclass(frozen=True, eq=False)
class Bytes:
    """Numbers between two ends in 256 even steps: off by half a step at most, half a grey level of a normalised pixel.

    Attributes:
        codes: reads them, uint8, of the numbers' shape. low, step: what code 0 stands for, and one more.
    """

    codes: Callable[[], Tensor]
    low: float
    step: float

    def values(self) -> Tensor:
        """In fp32."""
        return self.codes().float().mul_(self.step).add_(self.low)


class Spool:
    """A file without a name in the folder for temporary files (`TMPDIR`), which holds the pixels of a run.

    However many there are, memory holds what the system has room to remember of the file. It is gone with the last
    `Bytes` in it, and with the process, whatever ends that.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="vlmkit-pixels-")  # noqa: SIM115 - it outlives this call
        finalize(self, self._file.close)
        self._end = 0
        self._lock = threading.Lock()  # one place in the file at a time

    def keep(self, numbers: Tensor | Bytes) -> Bytes:
        """Floating numbers, written; what is kept so already stays as it is. Raises `DataError` for a full disk."""
        if isinstance(numbers, Bytes):
            return numbers
        low, high = (float(end) for end in torch.aminmax(numbers)) if numbers.numel() else (0.0, 0.0)
        step = (high - low) / 255 or 1.0
        codes = ((numbers - low) / step).round_().to(torch.uint8)
        with self._lock:
            start, self._end = self._end, self._end + codes.numel()
            try:
                self._file.seek(start)
                self._file.write(codes.contiguous().numpy().data)
            except OSError as error:
                folder, had = tempfile.gettempdir(), start / 2**30
                raise DataError(
                    f"{folder} has no room for the pixels to learn from ({error.strerror} after {had:.1f} GiB); "
                    "let TMPDIR name a folder on a larger disk, or take fewer samples"
                ) from error
        shape = codes.shape
        return Bytes(lambda: self._read(start, shape), low, step)

    def _read(self, start: int, shape: torch.Size) -> Tensor:
        if not shape.numel():
            return torch.zeros(shape, dtype=torch.uint8)
        with self._lock:
            self._file.seek(start)
            found = bytearray(self._file.read(shape.numel()))
        return torch.frombuffer(found, dtype=torch.uint8).reshape(shape)
