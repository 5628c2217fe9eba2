"""The only file that knows weights: presets to models."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import (
    DebertaV2Config,
    DebertaV2Model,
    PreTrainedTokenizerFast,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from vlmkit.assembled import TOKENIZER, Assembled
from vlmkit.encoders.hf_image import HfImages, open_image_tower
from vlmkit.encoders.text import HfText, open_text
from vlmkit.errors import WiringError
from vlmkit.llms.small import TURNS, scaled_start, small_tokenizer, with_first
from vlmkit.media.framing import Framing
from vlmkit.media.spec import WHOLE, ImageSpec
from vlmkit.model import Model
from vlmkit.parts import Part, public_parts, restore
from vlmkit.placement import placement
from vlmkit.projectors.fusion import Fusion
from vlmkit.protocols import Encoder
from vlmkit.task import BuildOptions
from vlmkit.types import Problem, Sample
from vlmkit_plugins.memes import wording
from vlmkit_plugins.memes.architecture import FIGURES
from vlmkit_plugins.memes.head import decoder, presets
from vlmkit_plugins.memes.phrases import TONES, caption
from vlmkit_plugins.memes.schema import Verdict
from vlmkit_plugins.memes.specs import FRAMING

MDEBERTA_VARIABLE = "VLMKIT_MDEBERTA"
"""Names a local folder with the text expert's base; without it, it comes from the hub, where it may lie as a pickle."""

_CAPTIONS = 4000  # drawn captions that the tiny tokenizer learns its words from
_WORDS = 1536


def build(preset: str, options: BuildOptions) -> Model[Verdict]:
    """Wire a preset. Raises `CheckpointError` where weights are missing."""
    if options.precision in ("int8", "int4"):
        raise WiringError(
            f"precision={options.precision!r} rounds a language model, and memes has none; choose fp32, bf16 or fp16"
        )
    where = placement(options.device, options.precision)
    folder = Path(options.checkpoint) if options.checkpoint is not None else None
    sources = _public(preset, options, folder)
    with torch.random.fork_rng():  # what is drawn here is nobody else's luck
        torch.manual_seed(0)
        readers = _experts(preset, sources, folder, options.specs)
        fusion = Fusion({"text": readers[0].dim, "image": readers[1].dim}, **FIGURES[preset].fusion)
        reader = decoder(fusion.widths)
    text, image = readers
    parts = {
        "text": Part(text.module, "encoder", sources.get("text")),
        "image": Part(image.module, "encoder", sources.get("image")),
        "fusion": Part(fusion.module, "projector"),
        "classifiers": Part(reader.module, "decoder"),
    }
    if folder is not None:
        restore(parts, folder)
    for part in parts.values():
        # What is made here is a few layers: it stays in fp32, and only the experts are made smaller.
        part.module.to(where.device, where.dtype if part.role == "encoder" else torch.float32).eval()
    return Model(
        encoders=readers,
        projector=fusion,
        llm=None,
        decoder=reader,
        prompt=None,
        backbone=Assembled(parts, text.tokenizer),
    )


def contracted(preset: str) -> tuple[Encoder, Encoder]:
    """The experts of a preset without any weights, for what they say of themselves."""
    with torch.device("meta"):
        return _experts(preset, {}, None, None)


def _public(preset: str, options: BuildOptions, folder: Path | None) -> dict[str, str]:
    """Which experts come from elsewhere, and from where."""
    if folder is not None:
        return public_parts(folder)
    if options.weights == "random":
        return {}
    return dict(presets()[preset].sources)


def _experts(
    preset: str, sources: Mapping[str, str], folder: Path | None, specs: Mapping[str, Any] | None
) -> tuple[HfText, HfImages]:
    return _text(preset, sources.get("text"), folder, specs), _image(preset, sources.get("image"), specs)


def _text(preset: str, source: str | None, folder: Path | None, specs: Mapping[str, Any] | None) -> HfText:
    figures = FIGURES[preset]
    longest = int(specs["text"]["max_tokens"]) if specs is not None else figures.text_tokens
    reading: dict[str, Any] = {"max_tokens": longest, "words": words, "words_spec": wording.SPEC}
    name = presets()[preset].sources.get("text", preset)
    if source is not None:
        tower = open_text(os.environ.get(MDEBERTA_VARIABLE) or source, max_tokens=longest)
        return HfText(tower.module, _with_markers(tower), name=name, **reading)
    tokenizer = _tokenizer(folder)
    config = {"vocab_size": len(tokenizer), **figures.text}
    hf = DebertaV2Model(DebertaV2Config(**config, pad_token_id=tokenizer.pad_token_id))
    return HfText(_started(hf, preset), tokenizer, name=name, **reading)


def _with_markers(tower: HfText) -> Any:
    """Its tokenizer, with a token of its own for each marker where the model has rows to spare, as mDeBERTa has."""
    rows = tower.module.get_input_embeddings().num_embeddings  # type: ignore[operator]
    if len(tower.tokenizer) + len(wording.MARKERS) <= rows:
        tower.tokenizer.add_tokens(list(wording.MARKERS), special_tokens=True)
    return tower.tokenizer


def words(sample: Sample) -> tuple[str, tuple[Problem, ...]]:
    """The one text of a sample, for the text expert."""
    found = wording.read(sample)
    return found.text, found.problems


def _tokenizer(folder: Path | None) -> PreTrainedTokenizerFast:
    """The saved one, or a small one over the words of synthetic captions."""
    if folder is not None:
        return PreTrainedTokenizerFast.from_pretrained(folder / TOKENIZER)
    rng = np.random.default_rng(0)
    drawn = [caption(tone, rng) for tone in TONES for _ in range(_CAPTIONS // len(TONES))]
    corpus = [wording.combined(text, lang="en") for text in drawn]
    return with_first(small_tokenizer(corpus, special=(*TURNS, *wording.MARKERS), size=_WORDS))


def _image(preset: str, source: str | None, specs: Mapping[str, Any] | None) -> HfImages:
    framing = Framing.from_json(specs["image"]["framing"]) if specs is not None else FRAMING[preset]
    picture = ImageSpec.from_json(specs["image"]["picture"]) if specs is not None else WHOLE
    if source is not None:
        return open_image_tower(source, row="pooled", image=picture, framing=framing)
    hf = SiglipVisionModel(SiglipVisionConfig(**FIGURES[preset].image))
    name = presets()[preset].sources.get("image", preset)
    return HfImages(_started(hf, preset), framing, image=picture, row="pooled", name=name)


def _started(hf: nn.Module, preset: str) -> Any:
    if preset == "tiny":
        scaled_start(hf)
    return hf.eval()
