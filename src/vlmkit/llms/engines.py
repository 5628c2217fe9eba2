"""Engines that run a vision-language model elsewhere than in `transformers`: which one is meant, opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vlmkit.errors import UnknownNameError, WiringError
from vlmkit.protocols import Engine, LanguageModel

if TYPE_CHECKING:
    from vlmkit.llms.served import ServedWeights
    from vlmkit.media.spec import ImageSpec, VideoSpec
    from vlmkit.task import BuildOptions

ENGINES = ("vllm", "openai")


class HostedLanguage(LanguageModel, Protocol):
    """A language model of a composed head that an engine runs."""

    @property
    def backbone(self) -> ServedWeights:
        """The engine's weights."""
        ...


def open_engine(options: BuildOptions, source: str | Path, *, video: VideoSpec, image: ImageSpec) -> Engine:
    """The engine that `options` name, with its adapter, ready to answer.

    Args:
        source: hub id or directory of the base, in Hugging Face's layout.
        video, image: how media are opened for it (`encoders.opened.Opened`); it changes nothing of them.

    Raises `MissingExtraError` where its library is absent, `AdapterError` for an adapter that it cannot serve,
    `CheckpointError` for weights that are not there, `WiringError` for options that it has not.
    """
    if options.engine == "vllm":
        require_saved(options)
        from vlmkit.llms.vllm import open_vllm

        return open_vllm(options, source, video=video, image=image)
    if options.engine == "openai":
        from vlmkit.llms.openai import open_openai

        return open_openai(options, source, video=video, image=image)
    if options.engine == "local":
        raise WiringError("engine 'local' is `transformers` in this process: vlmkit.native.open_native opens it")
    raise UnknownNameError("engine", options.engine, ["local", *ENGINES])


def require_saved(options: BuildOptions) -> None:
    """Raises `WiringError` for random weights: an engine opens what lies somewhere."""
    if options.weights == "random":
        raise WiringError(
            f"engine {options.engine!r} opens weights that lie somewhere; save random ones first: "
            "vlmkit.load(TASK, weights='random').save_pretrained(DIR), then load DIR"
        )


def open_language(options: BuildOptions, source: str | Path, tokenizer: Any) -> HostedLanguage:
    """The language model of a composed head on the engine that `options` name; encoders stay in this process.

    Args:
        source: hub id or directory of the language model, in Hugging Face's layout.
        tokenizer: the one that the head was trained with.

    Raises like `open_engine`; `WiringError` also for servers, which take no rows of our encoders.
    """
    if options.engine == "vllm":
        from vlmkit.llms.vllm import open_vllm_text

        return open_vllm_text(options, source, tokenizer)
    raise WiringError(
        f"engine {options.engine!r} takes words, pictures and films; this head's encoders give rows, which only "
        "engine='vllm' takes besides 'local' (--engine vllm)"
    )
