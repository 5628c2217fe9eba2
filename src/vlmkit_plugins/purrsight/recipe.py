"""The only file that knows weights: presets to models."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, BertModel, PreTrainedTokenizerFast, Qwen2ForCausalLM

from vlmkit.composed import LLM, Composed
from vlmkit.edge import is_packed
from vlmkit.encoders.panns import Cnn14, Panns, PannsConfig, load_cnn14
from vlmkit.encoders.text import HfText, open_text, without_pooler
from vlmkit.encoders.timm import TimmImages, open_timm
from vlmkit.errors import CheckpointError, WiringError
from vlmkit.llms.embedded import CausalLm
from vlmkit.llms.engines import open_language, require_saved
from vlmkit.llms.pretrained import load_pretrained, load_tokenizer
from vlmkit.llms.small import scaled_start, small_tokenizer, with_first
from vlmkit.media.spec import AudioSpec, ImageSpec, VideoSpec
from vlmkit.model import Model
from vlmkit.parts import Part, PartHost, public_parts, restore
from vlmkit.placement import Placement, placement
from vlmkit.projectors.aligned import Aligned
from vlmkit.protocols import Encoder
from vlmkit.task import BuildOptions
from vlmkit.types import Modality
from vlmkit_plugins.purrsight import architecture, packed
from vlmkit_plugins.purrsight.architecture import FIGURES
from vlmkit_plugins.purrsight.head import decoder, presets, prompt
from vlmkit_plugins.purrsight.schema import CatReport
from vlmkit_plugins.purrsight.specs import AUDIO, IMAGE, RATE_HZ, TEXT_TOKENS, VIDEO

CNN14_VARIABLE = "VLMKIT_CNN14_16K"
"""Names the converted Cnn14 file; without it, it is looked for in the cache folder."""
MINILM_VARIABLE = "VLMKIT_MINILM"
"""Names a local folder with the text tower; without it, it comes from the hub, where it may lie as a pickle only."""


@dataclass(frozen=True)
class Modules:
    """The encoders' networks. `text` reads through `words`, which puts a token of its own before a text."""

    image: nn.Module
    audio: Cnn14
    text: Any
    words: Any


def build(preset: str, options: BuildOptions) -> Model[CatReport]:
    """Wire a preset. Raises `CheckpointError` where weights are missing."""
    where = placement(options.device, options.precision)
    if where.quantization is not None and options.weights == "random":
        raise WiringError("random weights cannot be quantised to int4; choose precision fp32, bf16 or fp16")
    folder = Path(options.checkpoint) if options.checkpoint is not None else None
    if folder is not None and is_packed(folder):
        return packed.build(preset, options, folder)
    if options.engine != "local":
        return _hosted(preset, options, folder, where)
    sources = _public(preset, options, folder)
    with torch.random.fork_rng():  # what is drawn here is nobody else's luck
        torch.manual_seed(0)
        hf, tokenizer, commit = _llm(preset, options, folder, where)
        modules = _modules(preset, sources, tokenizer, options.specs)
        readers = encoders(modules, preset, options.specs)
        projector = _projector(readers, hf.config.hidden_size, preset)
    parts = _parts(modules, projector, sources, folder, where)
    public = options.weights == "pretrained" and not _has_llm(folder) and preset != "tiny"
    return Model(
        encoders=readers,
        projector=projector,
        llm=CausalLm(hf, tokenizer),
        decoder=decoder(),
        prompt=prompt,
        backbone=Composed(hf, tokenizer, parts, presets()[preset].sources["llm"] if public else None, commit),
    )


