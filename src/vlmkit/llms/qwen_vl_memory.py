"""How much GPU memory a Qwen2.5-VL of known architecture takes, part by part; arithmetic only, no torch.

Parameter counts are exact (tests build the models on torch's meta device and compare). Weights, LoRA, gradients,
optimiser and KV cache follow from them. Activations are counted tensor by tensor from the layer's formula, which the
docstrings give; kernels may keep more. `ALLOWANCE_BYTES` stands for the CUDA context and the allocator's waste.
All sizes are bytes; GB means 10^9 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vlmkit.errors import DataError

Storage = Literal["bf16", "nf4"]

PATCH, MERGE, PAIR = 14, 2, 2  # pixels a side, patches a side of one token, frames a time step: Qwen2.5-VL
HALF_BYTES = 2  # fp16 and bf16 alike
FULL_BYTES = 4
ALLOWANCE_BYTES = 0.8e9
# NF4 of bitsandbytes with double quantisation: 4 bits, one byte of scale for 64 values, and one fp32 for 256 scales
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)


@dataclass(frozen=True)
class Architecture:
    """Figures of a published config.json (`Qwen/Qwen2.5-VL-*-Instruct`), and the counts that follow."""

    hidden: int
    inner: int  # width of the language model's MLP
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int
    tied: bool  # the output head is the embedding
    vision_hidden: int = 1280
    vision_inner: int = 3420
    vision_layers: int = 32

    @property
    def kv_width(self) -> int:
        """Width of all keys of one position in one layer."""
        return self.hidden // self.heads * self.kv_heads

    @property
    def linears(self) -> tuple[tuple[int, int], ...]:
        """(in, out) of q, k, v, o, gate, up and down of one layer of the language model."""
        h, kv, i = self.hidden, self.kv_width, self.inner
        return ((h, h), (h, kv), (h, kv), (h, h), (h, i), (h, i), (i, h))

    @property
    def text_linear(self) -> int:
        """Weights in the layers' matrices of the language model, which 4-bit storage reaches."""
        return self.layers * sum(a * b for a, b in self.linears)

    @property
    def text_parameters(self) -> int:
        """The language model without an untied head: embedding, layers with q/k/v biases and two norms, last norm."""
        small = self.layers * (self.hidden + 2 * self.kv_width + 2 * self.hidden) + self.hidden
        return self.vocabulary * self.hidden + self.text_linear + small

    @property
    def vision_linear(self) -> int:
        """Weights in the matrices of the vision tower and its merger."""
        v, i, m = self.vision_hidden, self.vision_inner, self.vision_hidden * MERGE**2
        return self.vision_layers * (4 * v * v + 3 * v * i) + m * m + m * self.hidden

    @property
    def vision_parameters(self) -> int:
        """Patch embedding, blocks (biases and two norms each), merger (norm and two biases)."""
        v, i, m = self.vision_hidden, self.vision_inner, self.vision_hidden * MERGE**2
        small = self.vision_layers * (4 * v + 2 * i + v + 2 * v) + v + m + self.hidden
        return 3 * PAIR * PATCH * PATCH * v + self.vision_linear + small

    @property
    def head_parameters(self) -> int:
        """The output head; 0 where it is the embedding."""
        return 0 if self.tied else self.vocabulary * self.hidden

    @property
    def parameters(self) -> int:
        """All of them."""
        return self.vision_parameters + self.text_parameters + self.head_parameters

    def lora_parameters(self, rank: int) -> int:
        """Rank times (in + out), over the seven matrices of every layer of the language model."""
        return rank * self.layers * sum(a + b for a, b in self.linears)

    def weight_bytes(self, storage: Storage) -> float:
        """All weights; in NF4 the layers' matrices are 4-bit, embedding, head, norms and biases stay 16-bit."""
        if storage == "bf16":
            return float(HALF_BYTES * self.parameters)
        packed = self.text_linear + self.vision_linear
        return NF4_BYTES * packed + HALF_BYTES * (self.parameters - packed)


ARCHITECTURES = {
    "3b": Architecture(hidden=2048, inner=11008, layers=36, heads=16, kv_heads=2, vocabulary=151936, tied=True),
    "7b": Architecture(hidden=3584, inner=18944, layers=28, heads=28, kv_heads=4, vocabulary=152064, tied=False),
}


