"""Parameters, bytes and memory at full size as text: `vlmkit info purrsight --plan`. Arithmetic only, without torch.

GB are 10^9 bytes. The figures are those of the parts' published configurations; a test counts the real modules, and
`vlmkit bench purrsight_full_size` measures memory beside this plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vlmkit.errors import UnknownNameError

TRUNK = 1_261_664
"""Parameters of mobilenetv4_conv_small without classifier and head; 960 numbers a row."""
TRUNK_NORMS = 22_573 * 4  # bytes: means and variances of its batch norms

_IMAGE, _AUDIO, _TEXT, _SHARED, _HIDDEN, _TOKENS = 960, 2048, 384, 512, 2048, 4
_KINDS, _TIMES = 3, 32  # kinds of rows with tokens; numbers that say when a row was
_CHANNELS = (64, 128, 256, 512, 1024, 2048)
_MELS, _FRAMES = 64, 1001  # of a window of 10 s
_TOWER = {"vocabulary": 30_522, "positions": 512, "layers": 6, "inner": 1536}

PRECISIONS: Mapping[str, tuple[int, int]] = {"fp32": (4, 4), "bf16": (2, 2), "int8": (1, 4)}
"""Bytes of a weight of the language model's matrices, and of everything else in it."""

RANK = 16
POSITIONS, BATCH = 512, 4
"""A prompt with its answer, and samples at once: what the plan's training rows stand for."""


@dataclass(frozen=True)
class TextModel:
    """A Qwen2 model with a tied head: the figures of its config.json."""

    vocabulary: int = 151_936
    hidden: int = 896
    inner: int = 4864
    layers: int = 24
    kv: int = 128  # 2 heads of 64

    @property
    def parameters(self) -> int:
        """All of them."""
        return self.matrices + self.layers * (3 * self.hidden + 2 * self.kv) + self.hidden

    @property
    def matrices(self) -> int:
        """What is rounded to int8: the embedding, which is the head too, and every layer's seven."""
        layer = 2 * self.hidden**2 + 2 * self.hidden * self.kv + 3 * self.hidden * self.inner
        return self.vocabulary * self.hidden + self.layers * layer

    @property
    def rows(self) -> int:
        """Output rows of the matrices, each of which has one scale in int8."""
        return self.vocabulary + self.layers * (3 * self.hidden + 2 * self.kv + 2 * self.inner)

    def lora(self, rank: int) -> int:
        """Parameters of an adapter on q, k, v and o."""
        return self.layers * rank * (2 * 2 * self.hidden + 2 * (self.hidden + self.kv))

    def bytes(self, precision: str) -> int:
        """Of its weights in memory, and on disk."""
        matrix, rest = PRECISIONS[precision]
        scales = 4 * self.rows if precision == "int8" else 0
        return matrix * self.matrices + rest * (self.parameters - self.matrices) + scales

    def cache(self, positions: int, each: int = 4) -> int:
        """Bytes of keys and values."""
        return 2 * self.layers * self.kv * positions * each


LLM = TextModel()


def parameters() -> dict[str, int]:
    """Of each part of preset qwen2.5-0.5b."""
    return {
        "image encoder": TRUNK,
        "audio encoder": _cnn14(),
        "text tower": _tower(),
        "aligner": sum(2 * width + width * _SHARED for width in (_IMAGE, _AUDIO, _TEXT)) + 1,
        "projector": _SHARED * _HIDDEN
        + _HIDDEN
        + (_HIDDEN + 1) * _TOKENS * LLM.hidden
        + (_KINDS + _TIMES) * LLM.hidden,
        "language model": LLM.parameters,
        "LoRA": LLM.lora(RANK),
    }


def exported_bytes() -> int:
    """What `vlmkit export` writes: graphs in fp32, the language model in int8, no text tower; without the tokenizer."""
    found = parameters()
    graphs = 4 * (found["image encoder"] + found["audio encoder"]) + TRUNK_NORMS
    return graphs + 4 * (found["aligner"] + found["projector"]) + LLM.bytes("int8")