def _hosted(preset: str, options: BuildOptions, folder: Path | None, where: Placement) -> Model[CatReport]:
    """Encoders and projector in this process, the language model on an engine."""
    require_saved(options)
    source, tokenizers = _language(preset, folder)
    tokenizer = load_tokenizer(tokenizers, source, options.revision)
    sources = _public(preset, options, folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        modules = _modules(preset, sources, tokenizer, options.specs)
        llm = open_language(options, source, tokenizer)
        readers = encoders(modules, preset, options.specs)
        projector = _projector(readers, llm.dim, preset)
    parts = _parts(modules, projector, sources, folder, where)
    return Model(
        encoders=readers,
        projector=projector,
        llm=llm,
        decoder=decoder(),
        prompt=prompt,
        backbone=llm.backbone.beside(PartHost(parts).untrained),
    )


def _parts(
    modules: Modules, projector: Aligned, sources: Mapping[str, str], folder: Path | None, where: Placement
) -> dict[str, Part]:
    """All but the language model, with the weights of a checkpoint where there is one, ready to answer."""
    parts = {
        "image": Part(modules.image, "encoder", sources.get("image")),
        "audio": Part(modules.audio, "encoder", sources.get("audio")),
        "text": Part(modules.text, "encoder", sources.get("text")),
        "aligner": Part(projector.aligner, "aligner"),
        "projector": Part(projector.module, "projector"),
    }
    if folder is not None:
        restore(parts, folder)
    for part in parts.values():
        part.module.to(where.device).eval()
    return parts


def encoders(modules: Modules, preset: str, specs: Mapping[str, Any] | None = None) -> tuple[Encoder, ...]:
    """Readers of pictures and films, of sounds, and of words; `specs` replays what a checkpoint was trained with."""
    image, video, audio, longest = IMAGE, VIDEO[preset], AUDIO[preset], TEXT_TOKENS
    if specs is not None:
        longest = int(specs["text"]["max_tokens"])
        image = ImageSpec.from_json(specs["image"]["picture"])
        video = VideoSpec.from_json(specs["video"]["film"])
        audio = AudioSpec.from_json(specs["audio"]["sound"])
    figures = FIGURES[preset]
    tower = presets()[preset].sources.get("text", preset)
    made: tuple[Encoder, ...] = (
        TimmImages(modules.image, image=image, video=video, name=figures.trunk),
        Panns(modules.audio, audio=audio),
        HfText(modules.text, modules.words, max_tokens=longest, name=tower),
    )
    return made


def random_modules(preset: str) -> Modules:
    """The encoders of a preset with random weights and hardly any words; nothing is downloaded."""
    with torch.random.fork_rng():
        return _modules(preset, {}, small_tokenizer((), architecture.CHAT))


def _projector(readers: Sequence[Encoder], out_dim: int, preset: str) -> Aligned:
    figures = FIGURES[preset]
    widths: dict[Modality, int] = {modality: one.dim for one in readers for modality in one.modalities}
    return Aligned(widths, out_dim, dim=figures.shared, hidden=figures.hidden, n_tokens=figures.tokens)


def _modules(
    preset: str, sources: Mapping[str, str], tokenizer: Any, specs: Mapping[str, Any] | None = None
) -> Modules:
    """`specs` is what a checkpoint was trained with: it counts before today's figures and before timm's defaults."""
    figures = FIGURES[preset]
    trunk: Any = open_timm(figures.trunk, "pretrained" if "image" in sources else "random", **figures.widths)
    if figures.side_px is not None:  # the whole square: ears and tails reach its edges
        size = {"input_size": (3, figures.side_px, figures.side_px), "crop_pct": 1.0}
        trunk.pretrained_cfg = {**trunk.pretrained_cfg, **size}
    if specs is not None:
        seen = {name: tuple(v) if isinstance(v, list) else v for name, v in specs["image"]["data"].items()}
        trunk.pretrained_cfg = {**trunk.pretrained_cfg, **seen}
    if "audio" in sources:
        audio = load_cnn14(_cnn14_file(sources["audio"]), rate_hz=RATE_HZ)
    else:
        audio = Cnn14(PannsConfig.from_json(specs["audio"]["network"]) if specs is not None else figures.panns)
    if "text" in sources:
        tower = open_text(os.environ.get(MINILM_VARIABLE) or sources["text"], max_tokens=TEXT_TOKENS)
        return Modules(trunk, audio, tower.module, tower.tokenizer)
    words = with_first(deepcopy(tokenizer))
    text = without_pooler(BertModel(architecture.text_config(preset, words)))
    return Modules(trunk, audio, text, words)


def _llm(preset: str, options: BuildOptions, folder: Path | None, where: Placement) -> tuple[Any, Any, str | None]:
    """The causal LM in eval mode, its tokenizer, and the hub's commit."""
    if options.weights == "random":
        tokenizer = architecture.tokenizer()
        with torch.device(where.device):
            before = torch.get_default_dtype()
            torch.set_default_dtype(where.dtype)
            try:
                hf = Qwen2ForCausalLM(architecture.llm_config(preset, tokenizer))
            finally:
                torch.set_default_dtype(before)
        if preset == "tiny":
            scaled_start(hf)
        return hf.eval(), tokenizer, None
    source, tokenizers = _language(preset, folder)
    return load_pretrained(AutoModelForCausalLM, tokenizers, source, where, options.revision)


def _language(preset: str, folder: Path | None) -> tuple[str | Path, Any]:
    """Where the language model lies, and the class that its tokenizer is loaded by."""
    if folder is not None and _has_llm(folder):
        # Not AutoTokenizer: beside a Qwen2 config it replaces the saved splitting of words by Qwen2's own.
        return folder / LLM, PreTrainedTokenizerFast
    return presets()[preset].sources["llm"], AutoTokenizer


def _public(preset: str, options: BuildOptions, folder: Path | None) -> dict[str, str]:
    """Which encoders come from elsewhere, and from where."""
    if folder is not None:
        return public_parts(folder)
    if options.weights == "random":
        return {}
    return {name: source for name, source in presets()[preset].sources.items() if name != "llm"}


def _has_llm(folder: Path | None) -> bool:
    return folder is not None and (folder / LLM).is_dir()


def _cnn14_file(source: str) -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(os.environ.get(CNN14_VARIABLE) or Path(home) / "vlmkit" / "Cnn14_16k.safetensors")
    if not path.is_file():
        raise CheckpointError(
            f"{path}: PANNs' {source} is not there: download {source}.pth (Zenodo record 3987831), then type: vlmkit "
            f"convert {source}.pth -o {path}; preset='tiny' (--preset tiny) works offline"
        )
    return path
