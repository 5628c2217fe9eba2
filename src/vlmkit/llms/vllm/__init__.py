"""vLLM in this process: continuous batching, LoRA adapters by request, the decoder's own grammar. Extra `vllm`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmkit.llms.vllm.embedded import VllmEmbedded
from vlmkit.llms.vllm.engine import Vllm
from vlmkit.llms.vllm.settings import VllmSettings

if TYPE_CHECKING:
    from vlmkit.media.spec import ImageSpec, VideoSpec
    from vlmkit.task import BuildOptions

__all__ = ["Vllm", "VllmEmbedded", "VllmSettings", "open_vllm", "open_vllm_text"]

ADAPTER = "adapter"
"""What the one adapter of a head is called."""


def open_vllm(options: BuildOptions, source: str | Path, *, video: VideoSpec, image: ImageSpec) -> Vllm:
    """The engine of a head: `source` with the adapter of the options, which answers everything."""
    return Vllm(source, video=video, image=image, **_arguments(options))


def open_vllm_text(options: BuildOptions, source: str | Path, tokenizer: Any) -> VllmEmbedded:
    """The language model of a composed head: `source` with the adapter of the options, which answers everything."""
    return VllmEmbedded(source, tokenizer, **_arguments(options))


def _arguments(options: BuildOptions) -> dict[str, Any]:
    return {
        "adapters": {} if options.adapter is None else {ADAPTER: options.adapter},
        "active": None if options.adapter is None else ADAPTER,
        "device": options.device,
        "precision": options.precision,
        "revision": options.revision,
    }
