"""Films with a known timeline, and a head without weights that reads it off the screen."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import torch
from torch import Tensor, nn

from vlmkit.head import Head
from vlmkit.media import VideoSpec, open_video
from vlmkit.model import Model
from vlmkit.projectors.identity import Identity
from vlmkit.task import Windowing
from vlmkit.testing.colours import colours
from vlmkit.times import hms
from vlmkit.types import Batch, Clip, Features, Inputs, Modality, Prediction, Problem, Sample
from vlmkit_plugins.football.merging import merge
from vlmkit_plugins.football.schema import CLASSES, Event, EventClass, Events, events_of

Timeline = Sequence[tuple[EventClass, float, float]]

WIDTH_PX, HEIGHT_PX = 32, 24
LEVEL = 16  # brightness of the first class, and how much brighter the next is
BROKEN = 250  # brightness at which the reader below gives up
SPEC = VideoSpec(fps=4.0, max_frames=240, min_pixels=1, max_pixels=WIDTH_PX * HEIGHT_PX, multiple_px=1)
WINDOWING = Windowing(window_s=6.0, step_s=4.0, merge=merge)


def shades(timeline: Timeline, length_s: float, rate: int = 12, broken: Iterable[float] = ()) -> list[int]:
    """The brightness of every frame; at seconds in `broken` that of no class."""
    found = []
    for i in range(round(length_s * rate)):
        shade = next((LEVEL * (1 + CLASSES.index(name)) for name, a, b in timeline if a <= i / rate < b), 0)
        found.append(BROKEN if any(second <= i / rate < second + 1 for second in broken) else shade)
    return found


def film(path: Path, grey: Sequence[int], rate: int = 12, codec: str = "ffv1", gop: int = 1, **options: str) -> Path:
    """Plain frames of these brightnesses, in the format that the file's name asks for; FFV1 loses nothing."""
    with av.open(path, "w") as output:
        stream = output.add_stream(codec, rate=rate, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = WIDTH_PX, HEIGHT_PX, "yuv420p", gop
        stream.codec_context.time_base = Fraction(1, rate)
        for i, shade in enumerate(grey):
            frame = av.VideoFrame.from_ndarray(np.full((HEIGHT_PX, WIDTH_PX, 3), shade, np.uint8))
            frame.pts, frame.time_base = i, Fraction(1, rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


class Eye:
    """One row a frame: its brightness and its time."""

    dim = 2

    def __init__(self) -> None:
        self.modalities: frozenset[Modality] = frozenset({"video"})
        self.reads = self.modalities
        self.module: nn.Module = nn.Linear(1, 1)
        self.spec: Mapping[str, Any] = {"video": SPEC.to_json()}

    def transform(self, sample: Sample, modality: Modality) -> Inputs | None:
        medium = sample.media.get(modality)
        if not isinstance(medium, Clip):
            return None
        seen = open_video(medium, SPEC)
        rows = np.stack([seen.images.mean((1, 2, 3)), np.array(seen.times_s)], axis=1)
        return {"video": torch.tensor(rows), "notes": seen.notes, "facts": {"video_s": seen.duration_s}}

    def encode(self, batch: Batch) -> dict[Modality, Features]:
        rows = [one.get("video", torch.zeros(0, 2)) for one in batch.inputs]
        return {"video": Features(torch.cat(rows).double(), tuple(len(one) for one in rows))}


class Reader:
    """Runs of one brightness are events; a window in which a frame is `BROKEN` has no answer."""

    reads: Literal["generation", "tokens"] = "tokens"

    def constraint(self, sample: Sample) -> None:
        return None

    def encode(self, value: Events) -> str:
        return value.model_dump_json()

    def decode(self, evidence: Mapping[Modality, Tensor], sample: Sample) -> Prediction[Events]:
        rows = [(round(float(grey) / LEVEL), float(time_s)) for grey, time_s in evidence["video"]]
        if any(place > len(CLASSES) for place, _ in rows):
            problem = Problem("too_bright", "one of its frames is no class", fatal=True)
            return Prediction(sample.id, None, (problem,), raw="bright")
        found = []
        for place, run in itertools.groupby(rows, key=lambda row: row[0]):
            times = [time_s for _, time_s in run]
            if place:
                start, end = hms(times[0]), hms(min(times[-1] + 1 / SPEC.fps, sample.meta["video_s"]))
                name = CLASSES[place - 1]
                found.append(Event(description=f"a {name}", start_time=start, end_time=end, event=name))
        sure = {f"{place}.event": 0.5 + place / 100 for place in range(len(found))}
        confidence = {"reply": 0.9, **sure}
        return Prediction(sample.id, events_of(found), confidence=confidence, raw=f"{len(found)} events")


def head(windowing: Windowing[Events] | None = WINDOWING) -> Head[Events]:
    """A head that sees every event of these films."""
    model: Model[Events] = Model(
        encoders=(Eye(),),
        projector=Identity(frozenset({"video"}), 2),
        llm=None,
        decoder=Reader(),
        prompt=None,
        requires=frozenset({"video"}),
    )
    only = frozenset[Modality]({"video"})
    changes: dict[str, Any] = {"accepts": only, "requires": only, "windowing": windowing, "result": Events}
    task: Any = replace(colours(), **changes)
    return Head(task, model, {"preset": "tiny", "training": []})


def told(prediction: Prediction[Events]) -> list[tuple[str, float, float]]:
    """Events as (class, start, end)."""
    assert prediction.value is not None, prediction.problems
    return [(one.event, one.start_s, one.end_s) for one in prediction.value.root]


def codes(prediction: Prediction[Any]) -> list[str]:
    """What is odd about it."""
    return [problem.code for problem in prediction.problems]