def answering_bytes(precision: str, prompt: int = 384, reply: int = 128) -> int:
    """Weights as they lie in memory, keys and values, and the widest moment of the audio encoder or of the head.

    The text tower is loaded, except from an export; libraries take about 1 GB more, before any model.
    """
    found = parameters()
    others = sum(found[name] for name in ("image encoder", "audio encoder", "text tower", "aligner", "projector"))
    maps = 3 * _CHANNELS[0] * _MELS * _FRAMES * 4  # one convolution's input, output and workspace
    step = 4 * LLM.vocabulary * 3  # logits, their softmax, and the mask's copy
    return 4 * others + LLM.bytes(precision) + LLM.cache(prompt + reply) + max(maps, step)


def training_bytes() -> int:
    """Stage `sft` in fp32 with gradient checkpointing: every weight, AdamW for what is trained, and activations."""
    found = parameters()
    trained = found["projector"] + found["LoRA"]
    rows = BATCH * POSITIONS
    kept = rows * LLM.hidden * 4 * LLM.layers
    layer = rows * (8 * LLM.hidden + 4 * LLM.inner) * 4
    logits = rows * LLM.vocabulary * 4 * 2 // 2  # of the answer, half of the positions: themselves and their gradient
    return 4 * sum(found.values()) + 12 * trained + kept + max(layer, logits)


def lines(preset: str) -> tuple[str, ...]:
    """The plan of a preset, one line of text each. Raises `UnknownNameError` for a preset without figures."""
    if preset == "tiny":
        return ("tiny: about 2 M parameters, 8 MB in fp32; it runs on a CPU and needs no plan",)
    if preset != "qwen2.5-0.5b":
        raise UnknownNameError("preset", preset, ["qwen2.5-0.5b", "tiny"])
    return tuple(_lines(preset))


def _lines(preset: str) -> Iterator[str]:
    found = parameters()
    total, tower = sum(found.values()), found["text tower"]
    trained = found["projector"] + found["LoRA"]
    yield f"{preset}: {total:,} parameters, of which {tower:,} (text tower) are read by stage align only"
    for name, count in found.items():
        yield f"  {name:<15}{count:>13,}"
    yield (
        f"stage sft trains projector and LoRA (rank {RANK} on q, k, v, o): {trained:,} of {total - tower:,}, "
        f"{trained / (total - tower):.1%}"
    )
    yield ""
    yield "GB = 10^9 bytes; Python and its libraries take about 1 GB of memory more"
    yield f"  on disk, all of it in fp32     {4 * total / 1e9:6.2f} GB"
    yield f"  on disk, vlmkit export         {exported_bytes() / 1e9:6.2f} GB  (language model int8, no text tower)"
    yield f"  on disk, what sft trained      {4 * (trained + found['aligner']) / 1e9:6.2f} GB  (with the aligner)"
    for precision in PRECISIONS:
        yield f"  answering, {precision:<20}{answering_bytes(precision) / 1e9:6.2f} GB  (prompt 384, reply 128)"
    yield f"  training, sft in fp32          {training_bytes() / 1e9:6.2f} GB  (batch {BATCH} of {POSITIONS} positions)"


def _cnn14() -> int:
    count, width_in = 2 * _MELS, 1
    for width in _CHANNELS:
        count += 9 * width * (width_in + width) + 4 * width
        width_in = width
    return count + _AUDIO * (_AUDIO + 1)


def _tower() -> int:
    width, inner = _TEXT, _TOWER["inner"]
    words = (_TOWER["vocabulary"] + _TOWER["positions"] + 2 + 2) * width
    layer = 4 * width * (width + 1) + 2 * width * inner + inner + width + 4 * width
    return words + _TOWER["layers"] * layer
