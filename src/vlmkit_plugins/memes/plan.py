"""Parameters, bytes and memory at full size as text: `vlmkit info memes --plan`. Arithmetic only, without torch.

GB are 10^9 bytes. The figures are those of the parts' published configurations; a test counts the real modules, and
`vlmkit bench memes_full_size` measures memory beside this plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vlmkit.errors import UnknownNameError
from vlmkit_plugins.memes.architecture import FIGURES

PRECISIONS: Mapping[str, int] = {"fp32": 4, "bf16": 2}
"""Bytes of a weight."""

FROZEN_BATCH, EXPERTS_BATCH = 16, 8
"""Samples that the experts see at once: frozen in stage `fusion`, learning in stage `experts`."""

_PRESET = "mdeberta-siglip"
_CLASSES, _MEMBERS = 2, 3
_LEARNED = 12  # bytes a trained parameter takes beside its weight: its gradient, and AdamW's two moments


def parameters(preset: str = _PRESET) -> dict[str, int]:
    """Of each part of a preset that has figures of all its parts."""
    figures = FIGURES[preset]
    wide = {"text": figures.text["hidden_size"], "image": figures.image["hidden_size"]}
    fused = figures.fusion["out_dim"]
    rows = sum(wide.values())
    crosses = 0
    if figures.fusion["kind"] == "gated":  # each way: norms, query, key and value, output of 4 latents; and the gate
        crosses = sum(2 * rows + 4 * figures.fusion["hidden"] * (2 * a + 2 * (rows - a)) + 1 for a in wide.values())
    return {
        "text expert": _text(figures.text),
        "image expert": _image(figures.image),
        "fusion": rows + (rows + 1) * fused + crosses,  # a vector for each missing modality, and one linear layer
        "classifiers": _CLASSES * (rows + fused + _MEMBERS),
    }


def embedding(preset: str = _PRESET) -> int:
    """Parameters of the text expert's words, of which an answer reads a few hundred rows."""
    text = FIGURES[preset].text
    return int(text["vocab_size"] * text["hidden_size"])


def answering_bytes(precision: str = "fp32", batch: int = 1) -> int:
    """Weights, and the widest moment of either expert; libraries take about 1 GB more, before any model.

    The precision is that of the experts; fusion and classifiers stay in fp32.
    """
    found = parameters()
    small = found["fusion"] + found["classifiers"]
    moment = batch * max(_text_moment(), _image_moment())
    return PRECISIONS[precision] * (found["text expert"] + found["image expert"] + moment) + 4 * small


def fusion_bytes(batch: int = FROZEN_BATCH) -> int:
    """Stage `fusion` in fp32: frozen experts are asked about each sample once, as when serving; then their rows do."""
    found = parameters()
    learned = found["fusion"] + found["classifiers"]
    return answering_bytes(batch=batch) + _LEARNED * learned


def experts_bytes(batch: int = EXPERTS_BATCH) -> int:
    """Stage `experts` in fp32 with gradient checkpointing: AdamW for both, and what is kept for going back.

    Kept are the input of every layer, and all that one layer makes on the way. AdamW works on one parameter after the
    other, with two more of its size; the largest is the embedding.
    """
    found, figures = parameters(), FIGURES[_PRESET]
    learned = found["text expert"] + found["image expert"] + found["classifiers"]
    inputs = figures.text["num_hidden_layers"] * figures.text_tokens * figures.text["hidden_size"]
    inputs += figures.image["num_hidden_layers"] * _patches(figures.image) * figures.image["hidden_size"]
    layer = max(_text_layer(), _image_layer())
    kept = batch * (inputs + layer) + 2 * embedding()
    return int(4 * (sum(found.values()) + kept) + _LEARNED * learned)


def lines(preset: str) -> tuple[str, ...]:
    """The plan of a preset, one line of text each. Raises `UnknownNameError` for a preset without figures."""
    if preset == "tiny":
        return ("tiny: about 1.3 M parameters, 5 MB in fp32; it runs on a CPU and needs no plan",)
    if preset not in FIGURES:
        raise UnknownNameError("preset", preset, FIGURES)
    return tuple(_lines(preset))


