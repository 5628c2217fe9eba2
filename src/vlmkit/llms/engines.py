"""Engines that run a vision-language model elsewhere than in `transformers`: which one is meant, opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vlmkit.errors import UnknownNameError, WiringError
from vlmkit.protocols import Engine

if TYPE_CHECKING:
    from vlmkit.media.spec import ImageSpec, VideoSpec
    from vlmkit.task import BuildOptions

ENGINES = ("vllm", "openai")


def open_engine(options: BuildOptions, source: str | Path, *, video: VideoSpec, image: ImageSpec) -> Engine:
    """The engine that `options` name, with its adapter, ready to answer.

    Args:
        source: hub id or directory of the base, in Hugging Face's layout.
        video, image: how media are opened for it (`encoders.opened.Opened`); it changes nothing of them.

    Raises `MissingExtraError` where its library is absent, `AdapterError` for an adapter that it cannot serve,
    `CheckpointError` for weights that are not there, `WiringError` for options that it has not.
    """
    if options.engine == "vllm":
        from vlmkit.llms.vllm import open_vllm

        return open_vllm(options, source, video=video, image=image)
    if options.engine == "openai":
        from vlmkit.llms.openai import open_openai

        return open_openai(options, source, video=video, image=image)
    if options.engine == "local":
        raise WiringError("engine 'local' is `transformers` in this process: vlmkit.native.open_native opens it")
    raise UnknownNameError("engine", options.engine, ["local", *ENGINES])
