"""A stream cut into windows: only the frames that a window needs are kept, scaled at once."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from vlmkit.media.events import Picture, Tracks
from vlmkit.media.mono import Pace, inside, mix
from vlmkit.media.pixels import Scaler
from vlmkit.media.sound import Block
from vlmkit.media.spec import VideoSpec
from vlmkit.types import Clip, Media, Modality, Problem, Sound
from vlmkit.types import Image as Still

if TYPE_CHECKING:
    from av import VideoFrame
    from numpy.typing import NDArray

_SAME_S = 1e-6
_SLIVER_S = 0.1  # less than this at the end of a stream is no window of its own
_LAG_S = 5.0  # how long one track is waited for while the other goes on; file formats interleave more closely
_SLOWEST_S = 1.0  # a longer time between two frames is a pause, and not how long a frame is shown
_GAP_S = 0.05  # missing sound worth a note
_EARLY_S = 0.1  # a sound track begins a few codec frames before its pictures; more is worth a note
_STEREO = 2


@dataclass(frozen=True)
class Plan:
    """How a stream is cut, and what of it a model needs. Raises `ValueError` where a field is outside its range.

    Attributes:
        window_s, step_s: length of a window, and from the start of one to the start of the next.
        modalities: some of `video`, `audio` and `image`, the middle frame.
        video: how many frames a window keeps, and at which size.
    """

    window_s: float
    step_s: float
    modalities: frozenset[Modality]
    video: VideoSpec = field(default_factory=VideoSpec)

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
            return max(1 / spec.fps, self.window_s / spec.max_frames)
        if spec.sampler == "entropy":
            return self.window_s / spec.max_frames
        # Twice as many as are wanted: a window that is cut short needs them closer together.
        return max(self.window_s - frame_s, frame_s, _SAME_S) / max(2 * (spec.frames - 1), 2)


@dataclass(frozen=True, eq=False)
class Slice:
    """One window: what was seen and heard in `[start_s, end_s)` of the stream's clock, on the window's own clock."""

    start_s: float
    end_s: float
    media: dict[Modality, Media]
    notes: tuple[Problem, ...] = ()


class _Pending:
    """The latest frame: what comes next decides whether it is needed."""

    def __init__(self, picture: Picture, scaler: Scaler) -> None:
        self.time_s = picture.time_s
        self._frame: VideoFrame = picture.frame
        self._scaler = scaler
        self._image: NDArray[np.uint8] | None = None

    def image(self) -> NDArray[np.uint8]:
        """Scaled once, however many windows it is in."""
        if self._image is None:
            self._image = self._scaler(self._frame)
        return self._image


@dataclass(eq=False)
class _Window:
    start_s: float
    end_s: float
    frames: list[tuple[float, NDArray[np.uint8]]] = field(default_factory=list)
    last_tick: int = -1
    n_shown: int = 0
    first_s: float = 0.0

    def holds(self, time_s: float) -> bool:
        return self.start_s - _SAME_S <= time_s < self.end_s - _SAME_S

    def settle(self, one: _Pending, next_s: float | None, spacing_s: float) -> None:
        """Keep the frame if it is the nearest to a tick, as `sampling.pick_fps` has it, or stands at an end."""
        last = next_s is None or not self.holds(next_s)
        until_s = one.time_s if next_s is None or last else (one.time_s + next_s) / 2
        tick = math.floor((until_s - self.start_s + _SAME_S / 2) / spacing_s)
        self.first_s = one.time_s if not self.n_shown else self.first_s
        self.n_shown += 1
        if tick > self.last_tick or last or not self.frames:
            self.frames.append((one.time_s - self.start_s, one.image()))
        self.last_tick = max(tick, self.last_tick)


class Slicer:
    """Events go in, windows come out in order. Memory holds the windows that are open, and nothing else."""

    def __init__(self, name: str, plan: Plan) -> None:
        self._plan = plan
        self._scaler = Scaler(name, plan.video)
        self._tracks = Tracks(False, False)
        self._open: deque[_Window] = deque()
        self._n_opened = 0
        self._pending: _Pending | None = None
        self._frame_s = 0.0
        self._seen_s = self._heard_s = self._early_s = 0.0
        self._pace = Pace()
        self._tape: deque[tuple[float, Block]] = deque()
        self._covered_s = -math.inf

    def push(self, event: Tracks | Picture | Block) -> Iterator[Slice]:
        """The windows that are complete now."""
        if isinstance(event, Tracks):
            self._tracks = event
            return
        if isinstance(event, Picture):
            self._see(event)
        else:
            self._hear(event)
        while self._open and self._ready(self._open[0].end_s):
            yield from self._made(self._open.popleft())
        self._forget()

    def end(self, text: str) -> Iterator[Slice]:
        """The windows that are left: whole ones, and one cut short, with `text` in its note, if it has anything new."""
        if self._pending is not None:
            self._seen_s = self._pending.time_s + (self._frame_s or _SLIVER_S)
        end_s = max(self._seen_s, self._heard_s)
        while self._open and self._open[0].end_s <= end_s + self._frame_s / 2 + _SAME_S:
            yield from self._made(self._open.popleft())
        rest = self._open.popleft() if self._open else None
        fresh_s = _SLIVER_S if self._covered_s > -math.inf else 0.0
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
        self._pending = _Pending(picture, self._scaler)
        self._seen_s = picture.time_s

    def _hear(self, block: Block) -> None:
        if len(block.samples) > _STEREO:
            block = block._replace(samples=mix(block.samples, block.speakers)[None])
        time_s, _ = self._pace.place(block)
        self._early_s += min(max(0.0, -time_s), block.samples.shape[1] / block.rate_hz)
        self._heard_s = time_s + block.samples.shape[1] / block.rate_hz
        self._open_until(self._heard_s - _SAME_S)
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
        while (start_s := self._n_opened * plan.step_s) <= time_s + _SAME_S:
            self._open.append(_Window(start_s, start_s + plan.window_s))
            self._n_opened += 1

    def _ready(self, end_s: float) -> bool:
        clocks = [self._seen_s] * self._tracks.video + [self._heard_s] * self._tracks.audio
        return min(clocks) >= end_s - _SAME_S or max(clocks) >= end_s + _LAG_S

    def _made(self, window: _Window, *notes: Problem) -> Iterator[Slice]:
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

    def _pictures(self, window: _Window) -> dict[Modality, Media]:
        times_s, images = zip(*window.frames, strict=True)
        found: dict[Modality, Media] = {}
        if "video" in self._plan.modalities:
            span_s = window.start_s + times_s[-1] - window.first_s
            rate_hz = (window.n_shown - 1) / span_s if span_s > 0 else 1 / max(window.end_s - window.first_s, _SAME_S)
            relative = tuple(max(0.0, time_s) for time_s in times_s)
            found["video"] = Clip(np.stack(images), fps=rate_hz, times_s=relative)
        if "image" in self._plan.modalities:
            middle_s = (times_s[0] + times_s[-1]) / 2
            found["image"] = Still(min(zip(times_s, images, strict=True), key=lambda one: abs(one[0] - middle_s))[1])
        return found

    def _sound(self, window: _Window) -> tuple[Sound | None, float]:
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
