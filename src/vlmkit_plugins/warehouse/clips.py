"""Clips around the boundaries of a session: where to cut, and what is true there.

A window is `CLIP_FRAMES` frames long and holds one boundary within +-`JITTER_S` of its middle, so that it starts
inside one operation and ends inside the next. All frames of a truth are half-open and counted from the clip's start.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmkit.errors import DataError
from vlmkit.types import Clip, Sample
from vlmkit_plugins.warehouse.openpack import Operation, Session
from vlmkit_plugins.warehouse.schema import CLIP_FRAMES, FPS, OperationSpan, TemporalSegment
from vlmkit_plugins.warehouse.schema import Operation as Name

JITTER_S = 0.5


@dataclass(frozen=True)
class Window:
    """One clip to cut: frames `[start_frame, start_frame + n_frames)` of the session's film at `FPS`, and its truth.

    `timeline` has `(operation, start, end)` a visible operation, clip-relative.
    """

    id: str
    subject: str
    session: str
    start_frame: int
    n_frames: int
    truth: OperationSpan
    timeline: tuple[tuple[Name, int, int], ...]

    def sample(self, film: Path) -> Sample:
        """The window as a sample on the session's own film: nothing is cut or encoded again."""
        start_s = self.start_frame / FPS
        clip = Clip(film, start_s=start_s, end_s=start_s + self.n_frames / FPS)
        meta: dict[str, Any] = {
            "subject": self.subject,
            "session": self.session,
            "n_frames": self.n_frames,
            "timeline": [list(part) for part in self.timeline],
        }
        return Sample(self.id, {"video": clip}, truth=self.truth, meta=meta)


@dataclass(frozen=True)
class Cut:
    """Windows of one session; `boundaries` is their number plus the four reasons why a boundary gave none.

    `joined`: both sides have the same of the ten names; `no_next`: nothing is annotated after what is visible;
    `edge`: the film ends where one of the sides would be; `crowded`: wherever the window may lie, one of its ends is on
    another boundary.
    """

    windows: tuple[Window, ...]
    boundaries: int
    joined: int
    no_next: int
    edge: int
    crowded: int


def merged(operations: Sequence[Operation]) -> tuple[tuple[Name, int, int], ...]:
    """Operations in frames at `FPS`, neighbours of one name joined; those rounded to no frame vanish."""
    parts: list[tuple[Name, int, int]] = []
    for operation in operations:
        start, end = round(operation.start_s * FPS), round(operation.end_s * FPS)
        if parts and parts[-1][0] == operation.name and parts[-1][2] == start:
            parts[-1] = (operation.name, parts[-1][1], end)
        elif end > start:
            parts.append((operation.name, start, end))
    return tuple(parts)


def build(session: Session, film_frames: int, seed: int = 0) -> Cut:
    """One window a boundary, for a film of `film_frames` frames at `FPS`. The same seed gives the same windows.

    A window that would leave the film is moved inside it; a film shorter than `CLIP_FRAMES` is its own window.
    Raises `DataError` for a film without frames.
    """
    if film_frames < 1:
        raise DataError(f"session {session.session}: film_frames={film_frames}; wanted 1 or more")
    parts = merged(session.operations)
    n_frames = min(CLIP_FRAMES, film_frames)
    borders = {start for _, start, _ in parts[1:]} | {end for _, _, end in parts[:-1]}
    windows = []
    no_next = edge = crowded = 0
    for index in range(len(parts) - 1):
        starts = _starts(parts[index][2], film_frames, f"{seed}/{session.user}/{session.session}/{index}")
        if not starts:
            edge += 1
            continue
        start = next((at for at in starts if at not in borders and at + n_frames not in borders), None)
        if start is None:
            crowded += 1
            continue
        told = tell(parts, start, n_frames)
        if told is None:
            no_next += 1
            continue
        name = f"{session.user}_{session.session}_t{index:04d}"
        windows.append(Window(name, session.user, session.session, start, n_frames, *told))
    boundaries = max(0, len(session.operations) - 1)
    return Cut(tuple(windows), boundaries, boundaries - max(0, len(parts) - 1), no_next, edge, crowded)


def _starts(boundary: int, film_frames: int, draw: str) -> list[int]:
    """Where a window that shows both sides of `boundary` may start: as drawn, then by distance from that."""
    n_frames = min(CLIP_FRAMES, film_frames)
    width = round(JITTER_S * FPS - 0.5)
    drawn = random.Random(draw).randint(-width, width)
    nearest = sorted(range(-width, width + 1), key=lambda shift: (abs(shift - drawn), shift))
    starts = [max(0, min(boundary + shift - n_frames // 2, film_frames - n_frames)) for shift in nearest]
    return [start for start in starts if start < boundary < start + n_frames]


def tell(
    parts: Sequence[tuple[Name, int, int]], start: int, n_frames: int
) -> tuple[OperationSpan, tuple[tuple[Name, int, int], ...]] | None:
    """The truth of a window of the session; None where nothing follows what is visible.

    The dominant operation has most frames *in one stretch*; between equal stretches the later one wins, since it is
    the one that decides what comes next.
    """
    end = start + n_frames
    visible = [(name, max(a, start) - start, min(b, end) - start) for name, a, b in parts if a < end and b > start]
    following = next((name for name, a, _ in parts if a >= end), None)
    if not visible or following is None:
        return None
    longest = max(part[2] - part[1] for part in visible)
    dominant = [part for part in visible if part[2] - part[1] == longest][-1]
    truth = OperationSpan(
        dominant_operation=dominant[0],
        temporal_segment=TemporalSegment(start_frame=dominant[1], end_frame=dominant[2]),
        anticipated_next_operation=following,
    )
    return truth, tuple(visible)
