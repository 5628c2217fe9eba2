"""A small head on a server: pictures and films to one JSON document."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, Field

from vlmkit.decoders.json import JsonDecoder
from vlmkit.hosted import engine_model
from vlmkit.llms.openai.engine import OpenAi
from vlmkit.media.spec import ImageSpec, VideoSpec
from vlmkit.model import Model
from vlmkit.remote import Server
from vlmkit.task import BuildOptions
from vlmkit.types import Clip, Image, Message, Prompt, Sample, Slot

VIDEO = VideoSpec(fps=4, min_pixels=28 * 28, max_pixels=56 * 56)
IMAGE = ImageSpec(min_pixels=28 * 28, max_pixels=56 * 56)


class Seen(BaseModel):
    colour: Literal["red", "blue"]
    words: Annotated[str, Field(max_length=20)]


GOOD = '{"colour":"red","words":"a ball"}'


def prompt(sample: Sample) -> Prompt:
    slots = tuple(Slot(modality) for modality in ("image", "video") if modality in sample.media)
    return Prompt((Message("system", ("You look.",)), Message("user", (*slots, f"What is it? {sample.text or ''}"))))


def model(
    url: str | None, *, source: str = "base", options: dict[str, Any] | None = None, **server: Any
) -> Model[Seen]:
    """The head; `server` are fields of `Server`."""
    chosen = BuildOptions(engine="openai", server=Server(url, **{"retries": 1, **server}), **(options or {}))
    return engine_model(
        chosen, source, video=VIDEO, image=IMAGE, decoder=JsonDecoder(Seen, lenient=True), prompt=prompt
    )


def engine(made: Model[Seen]) -> OpenAi:
    assert isinstance(made.engine, OpenAi)
    return made.engine


def noise(n: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, (n, 56, 56, 3), dtype=np.uint8)


def film(name: str = "film", n: int = 4, fps: float = 4, text: str | None = None) -> Sample:
    return Sample(name, {"video": Clip(noise(n), fps=fps)}, text)


def picture(name: str = "picture", text: str | None = None) -> Sample:
    return Sample(name, {"image": Image(noise(1)[0])}, text)
