"""Sound of any layout and rate to one channel of one rate, without losing its times."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vlmkit.media.sound import Block

if TYPE_CHECKING:
    from av import AudioFrame
    from numpy.typing import NDArray

# Levels of a mono mix by ITU-R BS.775: the front pair 3 dB below the centre, surround channels 6 dB below it, no
# low-frequency effects. libswresample uses the same, and divides by their sum
# for integers only: the level of a mix would depend on how the file was coded.
_HALF_POWER = math.sqrt(0.5)
_LEVELS = {"FC": 1.0, "LFE": 0.0, "LFE2": 0.0} | dict.fromkeys(("FL", "FR", "FLC", "FRC"), _HALF_POWER)
_SURROUND = 0.5

_JITTER_S = 0.05  # containers round times to milliseconds, and players forgive this much; more is a gap
_SAME = 1e-3  # of a sample: what rounding of float seconds may cost


class Piece(NamedTuple):
    """Mono samples `[n]` of the wanted rate; the first is heard at `time_s` of the source's clock."""

    time_s: float
    samples: NDArray[np.float32]


def mix(samples: NDArray[np.float32], speakers: Sequence[str]) -> NDArray[np.float32]:
    """`[channels, n]` to `[n]`: weights that sum to 1, so that no mix is louder than its loudest channel.

    Two channels, and those that nobody names, count alike.
    """
    if len(samples) == 1:
        return np.asarray(samples[0])
    if len(samples) == 2 or not speakers:
        return np.asarray(samples.mean(axis=0, dtype=np.float32))
    levels = np.array([_LEVELS.get(speaker, _SURROUND) for speaker in speakers], dtype=np.float32)
    return np.asarray((levels / levels.sum()) @ samples, dtype=np.float32)


def inside(time_s: float, n: int, rate_hz: int, start_s: float, end_s: float) -> slice:
    """Which of `n` samples from `time_s` on lie in `[start_s, end_s)`: exact to the sample."""
    first = 0 if start_s <= time_s else math.ceil((start_s - time_s) * rate_hz - _SAME)
    last = n if end_s == math.inf else math.ceil((end_s - time_s) * rate_hz - _SAME)
    return slice(min(max(first, 0), n), min(max(last, 0), n))


class Pace:
    """Where blocks lie in time, by the number of samples: what containers say is rounded, and checked against it."""

    def __init__(self) -> None:
        self._time_s = 0.0
        self._n = self._rate_hz = 0

    def place(self, block: Block) -> tuple[float, bool]:
        """When the block's first sample is heard, and whether a new run begins with it: after a gap, at a new rate.

        Times that jump back would put two sounds at one moment: the sound goes on where it was.
        """
        n, end_s = block.samples.shape[1], self._end_s
        time_s = end_s if block.time_s is None else block.time_s
        if block.rate_hz == self._rate_hz and time_s <= end_s + _JITTER_S:
            self._n += n
            return end_s, False
        self._time_s = max(time_s, end_s) if self._rate_hz else time_s
        self._rate_hz, self._n = block.rate_hz, n
        return self._time_s, True

    @property
    def _end_s(self) -> float:
        return self._time_s + (self._n / self._rate_hz if self._rate_hz else 0.0)


class Mono:
    """Blocks in, pieces out; see `Pace` for their times."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._pace = Pace()
        self._run: _Run | None = None

    def push(self, block: Block) -> Iterator[Piece]:
        """What can be said after one more block."""
        time_s, new = self._pace.place(block)
        if new or self._run is None:
            yield from self.end()
            self._run = _Run(time_s, block.rate_hz, self._rate_hz)
        yield from self._run.push(mix(block.samples, block.speakers))

    def end(self) -> Iterator[Piece]:
        """What the resampler still holds."""
        if self._run is not None:
            yield from self._run.end()


class _Run:
    """Sound without a gap, and of one rate."""

    def __init__(self, time_s: float, from_hz: int, to_hz: int) -> None:
        from av import AudioResampler

        self._time_s = time_s
        self._from_hz, self._to_hz = from_hz, to_hz
        self._n_out = 0
        self._resampler = AudioResampler(format="fltp", layout="mono", rate=to_hz)

    def push(self, samples: NDArray[np.float32]) -> Iterator[Piece]:
        """`samples` `[n]` of the source's rate."""
        from av import AudioFrame

        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="fltp", layout="mono")
        frame.sample_rate = self._from_hz
        yield from self._pieces(frame)

    def end(self) -> Iterator[Piece]:
        """The last of it."""
        yield from self._pieces(None)

    def _pieces(self, frame: AudioFrame | None) -> Iterator[Piece]:
        for made in self._resampler.resample(frame):
            samples = made.to_ndarray()[0]
            yield Piece(self._time_s + self._n_out / self._to_hz, samples)
            self._n_out += len(samples)
