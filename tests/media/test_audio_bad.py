"""Sounds that cannot be used, or only in part: each a typed reason, never a decoder's own exception."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.media.films import film, numbered, written
from tests.media.sounds import coded, noise, sounding_film, tone, wav
from vlmkit.errors import MediaError, MediaReason
from vlmkit.media import AudioSpec, Waveform, open_audio
from vlmkit.media.level import Level
from vlmkit.types import Clip, Sound

SPEC = AudioSpec(rate_hz=16_000, window_s=1.0)


def refusal(source: Sound | Clip, spec: AudioSpec = SPEC) -> MediaError:
    with pytest.raises(MediaError) as caught:
        open_audio(source, spec)
    assert "Errno" not in str(caught.value)
    return caught.value


def codes(heard: Waveform) -> list[str]:
    return [note.code for note in heard.notes]


def note(source: Sound | Clip, code: str, spec: AudioSpec = SPEC) -> str:
    """The message of the one note that there is."""
    [found] = open_audio(source, spec).notes
    assert (found.code, found.where, found.fatal) == (code, "audio", False)
    return found.message


FLAC = coded(noise(96_000), 48_000, "flac", "flac")
M4A = coded(noise(96_000), 48_000, "ipod", "aac")
CONTENTS: dict[str, tuple[bytes, MediaReason]] = {
    "empty": (b"", "empty"),
    "text": (b"no sound at all\n" * 400, "not_media"),
    "noise": (random.Random(0).randbytes(50_000), "not_media"),
    "noise that begins like an mp3": (b"\xff\xfb" + random.Random(0).randbytes(50_000), "corrupt"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), "not_media"),
    "a play list": (b"#EXTM3U\n#EXTINF:5,\nsound.wav\n#EXT-X-ENDLIST\n", "not_media"),
    "a film without sound": (film(5), "no_stream"),
    "no sample": (wav(noise(0)), "empty"),
    "head of a flac": (FLAC[:30], "corrupt"),
    "cut before its index": (M4A[: len(M4A) // 2], "truncated"),
    "a broken index": (M4A.replace(b"stbl", b"xxxx"), "corrupt"),
    "no number": (coded(tone() * np.float32(np.nan), 16_000, "wav", "pcm_f32le"), "corrupt"),
    "integers in disguise": (coded(tone() * 32_768, 16_000, "wav", "pcm_f32le"), "not_media"),
    "a rate that no sound has": (wav(noise(100), 8)[:-100], "corrupt"),
    "a microphone that is off": (wav(np.zeros((2, 16_000), np.float32)), "silent"),
    "one step of noise": (wav(noise(level=1.2 / 32_768)), "silent"),
    "a constant value": (wav(np.full((1, 16_000), 0.3, np.float32)), "silent"),
    "silence in a lossy file": (coded(np.zeros((1, 48_000), np.float32), 48_000, "ipod", "aac"), "silent"),
    "channels that cancel out": (wav(np.concatenate([tone(), -tone()])), "silent"),
    "too short": (wav(noise(1590)), "too_short"),
    "one sample": (wav(noise(1), 48_000), "too_short"),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_contents_that_are_refused(name: str, tmp_path: Path) -> None:
    content, reason = CONTENTS[name]
    written(tmp_path, wav(noise()), "sound.wav")  # what a play list would reach for
    assert refusal(Sound(content)).reason == reason
    path = written(tmp_path, content, "given.wav")
    error = refusal(Sound(path))
    assert (error.reason, error.source) == (reason, str(path))


@pytest.mark.parametrize(
    ("samples", "rate_hz", "reason"),
    [
        (noise()[0], 16_000, "not_media"),
        (noise().T, 16_000, "not_media"),  # 16,000 channels
        ((noise() * 32_767).astype(np.int16), 16_000, "not_media"),
        (noise() * 32_767, 16_000, "not_media"),
        (noise() * np.float32(np.inf), 16_000, "not_media"),
        (np.where(np.arange(16_000) == 9000, np.nan, noise()), 16_000, "not_media"),
        (noise(), None, "not_media"),
        (noise(), 0, "not_media"),
        (noise(), 16_000.5, "not_media"),
        (noise(), 10**9, "not_media"),
        (np.zeros((1, 0), np.float32), 16_000, "empty"),
        (np.zeros((0, 9), np.float32), 16_000, "empty"),
        (np.zeros((2, 16_000), np.float32), 16_000, "silent"),
        (noise(100), 16_000, "too_short"),
    ],
)
def test_arrays_that_are_refused(samples: Any, rate_hz: Any, reason: MediaReason) -> None:
    assert refusal(Sound(samples, rate_hz=rate_hz)).reason == reason


def test_places_that_are_refused(tmp_path: Path) -> None:
    assert refusal(Sound(tmp_path / "none.wav")).reason == "missing"
    assert refusal(Sound(tmp_path)).reason == "unreadable"
    assert "download it first" in refusal(Sound("https://example.org/cat.wav")).detail
    assert refusal(Sound("concat:a.wav|b.wav")).reason == "missing"
    assert refusal(Sound(5)).reason == "not_media"  # type: ignore[arg-type]  # what a caller may pass by mistake


@pytest.mark.parametrize("field", ["start_s", "end_s", "rate_hz", "offset_s"])
def test_fields_that_are_no_numbers_are_refused_at_once(field: str) -> None:
    for value in ("1", True):
        with pytest.raises(TypeError, match=f"Sound: {field} is a number"):
            Sound("cat.wav", **{field: value})  # type: ignore[arg-type]  # what a caller may pass by mistake


@pytest.mark.parametrize(
    ("start_s", "end_s", "reason"),
    [
        (2.0, None, "out_of_range"),
        (99.0, 100.0, "out_of_range"),
        (-1.0, None, "out_of_range"),
        (1.0, 1.0, "out_of_range"),
        (1.0, 0.5, "out_of_range"),
        (None, 0.0, "out_of_range"),
        (float("nan"), None, "out_of_range"),
        (None, float("inf"), "out_of_range"),
        (0.5, 0.55, "too_short"),
    ],
)
def test_parts_that_are_refused(start_s: float | None, end_s: float | None, reason: MediaReason) -> None:
    content = wav(noise(32_000))
    assert refusal(Sound(content, start_s, end_s)).reason == reason
    if reason == "out_of_range" and start_s not in (2.0, 99.0):
        assert refusal(Clip(sounding_film(50, samples=noise(32_000)), start_s, end_s)).reason == reason


def test_a_part_of_a_film_without_sound_in_it_is_empty() -> None:
    content = sounding_film(50, samples=noise(16_000), sound_s=1.0)
    assert refusal(Clip(content, 0.0, 0.9)).reason == "empty"
    assert refusal(Clip(content, 2.5, 3.0)).reason == "empty"


def test_frames_in_memory_have_no_sound_track() -> None:
    assert refusal(Clip(np.stack([numbered(0)] * 3), fps=25)).reason == "no_stream"


def test_silence_counts_in_the_part_that_is_asked_for() -> None:
    samples = np.concatenate([np.zeros((1, 16_000), np.float32), noise()], axis=1)
    assert refusal(Sound(wav(samples), 0.0, 1.0)).reason == "silent"
    assert codes(open_audio(Sound(wav(samples)), SPEC)) == []


@pytest.mark.parametrize("level", [10 ** (-80 / 20), 0.01])
def test_a_quiet_room_is_a_sound(level: float) -> None:
    assert codes(open_audio(Sound(wav(noise(level=level))), SPEC)) == []


def test_a_longer_sound_is_refused_unless_told_otherwise() -> None:
    error = refusal(Sound(wav(noise(32_000))), replace(SPEC, max_s=1.5))
    assert error.reason == "too_large"
    assert "start_s and end_s" in error.detail
    assert refusal(Sound(noise(32_000), rate_hz=16_000), replace(SPEC, max_s=1.5)).reason == "too_large"


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_clipping_is_measured_as_recorded(rate_hz: int) -> None:
    loud = np.clip(tone(300, rate_hz, rate_hz, level=1.3), -1, 1)
    for source in (Sound(wav(loud, rate_hz)), Sound(loud, rate_hz=rate_hz), Sound(wav(np.tile(loud, (2, 1)), rate_hz))):
        share = float(note(source, "clipped").partition("%")[0])
        assert share == pytest.approx(200 / np.pi * np.arccos(1 / 1.3), abs=1)
    half = np.concatenate([tone(300, rate_hz, rate_hz), loud], axis=1)
    assert note(Sound(wav(half, rate_hz)), "clipped").startswith("2")
    assert codes(open_audio(Sound(wav(half, rate_hz), end_s=0.95), SPEC)) == ["short"]


def test_eight_bits_clip_at_their_own_limit() -> None:
    loud = np.clip(tone(300, level=1.3), -1, 1)
    assert "at full scale" in note(Sound(coded(loud, 16_000, "wav", "pcm_u8")), "clipped")


@pytest.mark.parametrize("hz", [100, 440, 4000])
def test_a_clean_tone_at_full_level_is_not_clipped(hz: float) -> None:
    assert codes(open_audio(Sound(wav(tone(hz, 44_100, 44_100, level=1.0), 44_100)), SPEC)) == []


def test_runs_at_full_scale_go_on_across_pieces() -> None:
    loud = np.clip(tone(50, 4000, level=3), -1, 1)
    whole, pieces = Level(), Level()
    whole.add(loud, 0.999)
    for at in range(0, 4000, 40):
        pieces.add(loud[:, at : at + 40], 0.999)
    assert pieces.clipped_share == pytest.approx(whole.clipped_share, abs=0.01)
    assert whole.clipped_share == pytest.approx(2 / np.pi * np.arccos(1 / 3), abs=0.01)


def test_a_telephone_is_heard_as_one() -> None:
    assert "nothing above 4000 Hz" in note(Sound(wav(noise(8000), 8000)), "band_limited")
    assert codes(open_audio(Sound(wav(noise(8000), 8000)), replace(SPEC, rate_hz=8000))) == []


def test_less_than_a_window_is_said() -> None:
    assert "0.500 s" in note(Sound(wav(noise(8000))), "short")


def test_a_part_that_ends_late_is_said() -> None:
    assert "the sound at 1 s" in note(Sound(wav(noise()), end_s=1.5), "window_clipped")
    content = sounding_film(50, samples=noise(31_000))
    assert codes(open_audio(Clip(content, end_s=2.0), SPEC)) == []  # tracks never end together


@pytest.mark.parametrize("kind", ["wav", "flac", "aiff"])
def test_a_sound_cut_in_the_middle_gives_what_is_left(kind: str) -> None:
    whole = {"wav": wav(noise(32_000)), "flac": FLAC, "aiff": coded(noise(32_000), 16_000, "aiff", "pcm_s16be")}[kind]
    heard = open_audio(Sound(whole[: len(whole) * 7 // 10]), SPEC)
    assert "truncated" in codes(heard)
    assert 1.0 < heard.duration_s < 1.45
    assert codes(open_audio(Sound(whole), SPEC)) == []


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("container", "codec"), [("mp3", "libmp3lame"), ("adts", "aac"), ("matroska", "aac")])
def test_a_damaged_sound_gives_what_decodes(container: str, codec: str, seed: int) -> None:
    content = bytearray(coded(noise(3 * 48_000), 48_000, container, codec))
    draw = random.Random(seed)
    for _ in range(600 if container == "mp3" else 60):  # its decoder notices little
        content[draw.randrange(2000, len(content))] = draw.randrange(256)
    heard = open_audio(Sound(bytes(content)), SPEC)
    assert "damaged" in codes(heard)
    assert np.abs(heard.samples).max() < 4
    assert 0.1 <= heard.duration_s < 3.1


def test_a_gap_in_the_times_is_said_and_not_filled() -> None:
    parts = [
        sounding_film(25, samples=noise(), container="mpegts", codec="mp2", sound_s=s, picture_s=s) for s in (0, 2)
    ]
    heard = open_audio(Clip(b"".join(parts)), SPEC)
    assert codes(heard) == ["damaged"]
    assert "missing" in heard.notes[0].message
    assert heard.duration_s == pytest.approx(2.0, abs=0.1)
    later = open_audio(Clip(b"".join(parts), start_s=2.2, end_s=2.8), SPEC)
    assert later.duration_s == pytest.approx(0.6)  # behind the gap times are right again
    assert refusal(Clip(b"".join(parts), start_s=1.3, end_s=1.8)).reason == "empty"
