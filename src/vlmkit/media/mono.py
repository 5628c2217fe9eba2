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


class Mono:
    """Blocks in, pieces out. A gap in the times, or another rate, starts a run of its own with its own time."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._run: _Run | None = None

    def push(self, block: Block) -> Iterator[Piece]:
        """What can be said after one more block."""
        run = self._run
        time_s = block.time_s
        if run is not None and (
            run.from_hz != block.rate_hz or (time_s is not None and time_s > run.end_s + _JITTER_S)
        ):
            yield from run.end()
            # Times that jump back would put two sounds at one moment: the sound goes on where it was.
            time_s = run.end_s if time_s is None else max(time_s, run.end_s)
            run = None
        if run is None:
            run = self._run = _Run(time_s or 0.0, block.rate_hz, self._rate_hz)
        yield from run.push(mix(block.samples, block.speakers))

    def end(self) -> Iterator[Piece]:
        """What the resampler still holds."""
        if self._run is not None:
            yield from self._run.end()


class _Run:
    """Sound without a gap, and of one rate."""

    def __init__(self, time_s: float, from_hz: int, to_hz: int) -> None:
        from av import AudioResampler

        self.from_hz = from_hz
        self._to_hz = to_hz
        self._time_s = time_s
        self._n_in = self._n_out = 0
        self._resampler = AudioResampler(format="fltp", layout="mono", rate=to_hz)

    @property
    def end_s(self) -> float:
        """When the sample after its last one would be heard."""
        return self._time_s + self._n_in / self.from_hz

    def push(self, samples: NDArray[np.float32]) -> Iterator[Piece]:
        """`samples` `[n]` of the source's rate."""
        from av import AudioFrame

        self._n_in += len(samples)
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="fltp", layout="mono")
        frame.sample_rate = self.from_hz
        yield from self._pieces(frame)

    def end(self) -> Iterator[Piece]:
        """The last of it."""
        if self._n_in:
            yield from self._pieces(None)

    def _pieces(self, frame: AudioFrame | None) -> Iterator[Piece]:
        for made in self._resampler.resample(frame):
            samples = made.to_ndarray()[0]
            yield Piece(self._time_s + self._n_out / self._to_hz, samples)
            self._n_out += len(samples)
