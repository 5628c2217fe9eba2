"""What is odd about a film, and was found while it was read."""

from __future__ import annotations

import numpy as np

from vlmkit.media.film import FileFilm
from vlmkit.types import Problem

_LIE = 0.1  # share by which a header may be off before it is said
_FRAMES_SHORT = 1.5  # how many frames before the announced end a film may stop


def oddities(film: FileFilm) -> tuple[Problem, ...]:
    """Notes on the whole film, none fatal: `no_times`, `truncated`, `damaged`, `header_lies`."""
    found = []
    if film.index.by_order:
        text = f"its frames have no times; they are taken as {film.header.rate_hz:g} a second, as its header says"
        found.append(Problem("no_times", text, "video"))
    stops_early = _stops_early(film)
    if stops_early:
        text = f"the file is cut short: {film.index.end_s:.3f} s of it can be seen"
        found.append(Problem("truncated", text, "video"))
    if film.damaged:
        text = "frames that do not decode were left out; those after one may show faults until the next key frame"
        found.append(Problem("damaged", text, "video"))
    if not stops_early and not film.index.by_order and (lies := _lies(film)):
        found.append(Problem("header_lies", "; ".join(lies) + "; the frames were believed", "video"))
    return tuple(found)


def _stops_early(film: FileFilm) -> bool:
    index, header = film.index, film.header
    frame_s = float(np.median(np.diff(index.times_s))) if len(index) > 1 else index.end_s
    if film.cut or film.promised_s > index.end_s + _FRAMES_SHORT * frame_s:
        return True
    # Fewer packets than the index of the file lists; edit lists hide some, and shorten the duration with them.
    fewer = header.n_frames is not None and film.n_packets < header.n_frames
    return fewer and (header.duration_s or header.container_s or 0.0) > index.end_s + _FRAMES_SHORT * frame_s


def _lies(film: FileFilm) -> list[str]:
    index, header = film.index, film.header
    lies = []
    for claim_s in dict.fromkeys((header.duration_s, header.container_s)):
        if claim_s and abs(claim_s - index.end_s) > _LIE * index.end_s:
            lies.append(f"the header says {claim_s:.3f} s, the frames last {index.end_s:.3f} s")
    span_s = float(index.times_s[-1])
    if header.rate_hz and span_s > 0 and not film.damaged:
        rate_hz = (len(index) - 1) / span_s
        if abs(header.rate_hz - rate_hz) > _LIE * rate_hz:
            lies.append(f"the header says {header.rate_hz:.3f} frames a second, there are {rate_hz:.3f}")
    return lies
