"""A film that is too long to be looked at in one go: decoded once, from its start to its end, and cut into windows."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import closing

import numpy as np

from vlmkit.errors import MediaError
from vlmkit.media.container import open_container, read_packets
from vlmkit.media.events import Gap, Picture, Tracks, read_stream
from vlmkit.media.film import ArrayFilm
from vlmkit.media.index import Packets
from vlmkit.media.mono import inside
from vlmkit.media.slicer import SLIVER_S, Plan, Slice, Slicer
from vlmkit.media.sound import Block, Report
from vlmkit.media.tape import packet_s
from vlmkit.types import Clip, Problem

_SAME_S = 1e-6
_SURE_S = 1.0  # a header that claims so much more is believed without a look at the packets
_SHORT_S = 10.0  # sound may go on for so long after the last picture
_NAMED = 10  # gaps that are told one by one

_Event = Tracks | Picture | Block | Gap


def lasts_longer(clip: Clip, seconds: float) -> bool:
    """Whether a frame of `clip` starts later than `seconds` after the clip does, without decoding any.

    False for a file that cannot be read: whoever opens it says why. A header may claim too much.
    """
    start_s = clip.start_s or 0.0
    if clip.end_s is not None and clip.end_s - start_s <= seconds + _SAME_S:
        return False
    until_s = start_s + seconds + _SAME_S
    source = clip.source
    try:
        if isinstance(source, np.ndarray):
            return bool(ArrayFilm(source, clip.name, clip.fps, clip.times_s).index.times_s[-1] > until_s)
        with open_container(source, clip.name) as (container, stream):
            if container.duration and container.duration / 1e6 > until_s + _SURE_S:  # AV_TIME_BASE is a microsecond
                return True
            first_s = math.inf
            for packet in read_packets(container, stream, Packets()):
                time_s = None if packet.is_discard else packet_s(packet)
                first_s = first_s if time_s is None else min(first_s, time_s)
                if time_s is not None and time_s - first_s > until_s:
                    return True
    except MediaError:
        pass
    return False


class Session:
    """One pass through a film. Times are those of the clip: 0 is its `start_s`.

    Attributes:
        length_s: how long the file says that it is; None where it does not say, and before slices are read.
        notes: what is odd about the film, once all slices are read: `gap`, `damaged`, `truncated`, `header_lies`,
            `rotation_ignored`.
    """

    def __init__(self, clip: Clip, plan: Plan) -> None:
        self._clip, self._plan = clip, plan
        self._from_s = clip.start_s or 0.0
        self._until_s = math.inf if clip.end_s is None else clip.end_s - self._from_s
        self._stopped = False
        self.length_s: float | None = None
        self.notes: list[Problem] = []

    def slices(self) -> Generator[Slice]:
        """The windows, in order. Memory holds those that are open. Raises `MediaError` where there is none."""
        report, slicer = Report(), Slicer(self._clip.name, self._plan)
        gaps: list[Gap] = []
        broken: MediaError | None = None
        n = 0
        try:
            with closing(self._events(report)) as events:
                for event in events:
                    gaps += [event] if isinstance(event, Gap) else []
                    for one in slicer.push(event):
                        n += 1
                        yield one
        except MediaError as error:
            if not n and error.reason not in ("truncated", "interrupted"):
                raise
            broken = error
        for one in slicer.end("the film ends", self._until_s if self._stopped else None):
            n += 1
            yield one
        if not n:
            raise broken or MediaError(self._clip.name, "corrupt", "none of its frames decodes")
        self.notes += self._oddities(slicer, report, gaps, broken)

    def windows(self) -> int | None:
        """How many windows it has, about; None where its length is not known."""
        if self.length_s is None:
            return None
        length_s = min(self.length_s - self._from_s, self._until_s)
        return 1 + max(0, math.ceil((length_s - self._plan.window_s - SLIVER_S - _SAME_S) / self._plan.step_s))

    def _events(self, report: Report) -> Generator[_Event]:
        """What is inside the clip, on its own clock."""
        source, plan = self._clip.source, self._plan
        if isinstance(source, np.ndarray):
            events: Iterator[_Event] = _pictures(self._clip, source)
        else:
            wants = {"video": plan.sees, "audio": "audio" in plan.modalities}
            events = read_stream(source, report, **wants, from_s=self._from_s)
        for event in events:
            if isinstance(event, Tracks):
                self.length_s = event.length_s
                yield event
            elif isinstance(event, Picture):
                time_s = event.time_s - self._from_s
                if time_s >= self._until_s - _SAME_S:
                    self._stopped = True
                    return
                if time_s >= -_SAME_S:
                    yield event._replace(time_s=time_s)
            elif isinstance(event, Gap):
                gap = Gap(max(0.0, event.time_s - self._from_s), min(event.end_s - self._from_s, self._until_s))
                if gap.time_s < gap.end_s:
                    yield gap
            else:
                yield from self._heard(event)

    def _heard(self, block: Block) -> Iterator[Block]:
        if block.time_s is None:
            yield block
            return
        time_s = block.time_s - self._from_s
        chosen = inside(
            time_s, block.samples.shape[1], block.rate_hz, 0.0 if self._from_s else -math.inf, self._until_s
        )
        if chosen.start < chosen.stop:
            yield block._replace(samples=block.samples[:, chosen], time_s=time_s + chosen.start / block.rate_hz)

    def _oddities(
        self, slicer: Slicer, report: Report, gaps: list[Gap], broken: MediaError | None
    ) -> Iterator[Problem]:
        yield from (gap.problem() for gap in gaps[:_NAMED])
        if rest := gaps[_NAMED:]:
            missing_s = sum(gap.end_s - gap.time_s for gap in rest)
            text = f"{len(rest)} more gaps follow, of {missing_s:.2f} s together; the last one ends at"
            yield Problem("gap", f"{text} {rest[-1].end_s:.2f} s", "video")
        if report.damaged and not gaps:
            yield Problem("damaged", "frames that do not decode were left out", "video")
        if slicer.slanted:
            text = "its rotation is no multiple of 90 degrees and was left out"
            yield Problem("rotation_ignored", text, "video")
        seen_s = slicer.seen_s + self._from_s
        if broken is not None:
            yield Problem(broken.reason, f"{broken.detail}: {seen_s:.3f} s of it can be seen", "video")
        elif not self._stopped and self.length_s is not None and self.length_s > seen_s + _SHORT_S:
            text = f"the header says {self.length_s:.3f} s, the frames last {seen_s:.3f} s; the frames were believed"
            yield Problem("header_lies", text, "video")


def _pictures(clip: Clip, frames: np.ndarray) -> Iterator[_Event]:
    from av import VideoFrame

    index = ArrayFilm(frames, clip.name, clip.fps, clip.times_s).index
    yield Tracks(True, False, index.end_s)
    for time_s, frame in zip(index.times_s.tolist(), frames, strict=True):
        yield Picture(time_s, VideoFrame.from_ndarray(np.ascontiguousarray(frame)))
