"""Preprocessing as data: saved beside the weights, compared by hash, replayed at inference."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeVar, get_args

from vlmkit.media.size import MAX_SOURCE_PIXELS, cells

Sampler = Literal["fps", "uniform", "entropy"]
Over = Literal["refuse", "head"]

S = TypeVar("S", "VideoSpec", "ImageSpec", "AudioSpec")


@dataclass(frozen=True)
class VideoSpec:
    """How a film becomes frames. Raises `ValueError` where a field is outside its range.

    The pixel limits are those of `qwen-vl-utils` for one frame of video (128 and 768 tokens of 28 x 28 pixels).
    """

    sampler: Sampler = "fps"
    fps: float = 2.0
    """Frames a second that the `fps` sampler asks for."""
    frames: int = 8
    """How many frames `uniform` and `entropy` give, where the film has as many."""
    max_frames: int = 64
    """The most frames of any sampler; `fps` is thinned out evenly above it, and a note says so."""
    min_pixels: int = 128 * 28 * 28
    max_pixels: int = 768 * 28 * 28
    """Range of one frame's area after scaling."""
    multiple_px: int = 28
    """Both sides are multiples of it: patch size times merge size of the vision tower."""
    max_s: float | None = None
    """The longest film; no limit where not given."""
    over: Over = "refuse"
    """What happens to a longer one: refused, or cut to its first `max_s` seconds with a note."""
    min_gap_s: float = 0.2
    """The least time between two picks of `entropy`, as long as enough frames are found that way."""

    def __post_init__(self) -> None:
        _one_of("sampler", self.sampler, get_args(Sampler))
        _one_of("over", self.over, get_args(Over))
        _seconds(self, "fps", positive=True)
        _seconds(self, "min_gap_s", positive=False)
        if self.max_s is not None:
            _seconds(self, "max_s", positive=True)
        _whole("frames", self.frames)
        _whole("max_frames", self.max_frames)
        if self.sampler != "fps" and self.frames > self.max_frames:
            raise ValueError(f"frames={self.frames} is more than max_frames={self.max_frames}; raise max_frames")
        _pixels(self)

    def to_json(self) -> dict[str, Any]:
        """Every field as plain JSON data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> VideoSpec:
        """The spec that `to_json` wrote. Raises `ValueError` for unknown, missing or unfit fields."""
        return _load(cls, data)

    @property
    def sha256(self) -> str:
        """Hex digest over the canonical JSON: equal exactly when the specs are."""
        return _digest(self)


@dataclass(frozen=True)
class ImageSpec:
    """How a still picture is scaled. Raises `ValueError` where a field is outside its range.

    The pixel limits are the defaults of the Qwen2-VL image processor.
    """

    min_pixels: int = 56 * 56
    max_pixels: int = 1280 * 28 * 28
    """Range of the area after scaling."""
    multiple_px: int = 28
    """Both sides are multiples of it: patch size times merge size of the vision tower."""

    def __post_init__(self) -> None:
        _pixels(self)

    def to_json(self) -> dict[str, Any]:
        """Every field as plain JSON data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ImageSpec:
        """The spec that `to_json` wrote. Raises `ValueError` for unknown, missing or unfit fields."""
        return _load(cls, data)

    @property
    def sha256(self) -> str:
        """Hex digest over the canonical JSON: equal exactly when the specs are."""
        return _digest(self)


@dataclass(frozen=True)
class AudioSpec:
    """How a sound becomes mono samples of one rate. Raises `ValueError` where a field is outside its range."""

    rate_hz: int = 16_000
    """Samples a second after resampling."""
    window_s: float = 10.0
    """Length of what the encoder looks at in one go; clips of AudioSet, which PANNs learned from, last as long."""
    min_s: float = 0.1
    """The shortest sound; a shorter one is refused, never padded."""
    max_s: float | None = None
    """The longest sound; no limit where not given."""
    over: Over = "refuse"
    """What happens to a longer one: refused, or cut to its first `max_s` seconds with a note."""

    def __post_init__(self) -> None:
        _one_of("over", self.over, get_args(Over))
        _whole("rate_hz", self.rate_hz)
        _seconds(self, "window_s", positive=True)
        _seconds(self, "min_s", positive=False)
        if self.min_s > self.window_s:
            raise ValueError(f"min_s={self.min_s:g} is more than window_s={self.window_s:g}; lower min_s")
        if self.max_s is not None:
            _seconds(self, "max_s", positive=True)
            if self.max_s < self.min_s:
                raise ValueError(f"max_s={self.max_s:g} is less than min_s={self.min_s:g}; raise max_s")

    def to_json(self) -> dict[str, Any]:
        """Every field as plain JSON data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> AudioSpec:
        """The spec that `to_json` wrote. Raises `ValueError` for unknown, missing or unfit fields."""
        return _load(cls, data)

    @property
    def sha256(self) -> str:
        """Hex digest over the canonical JSON: equal exactly when the specs are."""
        return _digest(self)


def _load(cls: type[S], data: Mapping[str, Any]) -> S:
    if not isinstance(data, Mapping):
        raise ValueError(f"{cls.__name__}: wanted a JSON object, given {type(data).__name__}")
    known = {field.name for field in fields(cls)}
    if unknown := sorted(set(data) - known):
        raise ValueError(f"{cls.__name__}: unknown {', '.join(unknown)}; it has {', '.join(sorted(known))}")
    if missing := sorted(known - set(data)):
        # A default would quietly replay another preprocessing than the one that was trained with.
        raise ValueError(f"{cls.__name__}: missing {', '.join(missing)}; write every field, as to_json does")
    return cls(**data)


def _digest(spec: VideoSpec | ImageSpec | AudioSpec) -> str:
    canonical = json.dumps(asdict(spec), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _one_of(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name}={value!r} is unknown; choose one of {', '.join(choices)}")


def _whole(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name}={value!r} is no whole number of at least 1")


def _seconds(spec: VideoSpec | AudioSpec, name: str, *, positive: bool) -> None:
    value = getattr(spec, name)
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or value < 0 or (positive and value == 0):
        raise ValueError(f"{name}={value!r} is no number {'above' if positive else 'of at least'} 0")
    object.__setattr__(spec, name, float(value))  # 2 and 2.0 are one spec, so they are one hash


def _pixels(spec: VideoSpec | ImageSpec) -> None:
    for name in ("min_pixels", "max_pixels", "multiple_px"):
        _whole(name, getattr(spec, name))
    fewest, most = cells(spec.min_pixels, spec.max_pixels, spec.multiple_px)
    if fewest > most:
        raise ValueError(
            f"no picture with sides that are multiples of {spec.multiple_px} has between min_pixels={spec.min_pixels} "
            f"and max_pixels={spec.max_pixels} pixels; widen the range"
        )


WHOLE = ImageSpec(min_pixels=1, max_pixels=MAX_SOURCE_PIXELS, multiple_px=1)
"""A picture keeps the size that it has in its file."""
