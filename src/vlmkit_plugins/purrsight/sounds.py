"""What a cat says, synthesised: purr, hiss, growl, chirp, meow, trill, or nothing but the room.

Every sound lies over room tone, so that "silent" is a quiet room and never digital zeros. Voices are wavetables:
one period with all its harmonics, read at a pitch that glides; which harmonics are strong depends on the throat.
"""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
SHORTEST_S, LONGEST_S = 2.0, 4.0

Waveform = NDArray[np.float32]
"""Mono `[n]`, within -1..1."""

_TABLE = 8_192
_TOP_HZ = 7_400.0  # no harmonic above it, so that none folds back from half the rate
_BLOCK = 80  # samples between two values of a slow curve; 5 ms


def sound(voice: str, rng: np.random.Generator, seconds: float) -> Waveform:
    """`seconds` of a cat with this `vocalization`, at `RATE_HZ`."""
    n = round(seconds * RATE_HZ)
    heard = _room(n, rng)
    if voice in VOICES:
        call = VOICES[voice](n, rng)
        level = 10 ** (rng.uniform(-20, -6) / 20)
        heard += _echo(call, rng) * np.float32(level / max(1e-9, float(np.abs(call).max())))
    _click(heard, rng)
    peak = float(np.abs(heard).max())
    return heard if peak < 0.98 else heard * np.float32(0.98 / peak)


