"""The part of a sound that is listened to: from `start_s` to `end_s`, and no longer than the spec allows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from vlmkit.errors import MediaError
from vlmkit.media.level import Level
from vlmkit.media.mono import Mono, Piece, inside
from vlmkit.media.sound import Block
from vlmkit.media.spec import AudioSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SLACK_S = 1e-3  # resamplers and containers round: so much more than max_s is not longer


class Excerpt:
    """Blocks go in; mono samples that lie in `[start_s, end_s)` stay, as many as the spec allows.

    Seconds count from `origin_s` of the source's clock, or from the first sample where that is None.

    Attributes:
        pieces: the samples, at the spec's rate; `n` of them together.
        first_s: when the first of them is heard.
        end_s: when the last sample ends that was read, in the window or not.
        read_s: how much sound was read.
        missing_s: gaps between samples in the window.
        cut_short: whether there was more in the window than the spec allows.
        stopped: whether reading stopped before the source's end.
        level: of the window's part, as recorded, like `source_hz` and `channels`.
    """

    def __init__(self, name: str, spec: AudioSpec, origin_s: float | None, start_s: float, end_s: float) -> None:
        self._name, self._spec = name, spec
        self._origin_s = origin_s
        self._start_s, self._end_s = start_s, end_s
        self._mono = Mono(spec.rate_hz)
        self._n_most = math.inf if spec.max_s is None else round(spec.max_s * spec.rate_hz)
        self.pieces: list[NDArray[np.float32]] = []
        self.n = 0
        self.first_s = self.end_s = 0.0
        self.missing_s = self.read_s = self._next_s = 0.0
        self.cut_short = self.stopped = False
        self.source_hz = self.channels = 0
        self.level = Level()

    def push(self, block: Block) -> bool:
        """Whether more is wanted."""
        if self._origin_s is None:
            self._origin_s = block.time_s or 0.0
        self.source_hz, self.channels = block.rate_hz, len(block.samples)
        n = block.samples.shape[1]
        time_s = self._next_s if block.time_s is None else block.time_s - self._origin_s
        self._next_s = time_s + n / block.rate_hz
        self.read_s += n / block.rate_hz
        chosen = inside(time_s, n, block.rate_hz, self._start_s, self._end_s)
        self.level.add(block.samples[:, chosen], block.full)
        self._add(self._mono.push(block))
        self.stopped = self.cut_short or self.end_s >= self._end_s
        return not self.stopped

    def end(self) -> None:
        """No more will come."""
        self._add(self._mono.end())

    def _add(self, made: Iterator[Piece]) -> None:
        rate_hz = self._spec.rate_hz
        for piece in made:
            time_s = piece.time_s - (self._origin_s or 0.0)
            chosen = inside(time_s, len(piece.samples), rate_hz, self._start_s, self._end_s)
            samples = piece.samples[chosen]
            if len(samples) and not self.n:
                self.first_s = time_s + chosen.start / rate_hz
            elif len(samples):
                self.missing_s += max(0.0, time_s - self.end_s)
            self.end_s = time_s + len(piece.samples) / rate_hz
            self._keep(samples)

    def _keep(self, samples: NDArray[np.float32]) -> None:
        if self.n + len(samples) > self._n_most + _SLACK_S * self._spec.rate_hz:
            self.cut_short = True
            if self._spec.over == "refuse":
                limit = f"it lasts longer than the {self._spec.max_s:g} s that are listened to"
                raise MediaError(self._name, "too_large", f"{limit}; cut it with start_s and end_s, or set over='head'")
        if self.n + len(samples) > self._n_most:
            samples = samples[: int(self._n_most) - self.n]
        if len(samples):
            self.pieces.append(samples)
            self.n += len(samples)
