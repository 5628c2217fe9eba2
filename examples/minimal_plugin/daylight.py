"""By day or by night? A whole vlmkit plugin in one file: a typed answer, data, a prompt, weights and a score."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import PIL.Image
from pydantic import BaseModel, ConfigDict

from vlmkit.decoders.json import JsonDecoder
from vlmkit.errors import DataError
from vlmkit.hookspecs import Register, hookimpl
from vlmkit.media import ImageSpec, VideoSpec
from vlmkit.task import BuildOptions, Preset, Scoring, Task
from vlmkit.types import Image, Message, Prediction, Prompt, Sample, Slot

if TYPE_CHECKING:
    from vlmkit.model import Model

WEIGHTS = "Qwen/Qwen2.5-VL-3B-Instruct"
Time = Literal["day", "night"]
TIMES: tuple[Time, ...] = get_args(Time)


class Daylight(BaseModel):
    """The answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    taken_by: Time


@hookimpl
def vlmkit_register_tasks(register: Register) -> None:
    """What the plugin brings; the factory is imported when somebody asks for it."""
    register("daylight", "daylight:task", summary="by day or by night? (Qwen2.5-VL)")


def prompt(sample: Sample) -> Prompt:
    """The question, the same in training and in serving."""
    question = f"Was this picture taken by day or by night? Answer in JSON: taken_by, one of {', '.join(TIMES)}."
    return Prompt((Message("user", (Slot("image"), question)),))


def decoder() -> JsonDecoder[Daylight]:
    """The reader of the reply; the model cannot write anything that it does not read."""
    return JsonDecoder(Daylight)


def build(preset: str, options: BuildOptions) -> Model[Daylight]:
    """Weights to a model. Torch is imported here and not before."""
    from vlmkit.model import Model
    from vlmkit.native import open_native
    from vlmkit.placement import placement

    where = placement(options.device, options.precision)
    replayed = options.specs or specs(preset)  # a checkpoint brings the preprocessing that it was trained with
    native = open_native(
        options.checkpoint or WEIGHTS,
        video=VideoSpec.from_json(replayed["video"]),
        image=ImageSpec.from_json(replayed["image"]),
        where=where,
        revision=options.revision,
    )
    return Model(
        encoders=(native.encoder,),
        projector=native.projector,
        llm=native.llm,
        decoder=decoder(),
        prompt=prompt,
        requires=frozenset({"image"}),
        backbone=native,
    )


def specs(preset: str) -> Mapping[str, Any]:
    """What the model looks at."""
    return {"video": VideoSpec().to_json(), "image": ImageSpec().to_json()}


def read(folder: Path) -> Iterator[Sample]:
    """Pictures in `day/` and `night/`. Raises `DataError` when there are none."""
    found = [(time, path) for time in TIMES for path in sorted((folder / time).glob("*.png"))]
    if not found:
        raise DataError(f"{folder}: no day/*.png or night/*.png; draw some with: vlmkit synth daylight -o DIR")
    for time, path in found:
        yield Sample(f"{time}/{path.stem}", {"image": Image(path)}, truth=Daylight(taken_by=time))


def synth(folder: Path, n: int, seed: int, workers: int) -> None:
    """Skies over a dark ground: a bright gradient, or a dark one with stars. `[96, 128, 3]`, uint8."""
    draw = np.random.default_rng(seed)
    for index in range(n):
        time: Time = TIMES[int(draw.integers(2))]
        low, high = (130, 240) if time == "day" else (5, 45)
        pixels = np.linspace(high, low, 96)[:, None, None] * draw.uniform(0.8, 1.0, 3) * np.ones((96, 128, 1))
        if time == "night":
            pixels[draw.integers(0, 60, 40), draw.integers(0, 128, 40)] = 230
        pixels[70:] *= 0.4
        path = folder / time / f"{index:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(pixels.astype(np.uint8)).save(path)


def to_json(prediction: Prediction[Daylight]) -> dict[str, Any]:
    """The promised record, or the reasons why there is none."""
    if prediction.value is None:
        return {"id": prediction.sample_id, "problems": [problem.code for problem in prediction.problems]}
    return {"id": prediction.sample_id, **prediction.value.model_dump()}


def from_json(record: Any) -> tuple[str, Daylight]:
    """The record, back to id and answer."""
    return record["id"], Daylight(taken_by=record["taken_by"])


def row(truth: Daylight, answer: Daylight | None) -> Mapping[str, float | None]:
    """No answer is a wrong answer."""
    return {"accuracy": float(answer == truth)}


def baselines(truths: Sequence[Daylight], ids: Sequence[str], seed: int) -> Mapping[str, Sequence[Daylight]]:
    """What can be scored without looking."""
    draw = random.Random(seed)
    most = Counter(truths).most_common(1)[0][0]
    return {"majority": [most for _ in ids], "chance": [Daylight(taken_by=draw.choice(TIMES)) for _ in ids]}


def task() -> Task[Daylight]:
    """Everything that vlmkit has to ask about the task."""
    return Task(
        name="daylight",
        summary="was a picture taken by day or by night",
        result=Daylight,
        accepts=frozenset({"image"}),
        requires=frozenset({"image"}),
        presets={"qwen2.5-vl-3b": Preset("qwen2.5-vl-3b", "Qwen2.5-VL 3B Instruct as it is", {"weights": WEIGHTS})},
        default_preset="qwen2.5-vl-3b",
        prompt=prompt,
        decoder=decoder,
        build=build,
        specs=specs,
        stages=lambda preset: (),
        read=read,
        synth=synth,
        to_json=to_json,
        from_json=from_json,
        scoring=Scoring(row=row, combine=lambda means: {}, baselines=baselines, label=lambda value: value.taken_by),
    )
