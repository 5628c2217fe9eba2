"""Sounds that are sound: the right samples at the right times and levels, whatever holds them."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.media.films import SPEC as FILM_SPEC
from tests.media.films import film, written
from tests.media.sounds import coded, noise, sounding_film, strength, tone, wav
from vlmkit.media import AudioSpec, Waveform, open_audio, open_video, windows
from vlmkit.media.film import FileFilm
from vlmkit.media.mono import mix
from vlmkit.media.sound import first_picture_s
from vlmkit.types import Clip, Sound

SPEC = AudioSpec(rate_hz=16_000, window_s=1.0)
KINDS: dict[str, dict[str, Any]] = {
    "wav": {"container": "wav", "codec": "pcm_s16le"},
    "wav, 8 bits": {"container": "wav", "codec": "pcm_u8"},
    "wav, 24 bits": {"container": "wav", "codec": "pcm_s24le"},
    "wav, fractions": {"container": "wav", "codec": "pcm_f32le"},
    "aiff": {"container": "aiff", "codec": "pcm_s16be"},
    "wave64": {"container": "w64", "codec": "pcm_s16le"},
    "caf": {"container": "caf", "codec": "pcm_s16le"},
    "flac": {"container": "flac", "codec": "flac"},
    "mp3": {"container": "mp3", "codec": "libmp3lame"},
    "m4a": {"container": "ipod", "codec": "aac"},
    "aac": {"container": "adts", "codec": "aac"},
    "opus": {"container": "ogg", "codec": "libopus"},
    "matroska": {"container": "matroska", "codec": "aac"},
}


def codes(heard: Waveform) -> list[str]:
    return [note.code for note in heard.notes]


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_gives_the_tone_that_was_recorded(name: str) -> None:
    stereo = np.concatenate([tone(1000, 2 * 48_000, 48_000)] * 2)
    heard = open_audio(Sound(coded(stereo, 48_000, layout="stereo", **KINDS[name])), SPEC)
    level = 0.5 * (0.95 if name == "mp3" else 1)  # what LAME does on purpose
    assert strength(heard.samples[1000:-1000], 1000, 16_000) == pytest.approx(level, rel=0.01)
    assert heard.duration_s == pytest.approx(2.0, abs=0.05)  # frames of lossy codecs are whole
    assert (heard.source_rate_hz, heard.channels, heard.start_s) == (48_000, 2, 0.0)
    assert codes(heard) == []
    assert heard.samples.dtype == np.float32


@pytest.mark.parametrize("from_hz", [8_000, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("to_hz", [16_000, 32_000])
def test_resampling_keeps_length_frequency_and_level(from_hz: int, to_hz: int) -> None:
    for hz in (100.0, 1000.0, 3000.0):
        heard = open_audio(Sound(tone(hz, from_hz, from_hz), rate_hz=from_hz), replace(SPEC, rate_hz=to_hz))
        assert len(heard.samples) == to_hz
        exact = tone(hz, to_hz, to_hz)[0]
        assert np.abs(heard.samples - exact)[300:-300].max() < 1e-4  # in phase, too: nothing is delayed


def test_what_the_rate_cannot_hold_is_taken_out_and_not_folded_down() -> None:
    heard = open_audio(Sound(tone(11_000, 44_100, 44_100), rate_hz=44_100), SPEC)
    assert strength(heard.samples[500:-500], 16_000 - 11_000, 16_000) < 1e-4


def test_path_bytes_and_array_agree(tmp_path: Path) -> None:
    content = wav(noise())
    from_bytes = open_audio(Sound(content), SPEC)
    for name in ("sound.wav", "odd:name.mp4"):
        path = written(tmp_path, content, name)
        for source in (path, str(path)):
            np.testing.assert_array_equal(open_audio(Sound(source), SPEC).samples, from_bytes.samples)
    from_array = open_audio(Sound(noise(), rate_hz=16_000), SPEC)
    assert np.abs(from_array.samples - from_bytes.samples).max() <= 1 / 32_000
    assert open_audio(Sound(noise().astype(np.float64), rate_hz=16_000), SPEC).samples.dtype == np.float32


@pytest.mark.parametrize("sample", ["s16", "flt"])
def test_a_mono_mix_is_as_loud_as_its_channels(sample: str) -> None:
    """Left and right alike give that level, one side alone gives half of it, whatever the format of the file."""
    codec = {"s16": "pcm_s16le", "flt": "pcm_f32le"}[sample]
    for right, level in ((0.5, 0.5), (0.0, 0.25), (-0.25, 0.125)):
        stereo = np.concatenate([tone(), tone(level=right)])
        heard = open_audio(Sound(coded(stereo, 16_000, "wav", codec, "stereo")), SPEC)
        assert strength(heard.samples, 440, 16_000) == pytest.approx(level, rel=1e-3)


@pytest.mark.parametrize("layout", ["3.0", "4.0", "quad", "5.0", "5.1", "5.1(side)", "7.1"])
def test_surround_is_weighted_as_libswresample_does(layout: str) -> None:
    n = av.AudioLayout(layout).nb_channels
    names = [channel.name for channel in av.AudioLayout(layout).channels]
    channels = np.concatenate([noise(4000, level=0.1 * (1 + i % 5), seed=i) for i in range(n)])
    packed = np.ascontiguousarray(channels.T.reshape(1, -1))
    frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
    frame.sample_rate = 16_000
    [theirs] = av.AudioResampler(format="s32p", layout="mono", rate=16_000).resample(frame)  # integers: never louder
    assert np.abs(mix(channels, names) - theirs.to_ndarray()[0] / 2**31).max() < 1e-6


def test_five_channels_and_a_bass_are_mixed_and_said() -> None:
    channels = np.concatenate([tone(200 * (i + 1), 48_000, 48_000, level=0.4) for i in range(6)])
    heard = open_audio(Sound(coded(channels, 48_000, "flac", "flac", "5.1")), SPEC)
    assert (heard.channels, codes(heard)) == (6, ["downmixed"])
    assert "6 channels" in heard.notes[0].message
    front, centre, bass, back = (strength(heard.samples, hz, 16_000) for hz in (200, 600, 800, 1000))
    assert centre == pytest.approx(0.4 / 3.414, rel=0.01)
    assert (front / centre, back / centre) == pytest.approx((0.707, 0.5), rel=0.01)
    assert bass < 1e-3  # low-frequency effects belong to no mono mix


@pytest.mark.parametrize(("layout", "codec"), [("7.1", "libopus"), ("hexadecagonal", "aac")])
def test_many_planes_do_not_bring_the_process_down(layout: str, codec: str) -> None:
    """`AudioFrame.to_ndarray` of PyAV 18.1 does, from eight planes on."""
    n = av.AudioLayout(layout).nb_channels
    channels = np.concatenate([tone(200 * (i + 1), 12_000, 48_000, level=0.3) for i in range(n)])
    heard = open_audio(Sound(coded(channels, 48_000, "matroska", codec, layout)), SPEC)
    assert heard.channels == n
    assert strength(heard.samples, 200, 16_000) > 0.01


def test_channels_without_names_count_alike() -> None:
    channels = np.concatenate([tone(200 * (i + 1), level=0.4) for i in range(4)])
    for source in (Sound(wav(channels)), Sound(channels, rate_hz=16_000)):
        heard = open_audio(source, SPEC)
        assert codes(heard) == ["downmixed"]
        for hz in (200, 400, 600, 800):
            assert strength(heard.samples, hz, 16_000) == pytest.approx(0.1, rel=0.01)


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
@pytest.mark.parametrize(("start_s", "end_s"), [(0.5, 1.25), (None, 0.7), (1.0, None), (0.1, 0.30001), (0.0, 2.0)])
def test_a_part_is_cut_out_to_the_sample(rate_hz: int, start_s: float | None, end_s: float | None) -> None:
    content = wav(noise(2 * rate_hz), rate_hz)
    whole = open_audio(Sound(content), SPEC).samples
    part = open_audio(Sound(content, start_s=start_s, end_s=end_s), SPEC)
    first, last = round((start_s or 0) * 16_000), int(np.ceil((end_s or 2) * 16_000 - 1e-6))
    np.testing.assert_array_equal(part.samples, whole[first:last])
    assert part.start_s == pytest.approx(0, abs=1e-9)
    assert part.duration_s == (last - first) / 16_000


def test_two_parts_make_the_whole() -> None:
    content = coded(noise(2 * 44_100), 44_100, "ipod", "aac")
    parts = [open_audio(Sound(content, start_s=a, end_s=b), SPEC) for a, b in ((0, 0.77), (0.77, 1.9))]
    joined = np.concatenate([part.samples for part in parts])
    np.testing.assert_array_equal(joined, open_audio(Sound(content, end_s=1.9), SPEC).samples)


@pytest.mark.parametrize(
    ("options", "start_s"),
    [
        ({}, 0.0),
        ({"sound_s": 0.5}, 0.5),
        ({"picture_s": 0.48}, -0.48),
        ({"picture_s": 1.0, "sound_s": 1.2}, 0.2),
        ({"container": "mpegts", "codec": "mp2", "rate_hz": 48_000, "sound_s": 0.24}, 0.24),
    ],
)
def test_a_sound_track_keeps_its_place_beside_the_pictures(options: dict[str, Any], start_s: float) -> None:
    rate_hz = options.get("rate_hz", 16_000)
    samples = noise(2 * rate_hz)
    content = sounding_film(50, samples=samples, **options)
    heard = open_audio(Clip(content), replace(SPEC, rate_hz=rate_hz))
    part = samples[0, 4000:12_000] / np.linalg.norm(samples[0, 4000:12_000])
    at = int(np.correlate(heard.samples[: 3 * 8000], part, "valid").argmax())
    assert heard.start_s + (at - 4000) / rate_hz == pytest.approx(start_s, abs=1.1e-3)  # Matroska counts in ms
    if "codec" not in options:
        assert heard.start_s == pytest.approx(start_s, abs=1.1e-3)


def test_a_part_of_a_film_is_cut_on_the_films_clock() -> None:
    samples = noise(2 * 16_000)
    content = sounding_film(50, samples=samples, sound_s=0.5)
    heard = open_audio(Clip(content, start_s=1.0, end_s=2.0), SPEC)
    np.testing.assert_allclose(heard.samples, samples[0, 8000:24_000], atol=1e-4)
    assert (heard.start_s, codes(heard)) == (0.0, [])
    late = open_audio(Clip(content, start_s=0.25, end_s=1.25), SPEC)
    assert late.start_s == pytest.approx(0.25)  # the track begins so long after the part does
    assert (late.duration_s, codes(late)) == (0.75, ["short"])


def test_from_zero_on_leaves_out_what_comes_before_the_first_picture() -> None:
    content = sounding_film(50, samples=noise(2 * 16_000), picture_s=0.4)
    assert open_audio(Clip(content), SPEC).start_s == pytest.approx(-0.4)
    assert open_audio(Clip(content, start_s=0.0, end_s=1.0), SPEC).start_s == pytest.approx(0.0)


@pytest.mark.parametrize("container", ["matroska", "mpegts", "mp4"])
def test_sound_and_pictures_mean_the_same_first_picture(container: str) -> None:
    content = film(50, container=container, options={"x264-params": "open-gop=1:keyint=10:bframes=3"})
    index = FileFilm(content, "film")
    assert first_picture_s(content, "film") == pytest.approx(int(index.index.stamps[0]) * index.header.tick_s)


def test_a_film_of_sound_alone_starts_with_its_sound() -> None:
    heard = open_audio(Clip(coded(noise(48_000), 48_000, "matroska", "aac")), SPEC)
    assert heard.start_s == 0.0


def test_a_sound_beside_a_film_says_where_it_begins() -> None:
    heard = open_audio(Sound(noise(), rate_hz=16_000, offset_s=1.5), SPEC)
    assert heard.start_s == 1.5
    assert [start_s for start_s, _ in windows(heard, 0.5)] == [1.5, 2.0]


def test_a_film_gives_sound_and_pictures_of_one_part() -> None:
    content = sounding_film(75, samples=noise(3 * 16_000))
    clip = Clip(content, start_s=1.0, end_s=2.0)
    assert open_video(clip, FILM_SPEC).duration_s == open_audio(clip, SPEC).duration_s == 1.0


@pytest.mark.parametrize(
    ("n", "starts"),
    [(1000, [0]), (4000, [0]), (4001, [0, 1]), (8000, [0, 4000]), (9000, [0, 4000, 5000]), (3999, [0])],
)
def test_windows_follow_each_other_and_the_last_ends_with_the_sound(n: int, starts: list[int]) -> None:
    samples = noise(n)[0]
    heard = Waveform(samples, 16_000, n / 16_000, 0.0, 16_000, 1)
    made = windows(heard, 0.25)
    assert [round(start_s * 16_000) for start_s, _ in made] == starts
    for start_s, window in made:
        at = round(start_s * 16_000)
        np.testing.assert_array_equal(window, samples[at : at + 4000])  # nothing is padded
    assert sum(len(window) for _, window in made) >= n


def test_a_longer_sound_is_cut_to_its_head_and_says_so() -> None:
    content = wav(noise(3 * 16_000))
    heard = open_audio(Sound(content, start_s=0.5), replace(SPEC, max_s=1.5, over="head"))
    assert (heard.duration_s, codes(heard)) == (1.5, ["clip_cut"])
    np.testing.assert_array_equal(heard.samples, open_audio(Sound(content, 0.5, 2.0), SPEC).samples)
    assert codes(open_audio(Sound(content), replace(SPEC, max_s=3.0))) == []


def test_a_long_sound_is_read_as_a_stream(tmp_path: Path) -> None:
    second = noise(44_100, seed=1)
    path = written(tmp_path, wav(np.tile(second, 120), 44_100), "long.wav")  # 10 MB
    open_audio(Sound(path, end_s=2.0), SPEC)  # what a first call loads
    tracemalloc.start()
    try:
        heard = open_audio(Sound(path, start_s=110.0, end_s=112.0), SPEC)
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()
    assert len(heard.samples) == 32_000


def test_reading_stops_where_the_part_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    from vlmkit.media import sound

    original = sound._read_block

    def counted(frame: av.AudioFrame, name: str) -> sound.Block:
        seen.append(frame.time or 0.0)
        return original(frame, name)

    monkeypatch.setattr(sound, "_read_block", counted)
    open_audio(Sound(wav(noise(60 * 16_000)), end_s=1.0), SPEC)
    assert max(seen) < 1.5


def test_importing_media_loads_no_decoder() -> None:
    code = "import sys, vlmkit.media; sys.exit(any(name in sys.modules for name in ('av', 'PIL', 'torch')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