def _lines(preset: str) -> Iterator[str]:
    found, figures = parameters(preset), FIGURES[preset]
    total, learned = sum(found.values()), found["fusion"] + found["classifiers"]
    words = figures.text["vocab_size"]
    yield f"{preset}: {total:,} parameters, of which {embedding():,} are the embedding of {words:,} words"
    for name, count in found.items():
        yield f"  {name:<13}{count:>13,}"
    side, patches = figures.image["image_size"], _patches(figures.image)
    yield f"a picture of {side} x {side} px is {patches} patches; a text is {figures.text_tokens} tokens at most"
    yield f"stage fusion trains fusion and classifiers: {learned:,}, {learned / total:.2%}; stage experts all others"
    yield ""
    yield "GB = 10^9 bytes; Python and its libraries take about 1 GB of memory more"
    yield f"  on disk, all of it in fp32          {4 * total / 1e9:6.2f} GB"
    yield f"  on disk, over public experts        {4 * learned / 1e9:6.3f} GB  (they are named by source and digest)"
    for precision in PRECISIONS:
        for batch in (1, 8):
            memory = answering_bytes(precision, batch) / 1e9
            yield f"  answering, {precision}, batch {batch}           {memory:6.2f} GB"
    frozen, trained = fusion_bytes() / 1e9, experts_bytes() / 1e9
    yield f"  training, stage fusion in fp32      {frozen:6.2f} GB  (experts frozen, {FROZEN_BATCH} memes at once)"
    yield f"  training, stage experts in fp32     {trained:6.2f} GB  (batch {EXPERTS_BATCH}, gradient checkpointing)"


def _layer(width: int, inner: int) -> int:
    """A transformer's layer: four matrices of attention, two of its MLP, two norms."""
    return 4 * width * (width + 1) + 2 * width * inner + inner + width + 4 * width


def _text(config: Mapping[str, Any]) -> int:
    width = config["hidden_size"]
    norms = 2 * width if config["norm_rel_ebd"] == "layer_norm" else 0
    positions = 2 * config["position_buckets"] * width + norms
    words = config["vocab_size"] * width + 2 * width
    return int(words + positions + config["num_hidden_layers"] * _layer(width, config["intermediate_size"]))


def _image(config: Mapping[str, Any]) -> int:
    width, inner = config["hidden_size"], config["intermediate_size"]
    patches = 3 * config["patch_size"] ** 2 * width + width + _patches(config) * width
    head = width + _layer(width, inner) - 2 * width  # attention from one learned query, one norm fewer
    return int(patches + config["num_hidden_layers"] * _layer(width, inner) + 2 * width + head)


def _patches(config: Mapping[str, Any]) -> int:
    return int((config["image_size"] // config["patch_size"]) ** 2)


def _text_moment() -> int:
    """Numbers alive at the widest moment of a layer, which is its disentangled attention.

    Maps are `tokens` x `tokens` a head: six of them, and two of indices with 8 bytes each; two more are `tokens` x
    2 `buckets`, words against positions and positions against words.
    """
    config, n = FIGURES[_PRESET].text, FIGURES[_PRESET].text_tokens
    maps = config["num_attention_heads"] * n * (10 * n + 2 * 2 * config["position_buckets"])
    return int(4 * n * config["hidden_size"] + maps)


def _image_moment() -> int:
    """Attention here is fused and keeps no map."""
    config = FIGURES[_PRESET].image
    n = _patches(config)
    return int(3 * config["image_size"] ** 2 + n * (2 * config["hidden_size"] + 2 * config["intermediate_size"]))


def _text_layer() -> int:
    """Numbers that going back through one layer needs: its maps, and its rows."""
    config, n = FIGURES[_PRESET].text, FIGURES[_PRESET].text_tokens
    return int(_text_moment() + n * (10 * config["hidden_size"] + 2 * config["intermediate_size"]))


def _image_layer() -> int:
    config = FIGURES[_PRESET].image
    return int(_patches(config) * (10 * config["hidden_size"] + 2 * config["intermediate_size"]))