def write_wav(path: Path, samples: Waveform) -> None:
    """Mono 16-bit PCM at `RATE_HZ`."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((samples * 32767).round().astype("<i2").tobytes())


def _purr(n: int, rng: np.random.Generator) -> Waveform:
    """25 to 30 pulses a second through most of the time, deeper and shallower with the breath."""
    breath = 0.5 + 0.5 * np.sin(2 * np.pi * (_seconds(n) * rng.uniform(0.6, 1.0) + rng.random()))
    pitch_hz = rng.uniform(25, 30) * (1 + 0.03 * (breath - 0.5)) * (1 + 0.01 * _drift(n, 3, rng))
    order = np.arange(1, 36)
    throat = np.exp(-(((order * 27 - rng.uniform(120, 200)) / rng.uniform(130, 200)) ** 2)) + 0.25 / order
    phase = _phase(pitch_hz)
    pulse = 0.35 + 0.65 * (0.5 + 0.5 * np.cos(2 * np.pi * phase)) ** 2
    rough = _shaped(n, 80, 900, rng) * 0.35
    loud = (0.45 + 0.55 * breath).astype(np.float32)
    return (_read(_table(throat, rng), phase) + rough) * pulse.astype(np.float32) * loud


def _growl(n: int, rng: np.random.Generator) -> Waveform:
    """One or two long, low, rough notes that rise and fall slowly."""
    out = np.zeros(n, np.float32)
    for start, length in _times(n, rng, (0.9, 2.4), (0.15, 0.4), int(rng.integers(1, 3))):
        bend = 1 + rng.uniform(0.15, 0.4) * np.sin(np.pi * np.linspace(0, 1, length))
        pitch_hz = rng.uniform(95, 170) * bend * (1 + 0.05 * _drift(length, 40, rng))
        order = np.arange(1, 25)
        throat = np.exp(-(((order * 120 - rng.uniform(450, 800)) / 600) ** 2)) + 0.3 / order
        rough = 1 + 0.45 * _drift(length, 60, rng)
        note = _read(_table(throat, rng), _phase(pitch_hz)) + 0.15 * _shaped(length, 200, 2_500, rng)
        out[start : start + length] += note * rough.astype(np.float32) * _envelope(length, 0.2, 0.3)
    return out


def _hiss(n: int, rng: np.random.Generator) -> Waveform:
    """One to three bursts of high noise that set in at once."""
    out = np.zeros(n, np.float32)
    for start, length in _times(n, rng, (0.35, 1.1), (0.15, 0.5), int(rng.integers(1, 4))):
        low_hz = rng.uniform(1_300, 2_200)
        burst = _shaped(length, low_hz, rng.uniform(5_500, 7_500), rng)
        out[start : start + length] += burst * _envelope(length, 0.04, 0.5)
    return out


def _meow(n: int, rng: np.random.Generator) -> Waveform:
    """One to three notes of 0.5 to 1 s that rise and fall, the mouth opening and closing: m, e, ow."""
    out = np.zeros(n, np.float32)
    base_hz = rng.uniform(380, 560)
    for start, length in _times(n, rng, (0.5, 1.0), (0.15, 0.6), int(rng.integers(1, 4))):
        knots = base_hz * np.array([1.0, rng.uniform(1.25, 1.5), rng.uniform(1.3, 1.6), rng.uniform(0.8, 1.0)])
        pitch_hz = np.interp(np.linspace(0, 3, length), np.arange(4), knots) * (1 + 0.008 * _drift(length, 8, rng))
        phase = _phase(pitch_hz)
        notes = [_read(_throat(base_hz * 1.6, formants, rng), phase) for formants in _MOUTHS]
        at = np.linspace(0, 2, length, dtype=np.float32)
        mixed = sum(note * np.maximum(0, 1 - np.abs(at - k)) for k, note in enumerate(notes))
        out[start : start + length] += mixed * _envelope(length, 0.12, 0.3)
    return out


def _chirp(n: int, rng: np.random.Generator) -> Waveform:
    """Four to nine short rising notes, cut apart."""
    out = np.zeros(n, np.float32)
    base_hz, rise = rng.uniform(700, 1_000), rng.uniform(1.6, 2.2)
    for start, length in _times(n, rng, (0.07, 0.13), (0.09, 0.2), int(rng.integers(4, 10))):
        pitch_hz = base_hz * rng.uniform(0.95, 1.05) * rise ** np.linspace(0, 1, length)
        note = _read(_table(np.array([1, 0.35, 0.12]), rng), _phase(pitch_hz))
        out[start : start + length] += note * _envelope(length, 0.1, 0.25)
    return out


def _trill(n: int, rng: np.random.Generator) -> Waveform:
    """One to three rolled notes: pitch and loudness flutter 22 to 32 times a second."""
    out = np.zeros(n, np.float32)
    base_hz = rng.uniform(380, 620)
    for start, length in _times(n, rng, (0.45, 0.9), (0.2, 0.6), int(rng.integers(1, 4))):
        flutter = np.sin(2 * np.pi * rng.uniform(22, 32) * _seconds(length))
        pitch_hz = base_hz * np.linspace(1, rng.uniform(1.1, 1.45), length) * (1 + 0.09 * flutter)
        note = _read(_throat(base_hz, (900.0, 2_000.0), rng), _phase(pitch_hz))
        rolled = (0.5 + 0.5 * flutter).astype(np.float32) ** 2
        out[start : start + length] += note * (0.06 + 0.94 * rolled) * _envelope(length, 0.08, 0.2)
    return out


VOICES: dict[str, Callable[[int, np.random.Generator], Waveform]] = {
    "purr": _purr,
    "hiss": _hiss,
    "growl": _growl,
    "chirp": _chirp,
    "meow": _meow,
    "trill": _trill,
}
"""How each vocalization but "silent" is made: samples and chance to a waveform of any level."""
_MOUTHS = ((320.0, 1_000.0), (850.0, 2_100.0), (600.0, 1_000.0))  # formants in Hz of m, e, ow


def _room(n: int, rng: np.random.Generator) -> Waveform:
    """Soft noise that falls with frequency, and the hum of the mains."""
    level = 10 ** (rng.uniform(-62, -46) / 20)
    tone = _shaped(n, 0, 7_500, rng, tilt=float(rng.uniform(0.3, 0.8)))
    tone /= np.float32(max(1e-9, float(np.abs(tone).max())))
    hum = np.sin(2 * np.pi * (50 if rng.random() < 0.5 else 60) * _seconds(n)) * rng.uniform(0, 0.3)
    return ((tone + hum.astype(np.float32)) * np.float32(level)).astype(np.float32)


def _click(heard: Waveform, rng: np.random.Generator) -> None:
    """Now and then something knocks: no more than 10 ms each."""
    for _ in range(int(rng.integers(0, 4)) if rng.random() < 0.4 else 0):
        length = int(rng.integers(30, 160))
        start = int(rng.integers(0, len(heard) - length))
        fall = np.exp(-np.linspace(0, 6, length))
        heard[start : start + length] += (rng.standard_normal(length) * fall * rng.uniform(0.01, 0.08)).astype(
            np.float32
        )


def _echo(call: Waveform, rng: np.random.Generator) -> Waveform:
    out = call.copy()
    strength = rng.uniform(0, 0.35)
    for delay_s in (0.023, 0.041, 0.067):
        late = int(delay_s * rng.uniform(0.8, 1.2) * RATE_HZ)
        out[late:] += call[:-late] * np.float32(strength)
        strength *= 0.6
    return out


def _times(
    n: int, rng: np.random.Generator, length_s: tuple[float, float], gap_s: tuple[float, float], most: int
) -> list[tuple[int, int]]:
    """Start and length in samples of up to `most` notes that fit, the first within the first part of the time."""
    lengths = [int(rng.uniform(*length_s) * RATE_HZ) for _ in range(most)]
    gaps = [int(rng.uniform(*gap_s) * RATE_HZ) for _ in range(most)]
    while len(lengths) > 1 and sum(lengths) + sum(gaps) > n:
        lengths.pop()
        gaps.pop()
    lengths[0] = min(lengths[0], n - 1)
    start = int(rng.uniform(0, max(1, n - sum(lengths) - sum(gaps[:-1]))))
    out = []
    for length, gap in zip(lengths, gaps, strict=True):
        out.append((start, min(length, n - start)))
        start += length + gap
    return out


def _seconds(n: int) -> NDArray[np.float64]:
    return np.arange(n) / RATE_HZ


def _phase(pitch_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.cumsum(pitch_hz) / RATE_HZ


def _drift(n: int, rate_hz: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A slow random curve around 0, mostly within -1..1, `rate_hz` knots a second."""
    knots = max(2, round(n / RATE_HZ * rate_hz) + 2)
    heights = rng.normal(0, 0.6, knots).clip(-1.5, 1.5)
    return np.asarray(np.interp(np.linspace(0, knots - 1, n), np.arange(knots), heights))


