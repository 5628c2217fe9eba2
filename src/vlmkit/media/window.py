"""The part of a film that is looked at: from `start_s` to `end_s`, and no longer than the spec allows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vlmkit.errors import MediaError
from vlmkit.media.index import Index
from vlmkit.media.spec import VideoSpec
from vlmkit.types import Clip, Problem

_SAME_S = 1e-6  # a microsecond: what float seconds of a long film still tell apart


@dataclass(frozen=True)
class Window:
    """Half-open ranges: positions `[first, last)` of an index, seconds `[start_s, end_s)` on its clock."""

    first: int
    last: int
    start_s: float
    end_s: float
    notes: tuple[Problem, ...] = ()


def cut_window(clip: Clip, index: Index, spec: VideoSpec) -> Window:
    """Where `clip` lies in a film, cut to `spec.max_s` where the spec says so.

    Raises `MediaError`: `out_of_range` for no window or one after the end, `empty` for one without a frame,
    `too_large` for one that is too long.
    """
    start_s, end_s, notes = _asked(clip, index)
    first, last = _positions(clip.name, index, start_s, end_s)
    if spec.max_s is not None and index.times_s[last - 1] >= start_s + spec.max_s - _SAME_S:
        length = f"it lasts {end_s - start_s:.3f} s, and at most {spec.max_s:g} s are looked at"
        if spec.over == "refuse":
            raise MediaError(clip.name, "too_large", f"{length}; cut it with start_s and end_s, or set over='head'")
        notes.append(Problem("clip_cut", f"{length}: the rest was left out", "video"))
        end_s = start_s + spec.max_s
        first, last = _positions(clip.name, index, start_s, end_s)
    return Window(first, last, start_s, end_s, tuple(notes))


def _asked(clip: Clip, index: Index) -> tuple[float, float, list[Problem]]:
    start_s = 0.0 if clip.start_s is None else float(clip.start_s)
    end_s = math.inf if clip.end_s is None else float(clip.end_s)
    if not 0 <= start_s < end_s or clip.end_s == math.inf:
        given = f"start_s={clip.start_s}, end_s={clip.end_s}"
        raise MediaError(clip.name, "out_of_range", f"{given} is no window; wanted 0 <= start_s < end_s")
    if start_s > float(index.times_s[-1]) + _SAME_S and start_s >= index.end_s - _SAME_S:
        raise MediaError(clip.name, "out_of_range", f"start_s={start_s:g} is not before its end at {index.end_s:g} s")
    if clip.end_s is None or end_s <= index.end_s + _SAME_S:
        return start_s, min(end_s, index.end_s), []
    text = f"the window ends at {end_s:g} s and the film at {index.end_s:g} s"
    return start_s, index.end_s, [Problem("window_clipped", text, "video")]


def _positions(name: str, index: Index, start_s: float, end_s: float) -> tuple[int, int]:
    first = int(np.searchsorted(index.times_s, start_s - _SAME_S))
    # A last frame without duration starts where the film ends, and still belongs to it.
    last = len(index) if end_s >= index.end_s else int(np.searchsorted(index.times_s, end_s - _SAME_S))
    if first >= last:
        raise MediaError(name, "empty", f"no frame of it starts between {start_s:g} and {end_s:g} s")
    return first, last
