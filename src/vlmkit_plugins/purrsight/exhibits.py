"""What a sample brought, drawn: its picture or frames of its film, its sound as a spectrogram, its words."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from vlmkit.errors import MediaError
from vlmkit.media import AudioSpec, ImageSpec, VideoSpec, open_audio, open_image, open_video
from vlmkit.types import Clip, Image, Sample, Sound

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

INK, PALE, FAULT = "#1f2933", "#66727f", "#c0392b"

_FRAMES = 3
_PICTURE = ImageSpec(min_pixels=1, max_pixels=60_000, multiple_px=1)
_FILM = VideoSpec(sampler="uniform", frames=_FRAMES, max_frames=_FRAMES, min_pixels=1, max_pixels=60_000, multiple_px=1)
_SOUND = AudioSpec(rate_hz=16_000, max_s=10.0, over="head")

_N_FFT, _N_HOP = 512, 160  # samples: windows of 32 ms, a column every 10 ms
_EDGES_HZ = 700 * (10 ** np.linspace(0, np.log10(1 + 8_000 / 700), 97) - 1)  # even in mel (O'Shaughnessy 1987)
_TICKS_HZ = (500, 2_000, 7_000)
_DECIBELS = (-90.0, -30.0)  # pale to dark: a quiet room is hardly seen, a hiss well

_HEADING_IN, _LINE_IN, _GAP_IN = 0.2, 0.15, 0.07
_AXIS_IN = (0.36, 0.19)  # left of a sound, and below it
_SOUND_IN = 2.1
_LETTERS = 14.0  # of 9 points that fill an inch
_MOST_LINES = 4

Tile = tuple[float, Callable[["Axes"], None]]
"""How many inches wide, and what fills axes with it."""


def exhibit(axes: Axes, sample: Sample) -> None:
    """Fill `axes`, which run from 0 to 1, with one sample; a medium that cannot be opened says why in its place."""
    scale = axes.figure.dpi
    width_in, height_in = axes.bbox.width / scale, axes.bbox.height / scale
    words(axes, 0, 1 - 0.07 / height_in, f"{sample.id}  ·  {_brought(sample)}", color=PALE, fontsize=8)
    told = " ".join((sample.text or "").split())
    lines = textwrap.wrap(told, round(width_in * _LETTERS), max_lines=_MOST_LINES, placeholder=" …")
    below_in = len(lines) * _LINE_IN + _GAP_IN if lines and sample.media else 0.0
    side_in = height_in - _HEADING_IN - below_in
    if lines:
        middle_in = (below_in - _GAP_IN if sample.media else side_in) / 2
        words(axes, 0, middle_in / height_in, "\n".join(lines), linespacing=1.2)
    tiles = _tiles(sample, side_in)
    room_in = width_in - _GAP_IN * len(tiles)
    shrink = min(1.0, room_in / max(room_in, sum(wide_in for wide_in, _ in tiles)))
    left_in = 0.0
    for wide_in, paint in tiles:
        box = (left_in / width_in, below_in / height_in, wide_in * shrink / width_in, side_in / height_in)
        tile = axes.inset_axes(box)
        tile.axis("off")
        paint(tile)
        left_in += wide_in * shrink + _GAP_IN


def words(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    """Text as it is: nothing in it is a formula, and what the font has no letter for becomes a box."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties()))
    shown = "".join(letter if letter == "\n" or font.get_char_index(ord(letter)) else "\u25af" for letter in text)
    axes.text(x, y, shown, **{"fontsize": 9, "color": INK, "va": "center", "parse_math": False, **style})


def spectrogram(samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float64]:
    """`[bands, columns]`: the loudest of each band, in decibels of a full-scale tone. Bands are even in mel."""
    hann = np.hanning(_N_FFT)
    columns = np.lib.stride_tricks.sliding_window_view(samples, _N_FFT)[::_N_HOP]
    power = (np.abs(np.fft.rfft(columns * hann)) / (hann.sum() / 2)) ** 2
    first = np.rint(_EDGES_HZ[:-1] * _N_FFT / rate_hz).astype(int)
    return np.asarray(10 * np.log10(np.maximum.reduceat(power, first, axis=1).T + 1e-12))


