"""Synthetic clips with known truth: `synth` writes a folder that `vlmkit_plugins.warehouse.data.read` understands.

How a clip is drawn, all from `default_rng([seed, index])`, so that neither the number of workers nor the order
changes a byte: a first operation (all ten alike), two or three visible ones in a row by the grammar, cuts between
them, and the next operation after the last. The first is shown from somewhere inside it, the last is left before it
ends. A visible operation has at least `SHORTEST_FRAMES`. **Tie rule**: when the longest does not lead the runner-up
by at least `LEAD_FRAMES` (0.5 s), the cuts are drawn again, so "dominant" never hangs on a handful of frames.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from rich.console import Console
from rich.progress import track

from vlmkit.errors import DataError
from vlmkit_plugins.warehouse.data import write_manifest
from vlmkit_plugins.warehouse.drawing import SIZE_PX, Frames, Shown, render
from vlmkit_plugins.warehouse.grammar import CYCLE, STEPS, draw_next
from vlmkit_plugins.warehouse.schema import CLIP_FRAMES, FPS, OperationSpan, TemporalSegment

VERSION = 1
"""Raised whenever the same seed would give other clips."""
SUBJECTS = tuple(f"U01{k:02d}" for k in range(1, 9))
THREE = 0.8
"""Share of clips with three visible operations. Where two share a clip, the dominant one has more than half of it and
the whole clip as an answer is always a hit of tIoU@0.5; at .8 the best constant segment gets about .73, at .5 .83."""
SHORTEST_FRAMES = 18
LEAD_FRAMES = 13
GOP_FRAMES = 25
_SPLIT_FROM = 16  # clips; fewer are drawn faster than a second process starts

Timeline = list[list[Any]]
"""`[operation, start_frame, end_frame]` a visible operation, half-open, in order, without gaps."""


class Drawn(NamedTuple):
    """One clip: frames `[125, height, width, 3]`, its truth, what it shows when, and who works."""

    frames: Frames
    truth: OperationSpan
    timeline: Timeline
    subject: str


class Story(NamedTuple):
    """What happens in a clip, before anything is drawn."""

    shown: tuple[Shown, ...]
    truth: OperationSpan
    subject: str

    @property
    def timeline(self) -> Timeline:
        """Which operation is visible when."""
        return [[part.operation, part.start_frame, part.end_frame] for part in self.shown]


def tell(seed: int, index: int) -> Story:
    """What happens in clip `index` of `seed`: the truth without the pictures, in microseconds."""
    return _tell(np.random.default_rng([seed, index]))


def draw_clip(seed: int, index: int, size_px: tuple[int, int] = SIZE_PX) -> Drawn:
    """Clip `index` of `seed`; the same arguments give the same bytes on every run."""
    rng = np.random.default_rng([seed, index])
    story = _tell(rng)
    frames = [frame[..., :3].copy() for frame in render(story.shown, SUBJECTS.index(story.subject), rng, size_px)]
    return Drawn(np.stack(frames), story.truth, story.timeline, story.subject)


def clip_id(story: Story, seed: int, index: int) -> str:
    """`U0108_S0500_t0035` form, unique inside one seed: subject, seed, index."""
    return f"{story.subject}_S{seed:04d}_t{index:04d}"


def write_film(path: Path, frames: Iterable[Frames]) -> None:
    """H.264 in mp4, yuv420p, `FPS`, a key frame every `GOP_FRAMES`.

    Frames are `[height, width, 3 or 4]` RGB or RGBA, even in height and width, all of one shape, at least one.
    """
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "28"})
        stream.pix_fmt = "yuv420p"
        stream.gop_size = GOP_FRAMES
        stream.thread_count = 1  # the same bytes on every machine; processes do the rest
        convert = VideoReformatter()
        for frame in frames:
            if not stream.codec_context.is_open:
                stream.height, stream.width = frame.shape[:2]
            picture = av.VideoFrame.from_ndarray(frame, format="rgba" if frame.shape[2] == 4 else "rgb24")
            container.mux(stream.encode(convert.reformat(picture, format="yuv420p", threads=1)))
        container.mux(stream.encode())


def synth(folder: Path, n: int, seed: int, workers: int) -> None:
    """Write `n` clips into `folder`: `videos/*.mp4`, `manifest.jsonl`, `synth.json`.

    Raises `DataError` for a folder that already has a manifest, and for counts below 1.
    """
    folder = Path(folder)
    if n < 1 or workers < 1 or seed < 0:
        raise DataError(f"synth wants n >= 1, workers >= 1, seed >= 0; given n={n}, workers={workers}, seed={seed}")
    if (folder / "manifest.jsonl").exists():
        raise DataError(f"{folder}: already holds a manifest.jsonl; name a new folder or delete this one")
    (folder / "videos").mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    rows = list(track(_rows(folder, n, seed, workers), "drawing clips", n, console=console, transient=True))
    write_manifest(folder, rows)
    about = json.dumps(_about(rows, n, seed), indent=2)
    (folder / "synth.json").write_text(about + "\n", encoding="utf-8")


def label_entropy(labels: Counter[str]) -> float:
    """Shannon entropy of a count of labels, in bits; log2(10) = 3.32 when all ten are equally frequent."""
    total = labels.total()
    return -sum(n / total * math.log2(n / total) for n in labels.values() if n)


def _rows(folder: Path, n: int, seed: int, workers: int) -> Iterator[dict[str, Any]]:
    draw = partial(_write_one, folder, seed)
    if workers == 1 or n < _SPLIT_FROM:
        yield from map(draw, range(n))
        return
    # spawn: the caller may hold torch or decoder threads, which do not survive a fork
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(draw, range(n), chunksize=8)


def _write_one(folder: Path, seed: int, index: int) -> dict[str, Any]:
    rng = np.random.default_rng([seed, index])
    story = _tell(rng)
    frames = render(story.shown, SUBJECTS.index(story.subject), rng)
    name = clip_id(story, seed, index)
    video = f"videos/{name}.mp4"
    write_film(folder / video, frames)
    return {
        "id": name,
        "video": video,
        "truth": story.truth.model_dump(),
        "subject": story.subject,
        "meta": {"timeline": story.timeline, "n_frames": CLIP_FRAMES, "synthetic": True},
    }


def _tell(rng: np.random.Generator) -> Story:
    subject = SUBJECTS[int(rng.integers(len(SUBJECTS)))]
    operations = [CYCLE[int(rng.integers(len(CYCLE)))]]
    for _ in range(2 if rng.random() < THREE else 1):
        operations.append(draw_next(operations[-1], rng))
    cuts = _cuts(len(operations), rng)
    shown = []
    for k, operation in enumerate(operations):
        done_from = float(rng.uniform(0.15, 0.6)) if k == 0 else 0.0
        done_to = float(rng.uniform(0.4, 0.85)) if k == len(operations) - 1 else 1.0
        shown.append(Shown(operation, cuts[k], cuts[k + 1], done_from, done_to))
    longest = max(shown, key=lambda part: part.end_frame - part.start_frame)
    truth = OperationSpan(
        dominant_operation=longest.operation,
        temporal_segment=TemporalSegment(start_frame=longest.start_frame, end_frame=longest.end_frame),
        anticipated_next_operation=draw_next(operations[-1], rng),
    )
    return Story(tuple(shown), truth, subject)


def _cuts(n_parts: int, rng: np.random.Generator) -> list[int]:
    while True:
        inner = np.sort(rng.integers(SHORTEST_FRAMES, CLIP_FRAMES - SHORTEST_FRAMES + 1, n_parts - 1))
        cuts = [0, *(int(cut) for cut in inner), CLIP_FRAMES]
        lengths = sorted(int(length) for length in np.diff(cuts))
        if lengths[0] >= SHORTEST_FRAMES and lengths[-1] - lengths[-2] >= LEAD_FRAMES:
            return cuts


def _about(rows: list[dict[str, Any]], n: int, seed: int) -> dict[str, Any]:
    dominant = Counter(row["truth"]["dominant_operation"] for row in rows)
    following = Counter(row["truth"]["anticipated_next_operation"] for row in rows)
    return {
        "version": VERSION,
        "seed": seed,
        "n": n,
        "grammar": {"cycle": list(CYCLE), "steps": list(STEPS)},
        "shortest_frames": SHORTEST_FRAMES,
        "lead_frames": LEAD_FRAMES,
        "label_entropy_bits": {
            "dominant_operation": round(label_entropy(dominant), 4),
            "anticipated_next_operation": round(label_entropy(following), 4),
        },
        "labels": dict(sorted(dominant.items())),
        "versions": {"python": sys.version.split()[0], "numpy": np.__version__, "av": av.__version__},
    }
