"""How loud a recording is, measured before anything is done to it: digital silence, and clipping."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SILENCE = 10 ** (-90 / 20)
"""-90 dB of full scale, one step of 16 bits: less than the noise of any microphone that is on."""

_RUN = 3  # so many full samples in a row: a clean tone at full level touches it with one or two


class Level:
    """Fed with a recording piece by piece, `[channels, n]` each."""

    def __init__(self) -> None:
        self.n = 0
        self._n_full = 0
        self._low = self._high = np.zeros((0, 1), np.float32)
        self._tail = np.zeros((0, _RUN - 1), np.float32)
        self._span = 0.0

    def add(self, samples: NDArray[np.float32], full: float) -> None:
        """One more piece; values from `full` on are at full scale."""
        if not samples.size:
            return
        low, high = samples.min(axis=1, keepdims=True), samples.max(axis=1, keepdims=True)
        if len(samples) != len(self._low):  # the first piece, or another layout
            self._low, self._high, self._tail = low, high, np.zeros((len(samples), _RUN - 1), np.float32)
        self._low, self._high = np.minimum(self._low, low), np.maximum(self._high, high)
        self._span = max(self._span, float((self._high - self._low).max()))
        longer = np.concatenate([self._tail, samples], axis=1)
        self._n_full += _in_runs(longer >= full) + _in_runs(longer <= -full)
        self._tail = longer[:, -(_RUN - 1) :]
        self.n += samples.size

    @property
    def silent(self) -> bool:
        """Whether no channel has a signal; a constant value is none."""
        return self._span / 2 < SILENCE

    @property
    def clipped_share(self) -> float:
        """Which part of all samples is at full scale, in runs of three or more."""
        return min(1.0, self._n_full / self.n) if self.n else 0.0


def _in_runs(full: NDArray[np.bool_]) -> int:
    ends = full[:, 2:] & full[:, 1:-1] & full[:, :-2]
    if not ends.any():
        return 0
    starts = np.zeros_like(full)
    for shift in range(_RUN):
        starts[:, shift : shift + ends.shape[1]] |= ends
    return int(starts[:, _RUN - 1 :].sum())  # the samples carried over were counted, or not, with their own piece
