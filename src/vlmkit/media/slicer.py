"""A stream cut into windows: only the frames that a window needs are kept, scaled at once."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from vlmkit.media.cut import SAME_S, OpenWindow, Pending
from vlmkit.media.events import Gap, Picture, Tracks
from vlmkit.media.mono import Pace, inside, mix
from vlmkit.media.pixels import Scaler
from vlmkit.media.sound import Block
from vlmkit.media.spec import VideoSpec
from vlmkit.types import Image as Still
from vlmkit.types import Media, Modality, Problem, Sound

if TYPE_CHECKING:
    from numpy.typing import NDArray

SLIVER_S = 0.1
"""Less than this at the end of a stream is no window of its own."""

_LAG_S = 5.0  # how long one track is waited for while the other goes on; file formats interleave more closely
_SLOWEST_S = 1.0  # a longer time between two frames is a pause, and not how long a frame is shown
_GAP_S = 0.05  # missing sound worth a note
_SPLIT_S = 1.0  # a longer gap ends a window: pictures on both sides of it would be taken for neighbours
_EARLY_S = 0.1  # a sound track begins a few codec frames before its pictures; more is worth a note
_STEREO = 2


@dataclass(frozen=True)
class Plan:
    """How a stream is cut, and what of it a model needs. Raises `ValueError` where a field is outside its range.

    Attributes:
        window_s, step_s: length of a window, and from the start of one to the start of the next.
        modalities: some of `video`, `audio` and `image`, the middle frame.
        video: how many frames a window keeps, and at which size.
        exact: keep every frame that the `fps` sampler looks at before it thins them out to `max_frames`, so that a
            window gives the very frames that `open_video` gives for the same part of the film.
    """

    window_s: float
    step_s: float
    modalities: frozenset[Modality]
    video: VideoSpec = field(default_factory=VideoSpec)
    exact: bool = False

    def __post_init__(self) -> None:
        for name in ("window_s", "step_s"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
                raise ValueError(f"{name}={value!r} is no number of seconds above 0")
        if unknown := sorted(self.modalities - {"video", "audio", "image"}):
            raise ValueError(f"a stream has no {', '.join(unknown)}; choose from video, audio, image")
        if not self.modalities:
            raise ValueError("no modality to watch for; choose from video, audio, image")

    @property
    def sees(self) -> bool:
        """Whether pictures are needed."""
        return bool(self.modalities & {"video", "image"})

    def spacing_s(self, frame_s: float) -> float:
        """Seconds between two kept frames of a film with one every `frame_s`; those at both ends are kept, too."""
        spec = self.video
        if spec.sampler == "fps":
            return 1 / spec.fps if self.exact else max(1 / spec.fps, self.window_s / spec.max_frames)
        if spec.sampler == "entropy":
            return self.window_s / spec.max_frames
        # Twice as many as are wanted: a window that is cut short needs them closer together.
        return max(self.window_s - frame_s, frame_s, SAME_S) / max(2 * (spec.frames - 1), 2)


@dataclass(frozen=True, eq=False)
class Slice:
    """One window: what was seen and heard in `[start_s, end_s)` of the stream's clock, on the window's own clock."""

    start_s: float
    end_s: float
    media: dict[Modality, Media]
    notes: tuple[Problem, ...] = ()


class Slicer:
    """Events go in, windows come out in order. Memory holds the windows that are open, and nothing else."""

    def __init__(self, name: str, plan: Plan) -> None:
        self._plan = plan
        self._scaler = Scaler(name, plan.video)
        self._tracks = Tracks(False, False)
        self._open: deque[OpenWindow] = deque()
        self._n_opened = 0
        self._pending: Pending | None = None
        self._frame_s = 0.0
        self._seen_s = self._heard_s = self._early_s = 0.0
        self._pace = Pace()
        self._tape: deque[tuple[float, Block]] = deque()
        self._covered_s = -math.inf

    @property
    def slanted(self) -> bool:
        """Whether a rotation that is no quarter turn was left out."""
        return self._scaler.slanted

    def push(self, event: Tracks | Picture | Block | Gap) -> Iterator[Slice]:
        """The windows that are complete now."""
        if isinstance(event, Tracks):
            self._tracks = event
            return
        if isinstance(event, Gap):
            if event.end_s - event.time_s > _SPLIT_S and not self._tracks.audio:  # sound goes on over it
                yield from self._split(event)
            return
        if isinstance(event, Picture):
            self._see(event)
        else:
            self._hear(event)
        while self._open and self._ready(self._open[0].end_s):
            yield from self._made(self._open.popleft())
        self._forget()

    def end(self, text: str, at_s: float | None = None) -> Iterator[Slice]:
        """The windows that are left: whole ones, and one cut short, with `text` in its note, if it has anything new.

        Args:
            at_s: where nothing is wanted any more, if the stream goes on.
        """
        if self._pending is not None:
            self._seen_s = self._pending.time_s + (self._pending.lasts_s or self._frame_s or SLIVER_S)
        yield from self._rest(max(self._seen_s, self._heard_s) if at_s is None else at_s, text)

    @property
    def seen_s(self) -> float:
        """Up to when there were pictures."""
        return self._seen_s

    def _split(self, gap: Gap) -> Iterator[Slice]:
        """End the windows where a gap begins; the next one begins where it ends, and ends where it would have."""
        yield from self._rest(gap.time_s, "a gap begins")
        self._open.clear()
        self._pending = None
        step_s = self._plan.step_s
        self._n_opened = math.floor((gap.end_s + SAME_S) / step_s)
        end_s = self._n_opened * step_s + self._plan.window_s
        if gap.end_s < end_s - SAME_S:
            self._open.append(OpenWindow(gap.end_s, end_s))
        self._n_opened += 1
        self._seen_s = gap.end_s

    def _rest(self, end_s: float, text: str) -> Iterator[Slice]:
        while self._open and self._open[0].end_s <= end_s + self._frame_s / 2 + SAME_S:
            yield from self._made(self._open.popleft())
        rest = self._open.popleft() if self._open else None
        fresh_s = SLIVER_S if self._covered_s > -math.inf else 0.0
        if rest is not None and end_s - max(self._covered_s, rest.start_s) > fresh_s:
            note = Problem("window_partial", f"{text} {end_s - rest.start_s:.3f} s into this window")
            rest.end_s = end_s
            yield from self._made(rest, note)

    def _see(self, picture: Picture) -> None:
        pending = self._pending
        if pending is not None:
            if picture.time_s <= pending.time_s:
                return
            self._frame_s = min(picture.time_s - pending.time_s, _SLOWEST_S)
            self._settle(picture.time_s)
        self._open_until(picture.time_s)
        self._pending = Pending(picture, self._scaler)
        self._seen_s = picture.time_s

    def _hear(self, block: Block) -> None:
        if len(block.samples) > _STEREO:
            block = block._replace(samples=mix(block.samples, block.speakers)[None])
        time_s, _ = self._pace.place(block)
        self._early_s += min(max(0.0, -time_s), block.samples.shape[1] / block.rate_hz)
        self._heard_s = time_s + block.samples.shape[1] / block.rate_hz
        self._open_until(self._heard_s - SAME_S)
        self._tape.append((time_s, block))

    def _settle(self, next_s: float) -> None:
        pending = self._pending
        for window in self._open:
            if pending is not None and window.holds(pending.time_s):
                window.settle(pending, next_s, self._plan.spacing_s(self._frame_s))

    def _open_until(self, time_s: float) -> None:
        plan = self._plan
        # After a long silence of the source, windows that can hold nothing are not opened one by one.
        skipped = math.floor((time_s - _LAG_S - plan.window_s) / plan.step_s)
        self._n_opened = max(self._n_opened, skipped)
        while (start_s := self._n_opened * plan.step_s) <= time_s + SAME_S:
            self._open.append(OpenWindow(start_s, start_s + plan.window_s))
            self._n_opened += 1

    def _ready(self, end_s: float) -> bool:
        clocks = [self._seen_s] * self._tracks.video + [self._heard_s] * self._tracks.audio
        return min(clocks) >= end_s - SAME_S or max(clocks) >= end_s + _LAG_S

    def _made(self, window: OpenWindow, *notes: Problem) -> Iterator[Slice]:
        pending = self._pending
        if pending is not None and window.holds(pending.time_s):
            window.settle(pending, None, self._plan.spacing_s(self._frame_s))
        media: dict[Modality, Media] = {}
        sound, missing_s = self._sound(window)
        if window.frames:
            media |= self._pictures(window)
        if sound is not None:
            media["audio"] = sound
        if missing_s > _GAP_S:
            notes = (*notes, Problem("damaged", f"{missing_s:.3f} s of the sound are missing in it", "audio"))
        if media and self._early_s > _EARLY_S:
            text = (
                f"{self._early_s:.3f} s of sound from before the first picture are in no window, as time starts there"
            )
            notes = (*notes, Problem("sound_before_pictures", text, "audio"))
            self._early_s = 0.0
        if media:
            self._covered_s = window.end_s
            yield Slice(round(window.start_s, 6), round(window.end_s, 6), media, notes)

    def _pictures(self, window: OpenWindow) -> dict[Modality, Media]:
        times_s, images = window.times_s, [image for _, image in window.frames]
        spec = self._plan.video
        found: dict[Modality, Media] = {}
        if "video" in self._plan.modalities:
            # Only these frames are sure to hold all that a sampler can pick out of the window.
            whole = spec.sampler == "fps" and self._plan.spacing_s(self._frame_s) <= 1 / spec.fps
            found["video"] = window.cut(whole=whole)
        if "image" in self._plan.modalities:
            middle_s = (times_s[0] + times_s[-1]) / 2
            found["image"] = Still(min(zip(times_s, images, strict=True), key=lambda one: abs(one[0] - middle_s))[1])
        return found

    def _sound(self, window: OpenWindow) -> tuple[Sound | None, float]:
        pieces: list[NDArray[np.float32]] = []
        rate_hz, first_s, end_s, missing_s = 0, 0.0, 0.0, 0.0
        for time_s, block in self._tape:
            chosen = inside(time_s, block.samples.shape[1], block.rate_hz, window.start_s, window.end_s)
            samples = block.samples[:, chosen]
            same = not pieces or (block.rate_hz == rate_hz and len(samples) == len(pieces[0]))
            if not samples.size or not same:  # a track that changes its rate starts anew in the next window
                missing_s += samples.shape[1] / block.rate_hz
                continue
            start_s = time_s + chosen.start / block.rate_hz
            if not pieces:
                rate_hz, first_s, end_s = block.rate_hz, start_s, start_s
            missing_s += max(0.0, start_s - end_s)
            end_s = start_s + samples.shape[1] / rate_hz
            pieces.append(samples)
        if not pieces:
            return None, 0.0
        joined = np.concatenate(pieces, axis=1)
        return Sound(joined, rate_hz=rate_hz, offset_s=max(0.0, first_s - window.start_s)), missing_s

    def _forget(self) -> None:
        start_s = self._open[0].start_s if self._open else self._n_opened * self._plan.step_s
        while self._tape and self._tape[0][0] + self._tape[0][1].samples.shape[1] / self._tape[0][1].rate_hz <= start_s:
            self._tape.popleft()
