"""Random tiny models on disk with adapters beside them, and the local engine's replies to compare with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, RootModel
from safetensors.torch import load_file, save_file

from tests.tiny_models import tiny_qwen2_5_vl, tiny_qwen3_vl
from vlmkit.decoders.schema import bounded
from vlmkit.encoders.opened import Opened
from vlmkit.llms.vllm.adapters import Served, servable
from vlmkit.media.spec import ImageSpec, VideoSpec
from vlmkit.native import Native, views
from vlmkit.prepared import prepare
from vlmkit.types import (
    Batch,
    Clip,
    Constraint,
    Generation,
    Image,
    Limits,
    Message,
    Modality,
    Prompt,
    Sample,
    Slot,
)

ORDER: tuple[Modality, ...] = ("image", "video")
LLM_ONLY = {"role": "llm", "r": 4, "alpha": 8}


class Thing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Literal["cat", "ball", "goal"]
    words: Annotated[str, Field(max_length=10)]  # random models write quotes and escapes into it
    count: Annotated[int, Field(ge=0, le=120)]


class Things(RootModel[Annotated[list[Thing], Field(max_length=2)]]):
    pass


SCHEMA: Constraint = bounded(Things)


@dataclass(frozen=True)
class Saved:
    """A tiny model as it lies on disk, and how its media are opened."""

    folder: Path
    video: VideoSpec
    image: ImageSpec

    def native(self, adapter: Path | None = None) -> Native:
        """The local engine's views of it."""
        from transformers import AutoModelForImageTextToText, AutoProcessor

        hf = AutoModelForImageTextToText.from_pretrained(self.folder, attn_implementation="eager").eval()
        native = views(hf, AutoProcessor.from_pretrained(self.folder), video=self.video, image=self.image)
        if adapter is not None:
            native.load_adapter(adapter)
        return native

    def opened(self, samples: Sequence[Sample]) -> list[dict[str, Any]]:
        """What an engine is given of each."""
        reader = Opened(video=self.video, image=self.image)
        made = []
        for sample in samples:
            told: dict[str, Any] = {}
            for modality in ORDER:
                told |= {k: v for k, v in (reader.transform(sample, modality) or {}).items() if k in ORDER}
            made.append(told)
        return made


def saved(family: str, folder: Path, fps: float = 4.0) -> Saved:
    """`family` is qwen2_5_vl or qwen3_vl."""
    hf, processor = (tiny_qwen2_5_vl if family == "qwen2_5_vl" else tiny_qwen3_vl)()
    side = 28 if family == "qwen2_5_vl" else 32
    hf.save_pretrained(folder)
    processor.save_pretrained(folder)
    video = VideoSpec(fps=fps, max_frames=16, min_pixels=4 * side**2, max_pixels=9 * side**2, multiple_px=side)
    return Saved(folder, video, ImageSpec(min_pixels=4 * side**2, max_pixels=16 * side**2, multiple_px=side))


def adapter(base: Saved, folder: Path, seed: int, spec: Mapping[str, Any] = LLM_ONLY, size: float = 0.3) -> Path:
    """A LoRA adapter with drawn weights, saved as vlmkit saves one after training."""
    native = base.native()
    native.add_lora(**spec)
    draw(native.hf, seed, size)
    native.save_adapter(folder, {})
    return folder


@dataclass(frozen=True)
class Ground:
    """A base and an adapter that fits it."""

    base: Saved
    plain: Path

    @classmethod
    def made(cls, folder: Path) -> Ground:
        """Both, written into a folder."""
        base = saved("qwen2_5_vl", folder / "base")
        return cls(base, adapter(base, folder / "plain", 1))

    def opened(self, path: Path) -> list[Served]:
        """An adapter, looked at as it is before vLLM is started."""
        return servable({"a": path}, self.base.folder, None, None)


