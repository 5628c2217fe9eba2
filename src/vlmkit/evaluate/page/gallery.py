"""What a sample brought, small enough for a page: thumbnails, a few frames, a waveform to play, quoted text."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vlmkit.errors import MediaError
from vlmkit.media import AudioSpec, ImageSpec, VideoSpec, Waveform, open_audio, open_image, open_video
from vlmkit.types import Clip, Image, Media, Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEXT_LETTERS = 400
"""Letters of a sample's text that are shown."""
SOUND_S = 10.0
"""Seconds of a sound that can be heard."""
_SIDE_PX, _FRAME_PX, _FRAMES = 256, 160, 5
_LARGEST = 400 * 2**20  # bytes of a file that is opened for a thumbnail
_HZ = 16_000
_COLUMNS = 120  # of a waveform

_IMAGE = ImageSpec(min_pixels=1, max_pixels=_SIDE_PX * _SIDE_PX, multiple_px=1)
_FILM = VideoSpec(
    sampler="uniform", frames=_FRAMES, min_pixels=1, max_pixels=_FRAME_PX * _FRAME_PX * 9 // 16, multiple_px=1
)
_ONE = VideoSpec(sampler="uniform", frames=1, min_pixels=1, max_pixels=64, multiple_px=1)
_SOUND = AudioSpec(rate_hz=_HZ, min_s=0.01, max_s=SOUND_S, over="head")


@dataclass(frozen=True)
class Still:
    """One picture as a data URI, with what stands below it."""

    uri: str
    caption: str
    width_px: int
    height_px: int


@dataclass(frozen=True)
class Exhibit:
    """One medium of a sample as a page shows it.

    Attributes:
        kind: the modality. name: the file, without its folders.
        stills: of a picture one, of a film some. wave: SVG. sound: data URI; empty where it cannot be written.
        note: what was left out, or why there is nothing to show.
    """

    kind: str
    name: str
    stills: tuple[Still, ...] = ()
    wave: str = ""
    sound: str = ""
    note: str = ""

    @property
    def n_bytes(self) -> int:
        """Letters that it adds to the page."""
        return sum(len(still.uri) for still in self.stills) + len(self.wave) + len(self.sound)


def exhibits(sample: Sample) -> list[Exhibit]:
    """Every medium of the sample; one that cannot be opened says why."""
    return [_exhibit(kind, media) for kind, media in sample.media.items()]


def film_s(clip: Clip) -> float | None:
    """How long a film is; None for one that cannot be opened, or is too large to be read through for it."""
    try:
        _check_size(clip)
        return open_video(clip, _ONE).duration_s
    except MediaError:
        return None


def _exhibit(kind: str, media: Media) -> Exhibit:
    name = Path(media.name).name if isinstance(media.source, str | Path) else media.name
    try:
        _check_size(media)
        if isinstance(media, Image):
            return _picture(name, media)
        if isinstance(media, Clip) and kind == "video":
            return _film(name, media)
        return _sound(name, media)
    except MediaError as error:
        return Exhibit(kind, name, note=f"{error.reason}: {error.detail}")


def _check_size(media: Media) -> None:
    source = media.source
    if not isinstance(source, str | Path):
        return
    try:
        n_bytes = Path(source).stat().st_size
    except OSError:
        return  # opening it says what is wrong
    if n_bytes > _LARGEST:
        raise MediaError(media.name, "too_large", f"its {n_bytes:,} bytes are not opened for a thumbnail")


def _picture(name: str, image: Image) -> Exhibit:
    picture = open_image(image, _IMAGE)
    width_px, height_px = picture.size_px
    return Exhibit("image", name, (_still(picture.image, f"{width_px} × {height_px}"),))


def _film(name: str, clip: Clip) -> Exhibit:
    frames = open_video(clip, _FILM)
    pairs = zip(frames.images, frames.times_s, strict=True)
    stills = tuple(_still(image, f"{time_s:.2f} s") for image, time_s in pairs)
    note = f"{len(stills)} of {frames.n_source} frames, {frames.duration_s:.2f} s"
    return Exhibit("video", name, stills, note=note)


def _sound(name: str, source: Any) -> Exhibit:
    wave = open_audio(source, _SOUND)
    cut = any(note.code == "clip_cut" for note in wave.notes)
    note = f"the first {SOUND_S:g} s" if cut else f"{wave.duration_s:.2f} s"
    return Exhibit("audio", name, wave=_waveform(wave.samples), sound=_playable(wave), note=note)


def _still(pixels: NDArray[np.uint8], caption: str) -> Still:
    from PIL import Image as pillow

    file = io.BytesIO()
    pillow.fromarray(pixels).save(file, "JPEG", quality=78, optimize=True)
    return Still(_uri("image/jpeg", file.getvalue()), caption, pixels.shape[1], pixels.shape[0])


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _waveform(samples: NDArray[np.float32]) -> str:
    """The lowest and highest value of each of some stretches, as one closed shape; full scale fills the height."""
    edges = np.linspace(0, len(samples), min(_COLUMNS, len(samples)) + 1).astype(int)
    parts = [samples[start:end] for start, end in pairwise(edges)]
    high = [20 - 19 * min(float(part.max()), 1.0) for part in parts]
    low = [20 - 19 * max(float(part.min()), -1.0) for part in parts]
    step = 240 / len(parts)
    above = [f"{(i + 0.5) * step:.1f},{y:.1f}" for i, y in enumerate(high)]
    below = [f"{(i + 0.5) * step:.1f},{y + 0.4:.1f}" for i, y in enumerate(low)][::-1]
    peak = float(np.abs(samples).max())
    told = f"waveform, peak at {peak:.2f} of full scale"
    head = f'<svg class="wave" role="img" aria-label="{told}" viewBox="0 0 240 40" preserveAspectRatio="none">'
    return f'{head}<title>{told}</title><polygon points="{" ".join(above + below)}"/></svg>'


def _playable(wave: Waveform) -> str:
    """Ogg Opus, some 2 kB a second; empty where this build of FFmpeg has no such encoder."""
    import av
    from av.error import FFmpegError

    file = io.BytesIO()
    try:
        with av.open(file, "w", format="ogg", options={"fflags": "+bitexact"}) as container:
            stream = container.add_stream("libopus", rate=wave.rate_hz, options={"b": "16000"})
            stream.layout = "mono"
            words = (np.clip(wave.samples, -1, 1) * 32767).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(words, format="s16", layout="mono")
            frame.sample_rate = wave.rate_hz
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    except (FFmpegError, ValueError):
        return ""
    return _uri("audio/ogg", file.getvalue())


def within(found: Sequence[Exhibit], budget: int) -> list[Exhibit]:
    """The exhibits with pictures and sounds as far as the budget of bytes goes; the rest says that it was left out."""
    kept = []
    for exhibit in found:
        budget -= exhibit.n_bytes
        full = f"{exhibit.note}; not shown: the page would get too large"
        kept.append(exhibit if budget >= 0 else Exhibit(exhibit.kind, exhibit.name, note=full))
    return kept
