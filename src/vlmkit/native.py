"""One Hugging Face vision-language model, seen as encoder, projector and language model.

The three views share one object and its weights. The cut is after the merger: Qwen2.5-VL features before it are in
window order. Tested with the classes of Qwen2.5-VL and Qwen3-VL.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from vlmkit.encoders.hf import HfVision
from vlmkit.errors import CheckpointError, WiringError
from vlmkit.llms.causal import CausalVlm
from vlmkit.llms.lora import LoraSpec, add_lora, load_adapter, merge_adapter, role_prefixes, save_adapter
from vlmkit.llms.lora.identity import DIGEST
from vlmkit.media.spec import ImageSpec, VideoSpec
from vlmkit.placement import Placement
from vlmkit.projectors.identity import Identity
from vlmkit.safety import refuse_pickles

FAMILIES = ("qwen2_5_vl", "qwen3_vl")


@dataclass
class Native:
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
    def identity(self) -> str:
        """What an adapter names as its base: the hub id, or a digest of the weights without any adapter."""
        if self.base is not None:
            return self.base
        digest = hashlib.sha256()
        for name, value in sorted(self._base_state().items()):
            digest.update(name.encode())
            digest.update(value.detach().float().cpu().contiguous().numpy().data)
        return f"{DIGEST}{digest.hexdigest()}"

    def save(self, directory: Path, dtype: torch.dtype | None = None) -> None:
        """Write base weights, configuration, tokenizer and processors in Hugging Face's own layout."""
        state = {name: value.to(dtype or value.dtype) for name, value in self._base_state().items()}
        self.hf.save_pretrained(directory, state_dict=state)
        self.processor.save_pretrained(directory)

    def _base_state(self) -> dict[str, Any]:
        """The weights under the names that they have without an adapter."""
        state = self.hf.state_dict().items()
        return {name.replace(".base_layer.", "."): value for name, value in state if ".lora_" not in name}

    def checkpoint_activations(self, on: bool) -> None:
        """Gradient checkpointing, in the variant that also works below frozen layers."""
        # transformers 5.23 deprecates the old word; 5.19 does not know the new one
        word = "activation" if hasattr(self.hf, "activation_checkpointing_enable") else "gradient"
        switch = getattr(self.hf, f"{word}_checkpointing_{'enable' if on else 'disable'}")
        switch(**({f"{word}_checkpointing_kwargs": {"use_reentrant": False}} if on else {}))

    def add_lora(self, **spec: Any) -> tuple[str, ...]:
        """Fresh LoRA weights in the language model; returns the names of the modules that got some."""
        matched = add_lora(self.hf, LoraSpec(**spec), role_prefixes(self.hf))
        for name, parameter in self.hf.named_parameters():
            if ".lora_" in name:
                parameter.data = parameter.data.float()  # steps of 2e-4 are lost between the steps of bf16
        return matched

    def load_adapter(self, directory: Path) -> tuple[str, ...]:
        """A PEFT directory, strictly: every key has to reach a module, and the base has to be the recorded one."""
        return load_adapter(self.hf, directory, base=self.identity, revision=self.revision).modules

    def merge_adapter(self) -> float:
        """Into the base, proved on the logits of random text; raises `AdapterError` where they differ."""
        noise = torch.Generator().manual_seed(0)
        ids = torch.randint(len(self.processor.tokenizer), (4, 32), generator=noise).to(self.hf.device)
        lost = merge_adapter(self.hf, lambda: self.hf(input_ids=ids).logits).lost
        self.base = self.revision = None  # these are nobody else's weights any more
        return lost

    def save_adapter(self, directory: Path, provenance: Mapping[str, Any]) -> None:
        """The LoRA weights as a PEFT directory that names its base."""
        save_adapter(self.hf, directory, base=self.identity, revision=self.revision, provenance=provenance)


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
    from transformers import AutoModelForImageTextToText, AutoProcessor

    if Path(source).is_dir():
        refuse_pickles(Path(source))
    else:
        _reachable(str(source), revision)
    try:
        processor = AutoProcessor.from_pretrained(source, revision=revision)
        hf, report = AutoModelForImageTextToText.from_pretrained(
            source, revision=revision, use_safetensors=True, output_loading_info=True, **where.loading()
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(
            f"cannot load {str(source)!r}: a file of it is missing or damaged, in the folder, in the local cache or on "
            "the hub; preset='tiny' (--preset tiny) works offline"
        ) from error
    _refuse_gaps(source, report)
    if where.quantization is None:
        hf = hf.to(where.device)
    commit = revision or getattr(hf.config, "_commit_hash", None)  # what the hub's branch stood for just now
    base = None if Path(source).is_dir() else str(source)
    return views(hf.eval(), processor, video=video, image=image, base=base, revision=commit if base else None)


def _refuse_gaps(source: str | Path, report: Mapping[str, Any]) -> None:
    """`transformers` fills what a file does not hold with random numbers, and goes on."""
    for kind in ("missing_keys", "mismatched_keys", "unexpected_keys"):
        if found := sorted(map(str, report.get(kind) or ())):
            raise CheckpointError(f"{source}: {len(found)} weights are {kind.split('_')[0]}, the first is {found[0]}")


def _reachable(source: str, revision: str | None) -> None:
    """One request instead of the hub client's minutes of retries, file by file, before it says that it is offline."""
    from huggingface_hub import constants, get_session, try_to_load_from_cache

    if isinstance(try_to_load_from_cache(source, "config.json", revision=revision), str):
        return
    answers = not constants.HF_HUB_OFFLINE
    try:
        if answers:
            get_session().head(constants.ENDPOINT, timeout=10)
    except Exception:  # the hub's HTTP library, and with it every error class, differs between its releases
        answers = False
    if not answers:
        raise CheckpointError(
            f"cannot load {source!r}: it is neither a local model directory nor in the local cache, and the hub does "
            "not answer; preset='tiny' (--preset tiny) works offline"
        )


def random_native(
    config: Any, processor: Any, *, video: VideoSpec, image: ImageSpec, where: Placement, seed: int = 0
) -> Native:
    """A model of this configuration with random weights: for benchmarks, memory plans and training from scratch.

    Raises `WiringError` for 4-bit precision, which exists for loaded weights only.
    """
    from transformers import AutoModelForImageTextToText

    if where.quantization is not None:
        raise WiringError("random weights cannot be quantised to int4; choose precision fp32, bf16 or fp16")
    torch.manual_seed(seed)
    with torch.device(where.device):
        hf = AutoModelForImageTextToText.from_config(config, dtype=where.dtype)
    return views(hf.eval(), processor, video=video, image=image)
