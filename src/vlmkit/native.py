"""One Hugging Face vision-language model, seen as encoder, projector and language model.

The three views share one object and its weights. The cut is after the merger: Qwen2.5-VL features before it are in
window order. Tested with the classes of Qwen2.5-VL and Qwen3-VL.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vlmkit.encoders.hf import HfVision
from vlmkit.errors import WiringError
from vlmkit.llms.causal import CausalVlm
from vlmkit.llms.lora.host import LoraHost
from vlmkit.llms.pretrained import load_pretrained
from vlmkit.media.spec import ImageSpec, VideoSpec
from vlmkit.placement import Placement
from vlmkit.projectors.identity import Identity
from vlmkit.protocols import Role

FAMILIES = ("qwen2_5_vl", "qwen3_vl")


@dataclass
class Native(LoraHost):
    """The shared model with its three views.

    Attributes:
        hf: the `transformers` model; `processor`: its tokenizer and image and video processors.
        base: hub id that the weights are those of, with `revision`; None for weights that only exist here.
    """

    hf: Any
    processor: Any
    encoder: HfVision
    projector: Identity
    llm: CausalVlm
    base: str | None
    revision: str | None

    @property
    def tokenizer(self) -> Any:
        """The processor's own."""
        return self.processor.tokenizer

    @property
    def untrained(self) -> tuple[str, ...]:
        """Nothing: all three views are of one loaded model."""
        return ()

    def own(self, roles: Collection[Role]) -> None:
        """These roles were trained: the weights are nobody else's any more."""
        if set(roles) - {"lora"}:
            self.base = self.revision = None

    def save(self, directory: Path, dtype: torch.dtype | None = None) -> None:
        """Write base weights, configuration, tokenizer and processors in Hugging Face's own layout.

        Nothing where they are those of a hub id.
        """
        if self.base is not None:
            return
        self.hf.save_pretrained(directory, state_dict=self.stored_state(dtype))
        self.processor.save_pretrained(directory)


def views(
    hf: Any,
    processor: Any,
    *,
    video: VideoSpec,
    image: ImageSpec,
    base: str | None = None,
    revision: str | None = None,
) -> Native:
    """Three views on a model that is already in memory. Raises `WiringError` for a class that was never tested."""
    family = hf.config.model_type
    if family not in FAMILIES:
        raise WiringError(
            f"cannot view a {family!r} model as encoder, projector and llm; tested: {', '.join(FAMILIES)}"
        )
    encoder = HfVision(hf, processor, video=video, image=image)
    projector = Identity(encoder.modalities, encoder.dim)
    return Native(hf, processor, encoder, projector, CausalVlm(hf, processor), base, revision)


def open_native(
    source: str | Path, *, video: VideoSpec, image: ImageSpec, where: Placement, revision: str | None = None
) -> Native:
    """Load a hub id or a local directory. Raises `CheckpointError` when it is not there, or only as pickles.

    Args:
        source: hub id such as `Qwen/Qwen2.5-VL-3B-Instruct`, or a directory in the same layout.
    """
    _refuse_int8(where)
    from transformers import AutoModelForImageTextToText, AutoProcessor

    hf, processor, commit = load_pretrained(AutoModelForImageTextToText, AutoProcessor, source, where, revision)
    base = None if Path(source).is_dir() else str(source)
    return views(hf, processor, video=video, image=image, base=base, revision=commit)


def random_native(
    config: Any, processor: Any, *, video: VideoSpec, image: ImageSpec, where: Placement, seed: int = 0
) -> Native:
    """A model of this configuration with random weights: for benchmarks, memory plans and training from scratch.

    Raises `WiringError` for 4-bit precision, which exists for loaded weights only.
    """
    from transformers import AutoModelForImageTextToText

    _refuse_int8(where)
    if where.quantization is not None:
        raise WiringError("random weights cannot be quantised to int4; choose precision fp32, bf16 or fp16")
    torch.manual_seed(seed)
    with torch.device(where.device):
        hf = AutoModelForImageTextToText.from_config(config, dtype=where.dtype)
    return views(hf.eval(), processor, video=video, image=image)


def _refuse_int8(where: Placement) -> None:
    if where.int8:
        raise WiringError(
            "precision='int8' is for heads composed of encoders and a text model, not for vision-language models in "
            "this version; choose fp32, bf16, fp16 or int4 (--precision)"
        )
