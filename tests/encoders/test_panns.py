"""Cnn14 as an encoder: windows, times, missing sound, and what is refused."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.encoders.cnn14 import narrow
from tests.media import films, sounds
from vlmkit.encoders.panns import VARIANTS, Cnn14, LogMel, Panns, PannsConfig
from vlmkit.errors import MediaError, MissingExtraError, WiringError
from vlmkit.media import AudioSpec
from vlmkit.prepared import prepare
from vlmkit.types import Batch, Clip, Features, Media, Modality, Sample, Sound

RATE_HZ = 8_000
SPEC = AudioSpec(rate_hz=RATE_HZ, window_s=1.0, min_s=0.32)


def encoder(spec: AudioSpec = SPEC) -> Panns:
    return Panns(narrow(), audio=spec)


def noise(seconds: float, seed: int = 0, offset_s: float = 0.0) -> Sound:
    """As loud as its seed says, so that a small network tells two of them apart."""
    samples = sounds.noise(round(seconds * RATE_HZ), level=0.2 * 0.3**seed, seed=seed)
    return Sound(samples, rate_hz=RATE_HZ, offset_s=offset_s)


def sample(**media: Media) -> Sample:
    named: dict[Modality, Media] = {"audio": media["audio"]} if "audio" in media else {}
    return Sample("one", {**named, **({"video": media["video"]} if "video" in media else {})})


def rows(reader: Panns, *samples: Sample) -> Features:
    made = tuple(reader.transform(one, "audio") or {} for one in samples)
    with torch.inference_mode():
        return reader.encode(Batch(samples, made))["audio"]


def test_a_sound_gives_one_row_a_window_with_its_middle() -> None:
    found = rows(encoder(), sample(audio=noise(2.5, offset_s=10)))
    assert found.lengths == (3,) and found.values.shape == (3, 8)
    assert found.times_s is not None
    assert found.times_s.tolist() == pytest.approx([10.5, 11.5, 12.0])  # the last window ends with the sound


def test_a_batch_of_many_lengths_is_many_batches_of_one() -> None:
    reader = encoder()
    samples = [sample(audio=noise(seconds, seed)) for seed, seconds in enumerate((0.4, 2.5, 0.7, 1.0, 0.4))]
    samples.insert(2, Sample("silent"))
    together = rows(reader, *samples)
    assert together.lengths == (1, 3, 0, 1, 1, 1)
    alone = torch.cat([rows(reader, one).values for one in samples])
    assert together.values.std(0).max() > 0.1  # else any rows would be equal
    torch.testing.assert_close(together.values, alone, rtol=0, atol=1e-5)


def test_the_sound_track_of_a_film_is_read_on_the_films_clock() -> None:
    track = sounds.noise(2 * RATE_HZ)
    clip = Clip(sounds.sounding_film(75, samples=track, rate_hz=RATE_HZ, sound_s=0.5))
    found = rows(encoder(), sample(video=clip))
    assert found.times_s is not None
    assert found.times_s.tolist() == pytest.approx([1.0, 2.0], abs=1e-3)
    torch.testing.assert_close(found.values, rows(encoder(), sample(audio=noise(2.0))).values, rtol=0, atol=1e-4)


def test_a_film_without_a_track_is_a_note() -> None:
    reader = encoder()
    for clip in (Clip(films.film(10)), Clip(np.zeros((2, 8, 8, 3), dtype=np.uint8), fps=1.0)):
        made = reader.transform(sample(video=clip), "audio")
        assert made is not None and set(made) == {"notes"}
        (note,) = made["notes"]
        assert (note.code, note.where, note.fatal) == ("no_sound_track", "audio", False)
    assert reader.transform(Sample("nothing"), "audio") is None
    assert rows(reader, Sample("nothing")).values.shape == (0, 8)


def test_a_sound_of_its_own_wins_over_the_films() -> None:
    clip = Clip(sounds.sounding_film(75, samples=sounds.noise(2 * RATE_HZ), rate_hz=RATE_HZ))
    other = noise(2.0, seed=1)
    found = rows(encoder(), sample(audio=other, video=clip))
    assert torch.equal(found.values, rows(encoder(), sample(audio=other)).values)
    assert not torch.allclose(found.values, rows(encoder(), sample(video=clip)).values, atol=0.01)


def test_a_sound_that_cannot_be_used_is_a_media_error(tmp_path: Path) -> None:
    reader = encoder()
    lost = Sound(tmp_path / "no.wav")
    for film in (None, Clip(films.film(10)), Clip(tmp_path / "no.mp4")):  # none of them has a track to read instead
        with pytest.raises(MediaError, match=r"no\.wav") as missing:
            reader.transform(sample(audio=lost, **({} if film is None else {"video": film})), "audio")
        assert missing.value.reason == "missing"
    with pytest.raises(MediaError) as short:
        reader.transform(sample(audio=noise(0.3)), "audio")
    assert short.value.reason == "too_short"
    with pytest.raises(MediaError, match="a Sound was wanted; given Clip"):
        reader.transform(sample(audio=Clip(films.film(10))), "audio")


def test_a_film_is_heard_where_the_sound_beside_it_cannot_be_used(tmp_path: Path) -> None:
    reader = encoder()
    clip = Clip(sounds.sounding_film(75, samples=sounds.noise(2 * RATE_HZ), rate_hz=RATE_HZ))
    for bad in (Sound(tmp_path / "no.wav"), noise(0.3), clip):
        with pytest.raises(MediaError) as alone:
            reader.transform(sample(audio=bad), "audio")
        one = sample(audio=bad, video=clip)
        made = reader.transform(one, "audio") or {}
        (note,) = made["notes"]
        assert (note.code, note.where, note.fatal) == (f"media_{alone.value.reason}", "audio", False)
        assert note.message == str(alone.value)
        assert torch.equal(rows(reader, one).values, rows(reader, sample(video=clip)).values)
        prepared = prepare(one, [reader], [True], frozenset({"audio"}))
        assert prepared.usable and prepared.seen == {"audio"} and prepared.problems == (note,)


def test_the_shortest_sound_goes_through() -> None:
    for config in VARIANTS.values():
        assert config.min_s == pytest.approx(0.32)
        network = Cnn14(replace(config, channels=(1, 1, 1, 1, 1, 1))).eval()
        assert network(LogMel(config)(torch.zeros(1, config.least_samples))).shape == (1, 1)
        with pytest.raises(RuntimeError):
            network(LogMel(config)(torch.zeros(1, config.least_samples - 1)))
    reader = encoder()
    shortest = Sound(sounds.noise(round(0.32 * RATE_HZ) - 1), rate_hz=RATE_HZ)  # open_audio allows for one sample
    assert rows(reader, sample(audio=shortest)).lengths == (1,)


def test_a_spec_that_does_not_fit_is_refused() -> None:
    with pytest.raises(WiringError, match=r"8000 Hz, and the spec asks for 16000 Hz; set AudioSpec\(rate_hz=8000\)"):
        encoder(AudioSpec(rate_hz=16_000, min_s=0.32))
    with pytest.raises(WiringError, match=r"needs 0.32 s of sound, and the spec lets 0.1 s through"):
        encoder(AudioSpec(rate_hz=RATE_HZ, min_s=0.1))


def test_serving_changes_nothing_in_the_network() -> None:
    reader = encoder()
    before = {name: value.clone() for name, value in reader.module.state_dict().items()}
    first = rows(reader, sample(audio=noise(1.0)))
    assert torch.equal(first.values, rows(reader, sample(audio=noise(1.0))).values)
    assert all(torch.equal(value, before[name]) for name, value in reader.module.state_dict().items())


def test_half_precision_leaves_the_front_end_alone() -> None:
    reader = encoder()
    wanted = rows(reader, sample(audio=noise(1.0))).values
    reader.module.to(torch.bfloat16)
    found = rows(reader, sample(audio=noise(1.0))).values
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), wanted, rtol=0.1, atol=0.1)


def test_the_spec_is_json_that_replays() -> None:
    spec = json.loads(json.dumps(encoder().spec))["audio"]
    assert PannsConfig.from_json(spec["network"]) == narrow().config
    assert AudioSpec.from_json(spec["sound"]) == SPEC


def test_every_weight_takes_part() -> None:
    network = narrow().train()
    network(LogMel(network.config)(torch.randn(2, RATE_HZ))).sum().backward()
    assert all(value.grad is not None for value in network.parameters())


def test_silence_is_the_floor_and_twice_as_loud_is_six_decibels() -> None:
    config = VARIANTS["8k"]
    mel = LogMel(config)
    assert torch.equal(mel(torch.zeros(1, RATE_HZ)), torch.full((1, 1, 101, 64), -100.0))
    sound = torch.from_numpy(sounds.noise(RATE_HZ))
    assert (mel(2 * sound) - mel(sound)).mean().item() == pytest.approx(6.0206, abs=1e-3)
    legacy = LogMel(replace(config, front="legacy"))
    assert (legacy(2 * sound) - legacy(sound)).mean().item() == pytest.approx(3.0103, abs=1e-3)


def test_the_legacy_head_is_a_mean_without_relu() -> None:
    network = narrow()
    legacy = Cnn14(replace(network.config, front="legacy")).eval()
    legacy.load_state_dict(network.state_dict())
    decibels = torch.randn(4, 1, 40, 64) * 10 - 30
    with torch.inference_mode():
        modern, old = network(decibels), legacy(decibels)
    assert modern.min() >= 0 and old.min() < 0


@pytest.mark.parametrize(
    "change",
    [
        {"front": "magnitude"},
        {"channels": ()},
        {"channels": (0,)},
        {"n_mels": 16},
        {"high_hz": 20_000},
        {"low_hz": 9_000, "high_hz": 8_000},
    ],
)
def test_figures_that_make_no_network_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"wanted|unknown|need"):
        PannsConfig(**{**VARIANTS["16k"].to_json(), **change})
    with pytest.raises(ValueError, match="unknown or missing: hop"):
        PannsConfig.from_json({**VARIANTS["16k"].to_json(), "hop": 1})


def test_without_torchaudio_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'vlmkit\[audio\]'"):
        encoder()
