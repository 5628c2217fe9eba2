"""A film to the frames that a model sees: planned from packets, decoded as a stream, with real times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vlmkit.errors import MediaError
from vlmkit.media.cut import Cut
from vlmkit.media.film import ArrayFilm, FileFilm, Film
from vlmkit.media.index import Index
from vlmkit.media.oddities import oddities
from vlmkit.media.pixels import Grey, Scaler
from vlmkit.media.sampling import difference_entropy, pick_entropy, pick_fps, pick_uniform, thin
from vlmkit.media.spec import VideoSpec
from vlmkit.media.window import Window, cut_window
from vlmkit.types import Clip, Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Frames:
    """The frames that a sampler picked out of a window of a film, at the size that the spec asked for.

    Attributes:
        images: uint8 `[n, height, width, 3]`, RGB, upright; n >= 1.
        times_s: when each is shown, in seconds after the clip's `start_s`; ascending.
        duration_s: length of the window that was looked at.
        source_fps: mean rate of the window's own frames, by their times; 0 where one frame has no duration.
        n_source: how many frames the window has.
        size_px: width and height of the film as shown, before scaling.
        notes: what is odd, none of it fatal: `clip_cut`, `window_clipped`, `frames_capped`, `header_lies`,
            `truncated`, `damaged`, `frames_missing`, `no_times`, `rotation_ignored`.
    """

    images: NDArray[np.uint8]
    times_s: tuple[float, ...]
    duration_s: float
    source_fps: float
    n_source: int
    size_px: tuple[int, int]
    notes: tuple[Problem, ...] = ()


def open_video(clip: Clip, spec: VideoSpec) -> Frames:
    """The frames of `clip` that `spec` asks for. Raises `MediaError`; a decoder's own exception never comes out.

    Memory holds the picked frames, and some 50 bytes for every frame of the film.
    """
    film = _film(clip)
    scaler = Scaler(clip.name, spec)
    for last_try in (False, True):
        window = _window(film, clip, spec)
        picks, notes = _pick(film, window, spec)
        images = film.grab(picks, scaler)
        if len(images) == len(picks) or last_try:
            break
        film.reindex()  # packets promised frames that do not decode: plan again with those that do
    if not images:
        raise MediaError(clip.name, "corrupt", "none of its frames decodes")
    if lost := len(picks) - len(images):
        text = f"{lost} of {len(picks)} picked frames did not decode and were left out"
        notes.append(Problem("frames_missing", text, "video"))
    if scaler.slanted:
        text = "its rotation is no multiple of 90 degrees and was left out"
        notes.append(Problem("rotation_ignored", text, "video"))
    return _frames(film, window, images, scaler.size_px, notes)


def entropy_curve(clip: Clip, spec: VideoSpec) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Times in seconds after the clip's start and bits of change, one each for every frame that decodes.

    What the `entropy` sampler looks at (`sampling.difference_entropy`). Raises `MediaError`.
    """
    film = _film(clip)
    window = _window(film, clip, spec)
    positions, bits = _curve(film, window)
    return tuple(float(film.index.times_s[i]) - window.start_s for i in positions), tuple(bits)


def length_s(clip: Clip) -> float:
    """How long `clip` lasts, in seconds, by the film's packets: nothing is decoded. Raises `MediaError`."""
    film = _film(clip)
    window = _window(film, clip, VideoSpec(max_s=None))
    return window.end_s - window.start_s


def _film(clip: Clip) -> Film:
    source = clip.source
    film: Film
    if isinstance(clip, Cut) and isinstance(source, np.ndarray):
        stamps, times_s = np.arange(len(clip.shown_s)), np.asarray(clip.shown_s, np.float64)
        film = ArrayFilm(source, clip.name, None, clip.times_s, Index(stamps, times_s, clip.length_s, by_order=True))
    elif isinstance(source, np.ndarray):
        film = ArrayFilm(source, clip.name, clip.fps, clip.times_s)
    else:
        film = FileFilm(source, clip.name)
    if not len(film.index):
        if isinstance(film, FileFilm) and (film.cut or film.header.n_frames):
            raise MediaError(clip.name, "truncated", "it stops before its first frame is whole; copy it again")
        raise MediaError(clip.name, "empty", "its video stream has no frame")
    return film


def _window(film: Film, clip: Clip, spec: VideoSpec) -> Window:
    if not len(film.index):  # after reindexing
        raise MediaError(clip.name, "corrupt", "none of its frames decodes")
    return cut_window(clip, film.index, spec)


def _pick(film: Film, window: Window, spec: VideoSpec) -> tuple[list[int], list[Problem]]:
    if spec.sampler == "entropy":
        positions, bits = _curve(film, window)
        times_s = film.index.times_s[positions]
        return [positions[i] for i in pick_entropy(times_s.tolist(), bits, spec.frames, spec.min_gap_s)], []
    times_s = (film.index.times_s[window.first : window.last] - window.start_s).tolist()
    if spec.sampler == "uniform":
        return [window.first + i for i in pick_uniform(times_s, spec.frames)], []
    picks = [window.first + i for i in pick_fps(times_s, spec.fps)]
    if len(picks) <= spec.max_frames:
        return picks, []
    text = f"{spec.fps:g} frames a second are {len(picks)}; thinned out evenly to max_frames={spec.max_frames}"
    return thin(picks, spec.max_frames), [Problem("frames_capped", text, "video")]


def _curve(film: Film, window: Window) -> tuple[list[int], list[float]]:
    positions: list[int] = []

    def grey() -> Iterator[NDArray[np.uint8]]:
        for position, picture in film.walk(range(window.first, window.last), Grey()):
            positions.append(position)
            yield picture

    bits = list(difference_entropy(grey()))
    if not positions:
        raise MediaError(film.name, "corrupt", "none of its frames decodes")
    return positions, bits


def _frames(
    film: Film, window: Window, images: dict[int, NDArray[np.uint8]], size_px: tuple[int, int], notes: list[Problem]
) -> Frames:
    times_s = film.index.times_s[window.first : window.last]
    duration_s = window.end_s - window.start_s
    picked = sorted(images)
    odd = oddities(film) if isinstance(film, FileFilm) else ()
    return Frames(
        images=np.stack([images[position] for position in picked]),
        times_s=tuple(float(film.index.times_s[position]) - window.start_s for position in picked),
        duration_s=duration_s,
        source_fps=_rate(times_s, duration_s),
        n_source=len(times_s),
        size_px=size_px,
        notes=(*odd, *window.notes, *notes),
    )


def _rate(times_s: NDArray[np.float64], duration_s: float) -> float:
    if len(times_s) > 1:
        return float((len(times_s) - 1) / (times_s[-1] - times_s[0]))
    return 1 / duration_s if duration_s > 0 else 0.0
