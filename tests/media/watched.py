"""What tests of streams ask of a window."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from tests.media.sounds import noise, sounding_film
from vlmkit.media import AudioSpec, VideoSpec
from vlmkit.media.slicer import Plan
from vlmkit.media.stream import Source
from vlmkit.media.watch import watch_samples
from vlmkit.types import Clip, Modality, Problem, Sample, Sound

SPEC = VideoSpec(sampler="fps", fps=5.0, min_pixels=1, max_pixels=112 * 84, multiple_px=1)
HEARD = AudioSpec(rate_hz=16_000, window_s=0.1, min_s=0.01)
BOTH: frozenset[Modality] = frozenset({"video", "audio"})
SEEN: frozenset[Modality] = frozenset({"video"})
Window = tuple[Sample, tuple[Problem, ...]]


def windows(source: Source, window_s: float, step_s: float | None = None, **options: Any) -> list[Window]:
    """Every window; `modalities` and `spec` as for a plan."""
    plan = Plan(window_s, step_s or window_s, options.pop("modalities", BOTH), options.pop("spec", SPEC))
    return list(watch_samples(source, plan, **options))


def codes(window: Window) -> list[str]:
    """What is odd about a window."""
    return [note.code for note in window[1]]


def spans(found: Sequence[Window]) -> list[tuple[float, float]]:
    """From when to when windows last."""
    return [(sample.meta["start_s"], sample.meta["end_s"]) for sample, _ in found]


def clip(window: Window) -> Clip:
    """The pictures of a window."""
    media = window[0].media["video"]
    assert isinstance(media, Clip)
    return media


def sound(window: Window) -> Sound:
    """The sound of a window."""
    media = window[0].media["audio"]
    assert isinstance(media, Sound)
    return media


@cache
def film_of(container: str = "matroska") -> bytes:
    """4.8 s of pictures and sound."""
    if container == "mpegts":
        return sounding_film(120, samples=noise(4 * 48_000 + 38_400), container=container, codec="mp2", rate_hz=48_000)
    return sounding_film(120, samples=noise(4 * 16_000 + 12_800), container=container)
