"""Specs are data: they go to JSON and back, and their hash tells them apart."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from vlmkit.media import AudioSpec, ImageSpec, VideoSpec

VIDEO = VideoSpec(sampler="entropy", frames=6, max_s=5.0, over="head")
IMAGE = ImageSpec(max_pixels=336 * 336)
AUDIO = AudioSpec(rate_hz=32_000, window_s=2.56, max_s=60.0, over="head")


def test_json_round_trip_keeps_the_hash() -> None:
    video = VideoSpec.from_json(json.loads(json.dumps(VIDEO.to_json())))
    image = ImageSpec.from_json(json.loads(json.dumps(IMAGE.to_json())))
    audio = AudioSpec.from_json(json.loads(json.dumps(AUDIO.to_json())))
    assert (video, image, audio) == (VIDEO, IMAGE, AUDIO)
    assert (video.sha256, image.sha256, audio.sha256) == (VIDEO.sha256, IMAGE.sha256, AUDIO.sha256)


def test_hash_is_the_same_in_every_process() -> None:
    """A saved checkpoint is compared with it: a change of field, default or writing breaks old ones knowingly."""
    assert VideoSpec().sha256 == "d90d760a42e0e5c1cace1a8c1e344928bb648510830685125b5f46c68fffc843"
    assert ImageSpec().sha256 == "57e35cf8e6eca7cc090d4edbf70f7424410389ac31788298f23cbe8e777b2cf7"
    assert AudioSpec().sha256 == "ee4ea78947a7d9b70299b099348c42f3dde20e627cf87279953ce0a74bb4c385"


@pytest.mark.parametrize(
    "change", [{"sampler": "fps"}, {"fps": 4.0}, {"frames": 7}, {"over": "refuse"}, {"max_s": None}, {"min_gap_s": 0}]
)
def test_every_field_is_in_the_hash(change: dict[str, Any]) -> None:
    assert replace(VIDEO, **change).sha256 != VIDEO.sha256


@pytest.mark.parametrize(
    "change", [{"rate_hz": 16_000}, {"window_s": 10.0}, {"min_s": 0.2}, {"max_s": None}, {"over": "refuse"}]
)
def test_every_field_of_sound_is_in_the_hash(change: dict[str, Any]) -> None:
    assert replace(AUDIO, **change).sha256 != AUDIO.sha256


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate_hz": 0}, "rate_hz=0 is no whole number"),
        ({"rate_hz": 44_100.5}, "rate_hz=44100.5"),
        ({"window_s": 0}, "window_s=0 is no number above 0"),
        ({"min_s": -1}, "min_s=-1"),
        ({"min_s": 3.0}, "lower min_s"),
        ({"max_s": 0.05, "min_s": 0.1}, "raise max_s"),
        ({"over": "tail"}, "choose one of refuse, head"),
        ({"colour": 1}, "unknown colour"),
    ],
)
def test_a_wrong_field_of_sound_says_so(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AudioSpec.from_json({**AUDIO.to_json(), **change})


def test_whole_seconds_are_the_same_spec() -> None:
    assert VideoSpec(fps=4).sha256 == VideoSpec(fps=4.0).sha256
    assert AudioSpec(window_s=2).sha256 == AudioSpec(window_s=2.0).sha256


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sampler": "random"}, "choose one of fps, uniform, entropy"),
        ({"over": "tail"}, "choose one of refuse, head"),
        ({"fps": 0}, "fps=0 is no number above 0"),
        ({"fps": float("nan")}, "fps=nan"),
        ({"fps": "2"}, "fps='2'"),
        ({"fps": True}, "fps=True"),
        ({"frames": 0}, "frames=0 is no whole number"),
        ({"frames": 2.5}, "frames=2.5"),
        ({"max_frames": 4}, "raise max_frames"),
        ({"max_s": -1}, "max_s=-1"),
        ({"min_gap_s": -0.1}, "min_gap_s=-0.1"),
        ({"min_pixels": 0}, "min_pixels=0"),
        ({"multiple_px": 0}, "multiple_px=0"),
        ({"min_pixels": 800, "max_pixels": 900}, "widen the range"),
        ({"min_pixels": 9000, "max_pixels": 8000}, "widen the range"),
    ],
)
def test_unfit_fields_are_refused_with_a_sentence(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VideoSpec.from_json({**VIDEO.to_json(), **change})


def test_unknown_and_missing_fields_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown colour"):
        VideoSpec.from_json({**VIDEO.to_json(), "colour": 1})
    with pytest.raises(ValueError, match="missing max_pixels"):
        ImageSpec.from_json({"min_pixels": 1, "multiple_px": 28})
    with pytest.raises(ValueError, match="wanted a JSON object"):
        ImageSpec.from_json([1, 2])  # type: ignore[arg-type]  # what a broken file may hold