def _brought(sample: Sample) -> str:
    return " + ".join(sorted(sample.modalities)) or "nothing"


def _tiles(sample: Sample, side_in: float) -> list[Tile]:
    tiles = []
    picture, clip, sound = (sample.media.get(modality) for modality in ("image", "video", "audio"))
    if isinstance(picture, Image):
        tiles.append(_opened("picture", side_in, partial(_picture, picture, side_in)))
    if isinstance(clip, Clip):
        tiles.append(_opened("film", side_in, partial(_film, clip, side_in)))
    if isinstance(sound, Sound):
        tiles.append(_opened("sound", side_in, partial(_sound, sound, side_in)))
    elif isinstance(clip, Clip):
        with suppress(MediaError):  # a film without a sound track; one that cannot be opened was said already
            tiles.append(_sound(clip, side_in))
    return tiles


def _opened(kind: str, side_in: float, show: Callable[[], Tile]) -> Tile:
    try:
        return show()
    except MediaError as error:
        lines = textwrap.wrap(error.detail, round(1.6 * _LETTERS), max_lines=_MOST_LINES, placeholder=" …")
        text = "\n".join([f"{kind}: {error.reason}", *lines])
        return 1.6, lambda tile: words(tile, 0.02, 0.5, text, color=FAULT, fontsize=8)


def _picture(picture: Image, side_in: float) -> Tile:
    pixels = open_image(picture, _PICTURE).image
    wide_in = min(side_in * pixels.shape[1] / pixels.shape[0], 2 * side_in)
    return wide_in, lambda tile: _show(tile, pixels)


def _film(clip: Clip, side_in: float) -> Tile:
    frames = open_video(clip, _FILM)
    n, tall, wide = frames.images.shape[:3]
    each_in = side_in * wide / tall

    def paint(tile: Axes) -> None:
        for place, (pixels, time_s) in enumerate(zip(frames.images, frames.times_s, strict=True)):
            one = tile.inset_axes((place / n, 0, 0.97 / n, 1))
            _show(one, pixels)
            tag = {"facecolor": "black", "alpha": 0.45, "edgecolor": "none", "boxstyle": "round,pad=0.2"}
            corner = {"transform": one.transAxes, "color": "white", "fontsize": 7, "bbox": tag}
            words(one, 0.05, 0.08, f"{time_s:.1f} s", **corner)

    return n * each_in, paint


def _sound(source: Sound | Clip, side_in: float) -> Tile:
    wave = open_audio(source, _SOUND)
    decibels = spectrogram(wave.samples, wave.rate_hz)

    def paint(tile: Axes) -> None:
        left, bottom = _AXIS_IN[0] / _SOUND_IN, _AXIS_IN[1] / side_in
        heard = tile.inset_axes((left, bottom, 1 - left - 0.02, 1 - bottom))
        extent = (wave.start_s, wave.start_s + wave.duration_s, 0, len(decibels))
        low, high = _DECIBELS
        heard.imshow(decibels, aspect="auto", origin="lower", extent=extent, cmap="BuPu", vmin=low, vmax=high)
        heard.set_yticks(np.searchsorted(_EDGES_HZ, _TICKS_HZ), ["0.5", "2", "7 kHz"])
        heard.xaxis.set_major_formatter("{x:g} s")
        heard.locator_params(axis="x", nbins=5)
        heard.tick_params(labelsize=7, labelcolor=PALE, color=PALE, length=2, pad=1.5)
        for spine in heard.spines.values():
            spine.set(color="#c5ccd4", linewidth=0.8)

    return _SOUND_IN, paint


def _show(axes: Axes, pixels: NDArray[np.uint8]) -> None:
    axes.imshow(pixels, interpolation="antialiased")
    axes.set_anchor("W")
    axes.axis("off")