def draw(hf: Any, seed: int, size: float = 0.3) -> None:
    """Random numbers into every B (and A), as if it had been trained."""
    noise = torch.Generator().manual_seed(seed)
    for name, parameter in hf.named_parameters():
        if ".lora_" in name:
            parameter.data = torch.randn(parameter.shape, generator=noise) * size


def clip(seed: int, n: int, fps: float, height: int = 90, width: int = 120) -> Clip:
    return Clip(np.random.default_rng(seed).integers(0, 256, (n, height, width, 3), dtype=np.uint8), fps=fps)


def picture(seed: int, height: int = 100, width: int = 70) -> Image:
    return Image(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def samples() -> list[Sample]:
    """Words alone, a picture, films of rates above and below the asked one, thinned out, and both at once."""
    return [
        Sample("words", text="x"),
        Sample("picture", {"image": picture(1)}),
        Sample("film", {"video": clip(2, 30, 12.0)}),
        Sample("slow film", {"video": clip(3, 7, 3.0)}),
        Sample("long film", {"video": clip(4, 150, 25.0)}),
        Sample("one frame", {"video": clip(5, 1, 10.0)}),
        Sample("both", {"image": picture(6, 60, 90), "video": clip(7, 20, 10.0, 64, 64)}),
    ]


def asked(sample: Sample, words: str = "What is there? <|im_end|> not yet") -> Prompt:
    """A prompt with a slot for each medium, and a special token in it that is only text."""
    slots = [Slot(modality) for modality in ORDER if modality in sample.media]
    return Prompt((Message("system", ("You look.",)), Message("user", (*slots, words))))


def local(
    native: Native,
    given: Sequence[Sample],
    constraints: Sequence[Constraint | None],
    limits: Limits,
    prompts: Sequence[Prompt] | None = None,
) -> list[Generation]:
    """The local engine's replies."""
    prepared = [prepare(sample, (native.encoder,), (True,), frozenset()) for sample in given]
    batch = Batch(tuple(one.sample for one in prepared), tuple(one.inputs[0] for one in prepared))
    with torch.inference_mode():
        tokens = native.projector.project(native.encoder.encode(batch))
    present = {lane: rows for lane, rows in tokens.items() if any(rows.lengths)}
    return native.llm.generate(prompts or [asked(sample) for sample in given], present, constraints, limits)


def same(found: Generation, wanted: Generation) -> None:
    """Two engines have read and written the same, and held it as probable."""
    assert found.prompt_ids == wanted.prompt_ids
    assert found.grids == wanted.grids
    assert found.ids == wanted.ids
    assert (found.text, found.stop, found.n_prompt, found.n_new, found.spans) == (
        wanted.text,
        wanted.stop,
        wanted.n_prompt,
        wanted.n_new,
        wanted.spans,
    )
    # Sums in another order differ by some 1e-6; the sharp attention of random weights makes up to 3e-3 of it.
    np.testing.assert_allclose(found.logprobs, wanted.logprobs, atol=1e-2)
    np.testing.assert_allclose(found.margins, wanted.margins, atol=1e-2)


def legal(text: str) -> None:
    """One document of `SCHEMA`, in the one way that it can be written: no white space, escapes of two bytes."""
    value = Things.model_validate_json(text).model_dump()
    assert text == json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def changed(
    source: Path,
    folder: Path,
    config: Mapping[str, Any] | None = None,
    tensors: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
) -> Path:
    """A copy of an adapter with other settings or weights."""
    folder.mkdir()
    told = json.loads((source / "adapter_config.json").read_text(encoding="utf-8"))
    (folder / "adapter_config.json").write_text(json.dumps({**told, **(config or {})}), encoding="utf-8")
    weights = load_file(source / "adapter_model.safetensors")
    save_file(tensors(weights) if tensors else weights, folder / "adapter_model.safetensors")
    return folder


def misnamed(weights: dict[str, Any]) -> dict[str, Any]:
    """The same weights under names that no engine has a module of."""
    return {key.replace("model.language_model.", "model.wrong."): value for key, value in weights.items()}
