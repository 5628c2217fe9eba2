from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from vlmkit.media.audio import open_audio
from vlmkit.media.spec import AudioSpec
from vlmkit.types import Sound
from vlmkit_plugins.purrsight.schema import NOT_OBSERVED, VOCABULARY
from vlmkit_plugins.purrsight.sounds import RATE_HZ, VOICES, Waveform, sound, write_wav

ALL = [str(voice) for voice in VOCABULARY["vocalization"] if voice != NOT_OBSERVED]
BANDS_HZ = (0, 120, 250, 500, 900, 1_400, 2_000, 3_000, 4_500, 6_500, 8_000)


def bands(samples: Waveform) -> NDArray[np.float64]:
    """Level in dB of each band in each 32 ms, `[frames, bands]`."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, 512)[::160] * np.hanning(512)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    edges = np.searchsorted(np.fft.rfftfreq(512, 1 / RATE_HZ), BANDS_HZ)
    return 10 * np.log10(np.add.reduceat(power, edges[:-1], axis=1) + 1e-9)


def features(samples: Waveform) -> NDArray[np.float64]:
    """Shape of the loudest spectrum, how long it lasts, how fast it flutters."""
    levels = bands(samples)
    loud = levels.max(axis=1)
    active = loud > np.percentile(loud, 10) + 0.5 * (loud.max() - np.percentile(loud, 10))
    shape = levels[active].mean(axis=0)
    flutter = np.abs(np.diff(levels[active], axis=0)).mean() if active.sum() > 1 else 0.0
    contrast = shape.max() - np.median(levels)
    runs = int((np.diff(active.astype(int)) == 1).sum())
    return np.concatenate([shape - shape.mean(), [30 * active.mean(), 3 * flutter, contrast, 3 * runs]])


@pytest.mark.parametrize("voice", ALL)
@pytest.mark.parametrize("seconds", [2.0, 3.7])
def test_a_sound_is_never_digital_zeros_and_never_clipped(voice: str, seconds: float) -> None:
    for seed in range(3):
        samples = sound(voice, np.random.default_rng(seed), seconds)
        assert samples.dtype == np.dtype(np.float32)
        assert samples.shape == (round(seconds * RATE_HZ),)
        assert np.isfinite(samples).all()
        assert np.abs(samples).max() < 0.99
        quietest = np.abs(samples[: len(samples) // 400 * 400]).reshape(-1, 400).max(axis=1).min()
        assert quietest > 10 ** (-80 / 20)


def test_every_vocalization_has_a_voice_but_silent() -> None:
    assert set(VOICES) == set(ALL) - {"silent"}


def test_voices_stand_out_of_the_room() -> None:
    for voice in VOICES:
        for seed in range(3):
            quiet = sound("silent", np.random.default_rng([1, seed]), 2.0)
            called = sound(voice, np.random.default_rng([1, seed]), 2.0)
            assert called.std() > 3 * quiet.std(), voice


def test_simple_features_tell_the_voices_apart() -> None:
    known, asked = (
        {v: [features(sound(v, np.random.default_rng([s, k, i]), 2.5)) for i in range(n)] for k, v in enumerate(ALL)}
        for s, n in ((0, 8), (1, 5))
    )
    rows = np.concatenate([known[voice] for voice in ALL])
    names = np.repeat(ALL, 8)
    spread = rows.std(axis=0)
    hits = [
        names[np.argmin((((rows - row) / spread) ** 2).sum(axis=1))] == voice for voice in ALL for row in asked[voice]
    ]
    assert np.mean(hits) > 0.9


def test_a_purr_beats_25_to_30_times_a_second() -> None:
    for seed in range(4):
        samples = sound("purr", np.random.default_rng(seed), 4.0)
        loud = np.abs(samples).reshape(-1, 40).mean(axis=1)  # 400 values a second
        beat = np.abs(np.fft.rfft(loud - loud.mean()))
        at_hz = np.fft.rfftfreq(len(loud), 1 / 400)
        fast = (at_hz > 10) & (at_hz < 45)
        assert 24 <= at_hz[fast][beat[fast].argmax()] <= 31


def test_a_seed_fixes_a_sound() -> None:
    one, again, other = (sound("trill", np.random.default_rng(seed), 2.0) for seed in (4, 4, 5))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_wav_files_open_as_they_were_written(tmp_path: Path) -> None:
    samples = sound("growl", np.random.default_rng(8), 2.5)
    write_wav(tmp_path / "growl.wav", samples)
    heard = open_audio(Sound(tmp_path / "growl.wav"), AudioSpec(rate_hz=RATE_HZ, window_s=2.0))
    assert (heard.source_rate_hz, heard.channels, heard.notes) == (RATE_HZ, 1, ())
    assert np.abs(heard.samples - samples).max() < 1e-4