@dataclass(frozen=True)
class Load:
    """What is put through the model: one clip's frames and text, and how many clips at once.

    Raises `DataError` for a side that is no multiple of 28 pixels and for counts below 1.
    """

    frames: int = 10
    width_px: int = 336
    height_px: int = 336
    text_tokens: int = 160  # an allowance for system text, question and chat marks
    reply_tokens: int = 64
    batch: int = 1

    def __post_init__(self) -> None:
        counts = (self.frames, self.width_px, self.height_px, self.text_tokens, self.reply_tokens, self.batch)
        if min(counts) < 1:
            raise DataError(f"a load wants counts of 1 or more; given {self}")
        for name, side in (("width_px", self.width_px), ("height_px", self.height_px)):
            if side % (PATCH * MERGE):
                raise DataError(f"{name}={side} is no multiple of {PATCH * MERGE}, the side of one visual token")

    @property
    def steps(self) -> int:
        """Time steps: pairs of frames, a last odd frame counts as a pair."""
        return -(-self.frames // PAIR)

    @property
    def patches(self) -> int:
        """Rows of the vision tower a clip."""
        return self.steps * (self.height_px // PATCH) * (self.width_px // PATCH)

    @property
    def visual_tokens(self) -> int:
        """Slots in the language model a clip: frames x height x width / (28 x 28) / 2."""
        return self.patches // MERGE**2

    @property
    def sequence(self) -> int:
        """Positions of the language model a clip."""
        return self.visual_tokens + self.text_tokens + self.reply_tokens


@dataclass(frozen=True)
class Use:
    """Bytes by part; parts that do not occur are 0."""

    weights: float
    lora: float
    gradients: float
    optimiser: float
    activations: float
    logits: float
    kv_cache: float
    vision: float
    allowance: float = ALLOWANCE_BYTES

    @property
    def total(self) -> float:
        """The peak: the vision tower is done before the language model begins, so the larger of the two counts."""
        standing = self.weights + self.lora + self.gradients + self.optimiser + self.kv_cache + self.allowance
        return standing + max(self.vision, self.activations + self.logits)


def layer_bytes(architecture: Architecture, rows: int) -> float:
    """What the backward pass of one layer of the language model needs while it is recomputed.

    A row keeps, in 16 bits: the normed input twice (attention, MLP), queries before and after rotation, attention's
    result and both residual sums (7 hidden), keys before and after rotation and values (3 kv), gate, its activation,
    up and their product (4 inner); and both norms' inputs in fp32 (4 hidden more).
    """
    a = architecture
    return float(HALF_BYTES * rows * (11 * a.hidden + 3 * a.kv_width + 4 * a.inner))


def vision_bytes(architecture: Architecture, load: Load) -> float:
    """One block of the frozen tower at work: 8 rows of its width, 2 of its MLP; no gradients pass through it."""
    a = architecture
    return float(HALF_BYTES * load.batch * load.patches * (8 * a.vision_hidden + 2 * a.vision_inner))


def training(architecture: Architecture, storage: Storage, load: Load, rank: int) -> Use:
    """LoRA on the language model with gradient checkpointing, adapters and AdamW in fp32.

    Activations: one 16-bit row a layer is kept, and one layer at a time is recomputed. Logits are those of the reply
    only, as 16-bit values, fp32 copy and fp32 gradient.
    """
    a, adapters, rows = architecture, architecture.lora_parameters(rank), load.batch * load.sequence
    return Use(
        weights=a.weight_bytes(storage),
        lora=float(FULL_BYTES * adapters),
        gradients=float(FULL_BYTES * adapters),
        optimiser=float(2 * FULL_BYTES * adapters),
        activations=HALF_BYTES * rows * a.hidden * a.layers + layer_bytes(a, rows),
        logits=float((HALF_BYTES + 2 * FULL_BYTES) * load.batch * load.reply_tokens * a.vocabulary),
        kv_cache=0.0,
        vision=vision_bytes(a, load),
    )


def inference(architecture: Architecture, storage: Storage, load: Load) -> Use:
    """Greedy decoding with a 16-bit KV cache and the adapter merged; prefill is the peak of activations.

    Activations: 4 rows of the hidden width and 2 of the MLP's; logits: one position a clip, 16 bits and fp32.
    """
    a, rows = architecture, load.batch * load.sequence
    return Use(
        weights=a.weight_bytes(storage),
        lora=0.0,
        gradients=0.0,
        optimiser=0.0,
        activations=float(HALF_BYTES * rows * (4 * a.hidden + 2 * a.inner)),
        logits=float((HALF_BYTES + FULL_BYTES) * load.batch * a.vocabulary),
        kv_cache=float(HALF_BYTES * 2 * a.layers * a.kv_width * rows),
        vision=vision_bytes(a, load),
    )
