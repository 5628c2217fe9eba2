"""Specs are data: they go to JSON and back, and their hash tells them apart."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from vlmkit.media import ImageSpec, VideoSpec

VIDEO = VideoSpec(sampler="entropy", frames=6, max_s=5.0, over="head")
IMAGE = ImageSpec(max_pixels=336 * 336)


def test_json_round_trip_keeps_the_hash() -> None:
    video = VideoSpec.from_json(json.loads(json.dumps(VIDEO.to_json())))
    image = ImageSpec.from_json(json.loads(json.dumps(IMAGE.to_json())))
    assert (video, image) == (VIDEO, IMAGE)
    assert (video.sha256, image.sha256) == (VIDEO.sha256, IMAGE.sha256)


def test_hash_is_the_same_in_every_process() -> None:
    """A saved checkpoint is compared with it: a change of field, default or writing breaks old ones knowingly."""
    assert VideoSpec().sha256 == "d90d760a42e0e5c1cace1a8c1e344928bb648510830685125b5f46c68fffc843"
    assert ImageSpec().sha256 == "57e35cf8e6eca7cc090d4edbf70f7424410389ac31788298f23cbe8e777b2cf7"


@pytest.mark.parametrize(
    "change", [{"sampler": "fps"}, {"fps": 4.0}, {"frames": 7}, {"over": "refuse"}, {"max_s": None}, {"min_gap_s": 0}]
)
def test_every_field_is_in_the_hash(change: dict[str, Any]) -> None:
    assert replace(VIDEO, **change).sha256 != VIDEO.sha256


def test_whole_seconds_are_the_same_spec() -> None:
    assert VideoSpec(fps=4).sha256 == VideoSpec(fps=4.0).sha256


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