def _table(strengths: NDArray[np.float64], rng: np.random.Generator) -> Waveform:
    """One period of a note whose k-th harmonic has `strengths[k - 1]`, peak 1."""
    spectrum = np.zeros(_TABLE // 2 + 1, np.complex128)
    spectrum[1 : len(strengths) + 1] = strengths * np.exp(2j * np.pi * rng.random(len(strengths)))
    table = np.fft.irfft(spectrum, _TABLE)
    return np.asarray(table / np.abs(table).max(), np.float32)


def _throat(top_pitch_hz: float, formants_hz: tuple[float, float], rng: np.random.Generator) -> Waveform:
    order = np.arange(1, max(2, int(_TOP_HZ / (top_pitch_hz * 1.6))) + 1)
    at_hz = order * top_pitch_hz
    shape = sum(gain * np.exp(-(((at_hz - hz) / 450) ** 2)) for hz, gain in zip(formants_hz, (1.0, 0.6), strict=True))
    return _table(np.asarray(shape) + 0.25 / order, rng)


def _read(table: Waveform, phase: NDArray[np.float64]) -> Waveform:
    return table[(phase * _TABLE).astype(np.int64) % _TABLE]


def _shaped(n: int, low_hz: float, high_hz: float, rng: np.random.Generator, tilt: float = 0.0) -> Waveform:
    """Noise between two frequencies, peak about 1; `tilt` makes its amplitude fall as frequency to that power."""
    longer = -(-n // 2_000) * 2_000  # of small factors: transforms of a prime length are several times slower
    spectrum = np.fft.rfft(rng.standard_normal(longer, np.float32))
    at_hz = np.fft.rfftfreq(longer, 1 / RATE_HZ)
    below, above = ((away / 150.0).clip(-30, 30) for away in (low_hz - at_hz, at_hz - high_hz))
    gate = 1 / ((1 + np.exp(below)) * (1 + np.exp(above)) * np.maximum(at_hz, 40.0) ** tilt)
    noise = np.fft.irfft(spectrum * gate, longer)[:n]
    return np.asarray(noise / (3.5 * noise.std() + 1e-12), np.float32)


def _envelope(n: int, rise: float, fall: float) -> Waveform:
    """0 to 1 over the first share of the time, back to 0 over the last."""
    share = np.linspace(0, 1, n, dtype=np.float32)
    return np.asarray(np.minimum(1, np.minimum(share / rise, (1 - share) / fall)) ** 0.8, np.float32)
