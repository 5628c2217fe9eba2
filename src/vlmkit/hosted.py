"""A model that an engine runs: vLLM, or a server. It answers, and learns nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from vlmkit.encoders.opened import Opened
from vlmkit.llms.engines import open_engine
from vlmkit.media.spec import ImageSpec, VideoSpec
from vlmkit.model import Model
from vlmkit.protocols import Decoder
from vlmkit.task import BuildOptions
from vlmkit.types import Limits, Modality, Prompt, Sample

T = TypeVar("T")


def engine_model(
    options: BuildOptions,
    source: str | Path,
    *,
    video: VideoSpec,
    image: ImageSpec,
    decoder: Decoder[T],
    prompt: Callable[[Sample], Prompt],
    requires: frozenset[Modality] = frozenset(),
    limits: Limits | None = None,
) -> Model[T]:
    """A head's model on the engine that `options` name: the same media, prompt and decoder as in this process.

    Args:
        source: hub id or directory of the weights, in Hugging Face's layout.
        requires, limits: as of `Model`.

    Raises like `vlmkit.llms.engines.open_engine`.
    """
    engine = open_engine(options, source, video=video, image=image)
    return Model(
        encoders=(),
        projector=None,
        llm=None,
        decoder=decoder,
        prompt=prompt,
        requires=requires,
        limits=limits,
        backbone=engine.backbone,
        engine=engine,
        readers=(Opened(video=video, image=image),),
    )
