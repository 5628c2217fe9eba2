"""Samples of a stream, one a window: what `Head.watch` asks a model about."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from vlmkit.errors import MediaError, VlmkitError
from vlmkit.media.events import Gap, Tracks, read_stream
from vlmkit.media.slicer import Plan, Slice, Slicer
from vlmkit.media.sound import Report
from vlmkit.media.spec import ImageSpec, VideoSpec
from vlmkit.media.stream import Source, is_live, source_name
from vlmkit.types import Modality, Problem, Sample

_WAITING = 2  # windows of a live source that wait for the model; more would be old news
_STOP_S = 15.0  # longest wait for a reader to notice that it is not wanted any more


def plan_watch(
    accepts: Collection[Modality],
    specs: Sequence[Mapping[str, Any]],
    *,
    window_s: float,
    step_s: float | None = None,
    modalities: Collection[Modality] | None = None,
) -> Plan:
    """How to cut a stream for a task that reads `accepts`, with encoders of such preprocessing.

    By default pictures and sound, as far as the task reads them; the middle frame of a window where it reads no film.
    Raises `VlmkitError` for a modality that the task does not read, or a window that is none.
    """
    reads = frozenset(accepts)
    if modalities is not None:
        chosen = frozenset(modalities)
    else:
        chosen = reads & {"video", "audio"} if "video" in reads else reads & {"image", "audio"}
    if unread := sorted(chosen - reads):
        raise VlmkitError(f"the task does not read {', '.join(unread)}; it reads {', '.join(sorted(reads))}")
    try:
        return Plan(window_s, window_s if step_s is None else step_s, chosen, _frames_wanted(specs, chosen))
    except ValueError as error:
        raise VlmkitError(f"watch: {error}") from error


def _frames_wanted(specs: Sequence[Mapping[str, Any]], chosen: frozenset[Modality]) -> VideoSpec:
    """What the first encoder of films, or else of pictures, says of its frames; a few of their own size if none does.

    An encoder's figures about a modality are such a spec, or hold one under a name of its own.
    """
    own = VideoSpec(min_pixels=1, max_pixels=ImageSpec().max_pixels, multiple_px=1)
    for spec in specs:
        told = spec.get("video" if "video" in chosen else "image")
        for data in (told, *told.values()) if isinstance(told, Mapping) else ():
            try:
                if "video" in chosen:
                    return VideoSpec.from_json(data)
                still = ImageSpec.from_json(data)
            except ValueError:
                continue
            own = VideoSpec(min_pixels=still.min_pixels, max_pixels=still.max_pixels, multiple_px=still.multiple_px)
    return own if "video" in chosen else replace(own, sampler="uniform", frames=3)


def watch_samples(
    source: Source, plan: Plan, *, text: str | None = None, max_windows: int | None = None
) -> Generator[tuple[Sample, tuple[Problem, ...]]]:
    """One sample a window, and what is odd about the window.

    A file waits for its reader. Of a live source the windows that come while a model is busy are dropped, the oldest
    first, and the next one says how many: `windows_dropped`.

    Raises `MediaError`: see `events.read_stream`. What came before a stream broke off is given first.
    """
    name = source_name(source)
    if isinstance(source, bytes):
        raise MediaError(name, "not_media", "wanted a path, the number of a camera, or a Stream; given bytes")
    stem = Path(name).stem if isinstance(source, str | Path) else name
    stop = threading.Event()
    cut = _cut(source, plan, stop)
    with closing(_latest(cut, stop) if is_live(source) else cut) as windows:
        for n, window in enumerate(windows, 1):
            meta = {"start_s": window.start_s, "end_s": window.end_s, "source": name}
            yield Sample(f"{stem}@{window.start_s:.3f}", window.media, text, meta=meta), window.notes
            if n == max_windows:
                return


def _cut(source: Source, plan: Plan, stop: threading.Event) -> Generator[Slice]:
    name, report = source_name(source), Report()
    slicer = Slicer(name, plan)
    wants = {"video": plan.sees, "audio": "audio" in plan.modalities}
    always: tuple[Problem, ...] = ()
    broken: MediaError | None = None
    gaps: list[Gap] = []
    n = 0
    try:
        for event in read_stream(source, report, **wants):
            if stop.is_set():
                return
            if isinstance(event, Tracks):
                always = tuple(_absent(event, wants))
            for window in slicer.push(event):
                n += 1
                yield replace(window, notes=(*always, *window.notes, *_damaged(report, gaps)))
            if isinstance(event, Gap):
                gaps.append(event)
    except MediaError as error:
        if not n and error.reason not in ("interrupted", "truncated"):
            raise
        broken = error
    for window in slicer.end("the stream broke off" if broken else "the stream ended"):
        n += 1
        yield replace(window, notes=(*always, *window.notes, *_damaged(report, gaps)))
    if broken is not None:
        raise broken
    if not n:
        raise MediaError(name, "empty", "nothing in it can be seen or heard")


def _absent(tracks: Tracks, wants: Mapping[str, bool]) -> Iterator[Problem]:
    if wants["video"] and not tracks.video:
        yield Problem("no_pictures", "the stream has sound only", "video")
    if wants["audio"] and not tracks.audio:
        yield Problem("no_sound_track", "the stream has pictures only", "audio")


def _damaged(report: Report, gaps: list[Gap]) -> Iterator[Problem]:
    """What has been found since the window before, said once."""
    yield from (gap.problem() for gap in gaps)
    if report.damaged and not gaps:
        yield Problem("damaged", "parts of the stream that do not decode were left out")
    report.damaged = False
    gaps.clear()


def _latest(windows: Iterator[Slice], stop: threading.Event) -> Generator[Slice]:
    """The same windows, read ahead in a thread; of those that nobody takes in time, the oldest are dropped."""
    waiting: deque[Slice] = deque()
    changed = threading.Condition()
    n_dropped = 0
    ended: list[Exception | None] = []

    def read() -> None:
        nonlocal n_dropped
        error: Exception | None = None
        try:
            for window in windows:
                with changed:
                    if len(waiting) == _WAITING:
                        waiting.popleft()
                        n_dropped += 1
                    waiting.append(window)
                    changed.notify()
        except Exception as caught:  # raised again where the windows are taken
            error = caught
        with changed:
            ended.append(error)
            changed.notify()

    reader = threading.Thread(target=read, name="vlmkit-watch", daemon=True)
    reader.start()
    try:
        while True:
            with changed:
                changed.wait_for(lambda: waiting or ended)
                if not waiting:
                    break
                window, dropped, n_dropped = waiting.popleft(), n_dropped, 0
            yield _with_drops(window, dropped)
        if ended[0] is not None:
            raise ended[0]
    finally:
        stop.set()
        reader.join(_STOP_S)


def _with_drops(window: Slice, n: int) -> Slice:
    if not n:
        return window
    text = f"{n} window{'s' if n > 1 else ''} before this one were dropped: they come faster than they are answered"
    return replace(window, notes=(*window.notes, Problem("windows_dropped", text)))
