"""Synthetic match clips with known truth: `synth` writes a folder that `vlmkit_plugins.football.data.read` understands.

All of a clip comes from `default_rng([seed, index])`, and of a match from its number, so that neither the number of
workers nor the order changes a byte. Four clips make a match: they share the two teams and the stadium, and stand
under one `source`, so that a split by source keeps them together.
"""

from __future__ import annotations

import json
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
import PIL
from av.video.reformatter import VideoReformatter
from rich.console import Console
from rich.progress import track

from vlmkit.errors import DataError
from vlmkit_plugins.football.data import write_manifest
from vlmkit_plugins.football.drawing import Frames, render
from vlmkit_plugins.football.pen import SIZE_PX
from vlmkit_plugins.football.schema import Events
from vlmkit_plugins.football.story import FPS, Story, match_of, tell

VERSION = 2
"""Raised whenever the same seed would give other clips."""
CLIPS_A_MATCH = 4
GOP_FRAMES = 24
_SPLIT_FROM = 8  # clips; fewer are drawn faster than a second process starts


class Drawn(NamedTuple):
    """One clip: frames `[n, 112, 168, 3]` at `FPS`, and its story with the truth."""

    frames: Frames
    story: Story

    @property
    def truth(self) -> Events:
        """The answer."""
        return self.story.truth


def clip_story(seed: int, index: int) -> Story:
    """What happens in clip `index` of `seed`: the truth without the pictures."""
    return tell(match_of(seed, index // CLIPS_A_MATCH), np.random.default_rng([seed, index]))


def draw_clip(seed: int, index: int) -> Drawn:
    """Clip `index` of `seed`; the same arguments give the same bytes on every run."""
    story = clip_story(seed, index)
    frames = [frame.copy() for frame in render(story, np.random.default_rng([seed, index, 2]))]
    return Drawn(np.stack(frames), story)


def write_film(path: Path, frames: Iterable[Frames], fps: int = FPS, *, lossless: bool = False) -> None:
    """H.264, yuv420p, a key frame every `GOP_FRAMES`; the suffix names the container (mp4, mkv, ts).

    Frames are `[112, 168, 3]`, RGB, and streamed. `lossless` keeps every pixel as yuv420p has it.
    """
    with av.open(str(path), "w") as container:
        options = {"preset": "ultrafast", "crf": "0" if lossless else "26"}
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.pix_fmt = "yuv420p"
        stream.width, stream.height = SIZE_PX
        stream.gop_size = GOP_FRAMES
        stream.thread_count = 1  # the same bytes on every machine; processes do the rest
        convert = VideoReformatter()
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            container.mux(stream.encode(convert.reformat(picture, format="yuv420p", threads=1)))
        container.mux(stream.encode())


def synth(folder: Path, n: int, seed: int, workers: int) -> None:
    """Write `n` clips into `folder`: `videos/*.mp4`, `manifest.jsonl`, `synth.json`.

    The manifest comes last and whole, so a folder that was left half drawn is never read. Raises `DataError` for a
    folder that holds anything, and for counts below 1.
    """
    folder = Path(folder)
    if n < 1 or workers < 1 or seed < 0:
        raise DataError(f"synth wants n >= 1, workers >= 1, seed >= 0; given n={n}, workers={workers}, seed={seed}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder}: already holds files; name a new folder or delete this one")
    (folder / "videos").mkdir(parents=True)
    console = Console(stderr=True)
    rows = list(track(_rows(folder, n, seed, workers), "drawing clips", n, console=console, transient=True))
    about = json.dumps(_about(rows, n, seed), indent=2)
    (folder / "synth.json").write_text(about + "\n", encoding="utf-8")
    write_manifest(folder, rows)


def _rows(folder: Path, n: int, seed: int, workers: int) -> Iterator[dict[str, Any]]:
    draw = partial(_write_one, folder, seed)
    if workers == 1 or n < _SPLIT_FROM:
        yield from map(draw, range(n))
        return
    # spawn: the caller may hold torch or decoder threads, which do not survive a fork
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(draw, range(n), chunksize=CLIPS_A_MATCH)


def _write_one(folder: Path, seed: int, index: int) -> dict[str, Any]:
    story = clip_story(seed, index)
    name = f"{story.match.source}_c{index:06d}"
    video = f"videos/{name}.mp4"
    write_film(folder / video, render(story, np.random.default_rng([seed, index, 2])))
    return {
        "id": name,
        "video": video,
        "truth": story.truth.model_dump(mode="json"),
        "source": story.match.source,
        "meta": {
            "video_s": round(story.n_frames / FPS, 4),
            "timeline": story.timeline,
            "numbers": story.numbers,
            "jerseys": list(story.match.teams),
            "synthetic": True,
        },
    }


def _about(rows: list[dict[str, Any]], n: int, seed: int) -> dict[str, Any]:
    classes = Counter(event["event"] for row in rows for event in row["truth"])
    counts = Counter(str(len(row["truth"])) for row in rows)
    return {
        "version": VERSION,
        "seed": seed,
        "n": n,
        "classes": dict(sorted(classes.items())),
        "events_a_clip": dict(sorted(counts.items())),
        "versions": {
            "python": sys.version.split()[0],
            "numpy": np.__version__,
            "av": av.__version__,
            "pillow": PIL.__version__,
        },
    }
