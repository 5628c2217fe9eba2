"""Films of a drawn cat: it breathes, blinks, and its tail sways or lashes; with or without a sound track."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from vlmkit_plugins.purrsight import camera
from vlmkit_plugins.purrsight.backdrop import backdrop
from vlmkit_plugins.purrsight.cat import OVERSAMPLING, Moment, paint, place, style

SIZE_PX = 160
"""Width and height of a film."""
_MARGIN_PX = 3  # room for the camera to shake in
_PHASES = 8  # pictures of one swing of the tail
_NOISE_FRAMES = 4
_TRACK_BIT_RATE = 48_000

Frame = NDArray[np.uint8]
"""`[height, width, 3]`, RGB."""


def film(markers: Mapping[str, str], rng: np.random.Generator, seconds: float, fps: int) -> Iterator[Frame]:
    """The frames of a film of a cat with these `ears`, `tail` and `posture`."""
    side_px = (SIZE_PX + 2 * _MARGIN_PX) * OVERSAMPLING
    look = style(rng)
    room = backdrop(side_px, look.coat, rng)
    where = place(markers, look, side_px, rng)
    seen = camera.exposure(rng)
    rate_hz = float(rng.uniform(0.9, 1.6) if markers["tail"] == "lashing" else rng.uniform(0.25, 0.5))
    start, blink_s = rng.uniform(0, 2 * math.pi), rng.uniform(0.9, 2.0)
    n = round(seconds * fps)
    shake = _shake(n, rng)
    grain = rng.standard_normal((_NOISE_FRAMES, SIZE_PX, SIZE_PX, 3), np.float32) * np.float32(seen.noise)
    noise = grain.round().astype(np.int16)
    drawn: dict[tuple[int, bool], Frame] = {}

    def picture(phase: int, is_blinking: bool) -> Frame:
        if (phase, is_blinking) not in drawn:
            swing = 2 * math.pi * phase / _PHASES
            canvas = room.copy()
            paint(canvas, markers, look, Moment(swing, 0.8 * math.sin(swing), is_blinking), where)
            drawn[phase, is_blinking] = np.asarray(seen.develop(canvas.reduce(OVERSAMPLING)))
        return drawn[phase, is_blinking]

    for index in range(n):
        at_s = index / fps
        phase = round((start / (2 * math.pi) + rate_hz * at_s) * _PHASES) % _PHASES
        x, y = shake[index]
        still = picture(phase, at_s % blink_s > blink_s - 0.17)[y : y + SIZE_PX, x : x + SIZE_PX]
        yield (still + noise[index % _NOISE_FRAMES]).clip(0, 255).astype(np.uint8)


def write_film(
    path: Path, frames: Iterable[Frame], fps: int, track: NDArray[np.float32] | None = None, rate_hz: int = 16_000
) -> None:
    """H.264 in mp4, and AAC where there is a `track`, mono `[n]` within -1..1. Frames are even in height and width."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "crf": "25"})
        stream.pix_fmt = "yuv420p"
        stream.width = stream.height = SIZE_PX
        stream.gop_size = fps
        stream.thread_count = 1  # the same bytes on every machine; processes do the rest
        voice = None
        if track is not None:
            options = {"aac_coder": "fast"}
            voice = container.add_stream("aac", rate=rate_hz, layout="mono", bit_rate=_TRACK_BIT_RATE, options=options)
        convert = VideoReformatter()
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            container.mux(stream.encode(convert.reformat(picture, format="yuv420p", threads=1)))
        container.mux(stream.encode())
        if voice is not None and track is not None:
            sound = av.AudioFrame.from_ndarray(track[None], format="fltp", layout="mono")
            sound.sample_rate, sound.pts = rate_hz, 0
            container.mux(voice.encode(sound))
            container.mux(voice.encode())


def _shake(n_frames: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    steps = rng.normal(0, 0.3, (n_frames, 2)).cumsum(0)
    return [(int(x), int(y)) for x, y in (_MARGIN_PX + _MARGIN_PX * np.sin(steps)).round()]
