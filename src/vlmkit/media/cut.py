"""A stretch that is cut out of a film while it is decoded, with as many of its frames as are needed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from vlmkit.media.gaps import Picture
from vlmkit.media.pixels import Scaler
from vlmkit.types import Clip

if TYPE_CHECKING:
    from av import VideoFrame
    from numpy.typing import NDArray

SAME_S = 1e-6
"""Times that are closer than this are one."""


@dataclass(frozen=True)
class Cut(Clip):
    """A clip whose `source` is an array of frames, shown at `times_s`; others of the same stretch were not kept.

    Samplers choose among all frames, so that they find in the cut what they find in the film.

    Attributes:
        shown_s: when each frame of the stretch is shown, kept or not, in seconds since it starts; ascending.
        length_s: how long the stretch is.
    """

    shown_s: tuple[float, ...] = ()
    length_s: float = 0.0


class Pending:
    """The latest frame: what comes next decides whether it is needed."""

    def __init__(self, picture: Picture, scaler: Scaler) -> None:
        self.time_s = picture.time_s
        self.lasts_s = picture.lasts_s
        self._frame: VideoFrame = picture.frame
        self._scaler = scaler
        self._image: NDArray[np.uint8] | None = None

    def image(self) -> NDArray[np.uint8]:
        """Scaled once, however many windows it is in."""
        if self._image is None:
            self._image = self._scaler(self._frame)
        return self._image


@dataclass(eq=False)
class OpenWindow:
    """A window that frames still go into.

    Attributes:
        frames: those that are kept, each with its place in `shown_s`.
        shown_s: when each frame of it is shown, kept or not, in seconds after its start.
    """

    start_s: float
    end_s: float
    frames: list[tuple[int, NDArray[np.uint8]]] = field(default_factory=list)
    shown_s: list[float] = field(default_factory=list)
    last_tick: int = -1

    def holds(self, time_s: float) -> bool:
        """Whether a frame that is shown then belongs to it."""
        return self.start_s - SAME_S <= time_s < self.end_s - SAME_S

    def settle(self, one: Pending, next_s: float | None, spacing_s: float) -> None:
        """Keep the frame if it is the nearest to a tick, as `sampling.pick_fps` has it, or stands at an end."""
        last = next_s is None or not self.holds(next_s)
        until_s = one.time_s if next_s is None or last else (one.time_s + next_s) / 2
        tick = math.floor((until_s - self.start_s + SAME_S / 2) / spacing_s)
        if tick > self.last_tick or last or not self.frames:
            self.frames.append((len(self.shown_s), one.image()))
        self.shown_s.append(one.time_s - self.start_s)
        self.last_tick = max(tick, self.last_tick)

    @property
    def times_s(self) -> list[float]:
        """When the kept frames are shown."""
        return [max(0.0, self.shown_s[place]) for place, _ in self.frames]

    def cut(self, *, whole: bool) -> Cut:
        """The frames as a clip; with `whole`, samplers are told of those that were not kept."""
        times_s = tuple(self.times_s)
        shown_s = tuple(max(0.0, time_s) for time_s in self.shown_s) if whole else times_s
        images = np.stack([image for _, image in self.frames])
        return Cut(images, times_s=times_s, shown_s=shown_s, length_s=self.end_s - self.start_s)
