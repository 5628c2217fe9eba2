"""Which Cnn14: the published variants, and how a file says which of them it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from vlmkit.errors import CheckpointError

Front = Literal["power", "legacy"]

KERNEL = 3
"""Side of every convolution."""


@dataclass(frozen=True)
class PannsConfig:
    """Figures of one Cnn14. Raises `ValueError` where they do not make a network."""

    rate_hz: int = 32_000
    n_fft: int = 1024
    """Samples of one analysis window."""
    n_hop: int = 320
    """Samples from one analysis window to the next: 10 ms in all published variants."""
    low_hz: float = 50.0
    high_hz: float = 14_000.0
    """Range of the mel bands."""
    n_mels: int = 64
    channels: tuple[int, ...] = (64, 128, 256, 512, 1024, 2048)
    """Width of each block; the last is that of the rows. Every block but the last halves time and bands."""
    front: Front = "power"
    """`legacy` is for weights that were trained on magnitudes and mean pooling; see `LogMel` and `Cnn14`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))  # JSON brings a list
        for name in ("low_hz", "high_hz"):
            object.__setattr__(self, name, float(getattr(self, name)))  # 50 and 50.0 are one configuration
        if self.front not in get_args(Front):
            raise ValueError(f"front={self.front!r} is unknown; choose one of {', '.join(get_args(Front))}")
        if not 0 <= self.low_hz < self.high_hz <= self.rate_hz / 2:
            raise ValueError(f"wanted 0 <= low_hz < high_hz <= rate_hz / 2; given {self}")
        if not self.channels or min(self.n_fft, self.n_hop, *self.channels) < 1:
            raise ValueError(f"wanted one channel or more, and whole numbers of at least 1; given {self}")
        if self.n_mels < self.shrink:
            raise ValueError(f"{len(self.channels)} blocks need {self.shrink} mel bands or more; given {self.n_mels}")

    @property
    def dim(self) -> int:
        """Width of a row."""
        return self.channels[-1]

    @property
    def shrink(self) -> int:
        """How many frames become one: 2 for every pooling, 32 in the published network."""
        return 1 << (len(self.channels) - 1)

    @property
    def least_samples(self) -> int:
        """The shortest window: one frame has to be left after the last pooling, and reflection needs half an FFT.

        `n // n_hop + 1` frames come of `n` samples, so the published variants want 31 hops.
        """
        return max((self.shrink - 1) * self.n_hop, self.n_fft // 2 + 1)

    @property
    def min_s(self) -> float:
        """What `AudioSpec.min_s` has to be: a hop more than that, as sound is cut to the nearest sample. 0.32 s."""
        return (self.least_samples + self.n_hop) / self.rate_hz

    def to_json(self) -> dict[str, Any]:
        """Every field as plain JSON data."""
        return {**asdict(self), "channels": list(self.channels)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PannsConfig:
        """What `to_json` wrote. Raises `ValueError` for unknown, missing or unfit fields."""
        known = {field.name for field in fields(cls)}
        if set(data) != known:
            odd = ", ".join(sorted(set(data) ^ known))
            raise ValueError(f"PannsConfig: wanted exactly {', '.join(sorted(known))}; unknown or missing: {odd}")
        return cls(**data)


VARIANTS: Mapping[str, PannsConfig] = {
    "32k": PannsConfig(),
    "16k": PannsConfig(rate_hz=16_000, n_fft=512, n_hop=160, high_hz=8_000),
    "8k": PannsConfig(rate_hz=8_000, n_fft=256, n_hop=80, high_hz=4_000),
}
"""`Cnn14_mAP=0.431.pth`, `Cnn14_16k_mAP=0.438.pth` and `Cnn14_8k_mAP=0.416.pth`."""

MEL = "logmel_extractor.melW"
FOURIER = ("spectrogram_extractor.stft.conv_real.weight", "spectrogram_extractor.stft.conv_imag.weight")
CLASSIFIER = ("fc_audioset.weight", "fc_audioset.bias")

Shapes = Mapping[str, tuple[int, ...]]


def detect(shapes: Shapes, name: str) -> tuple[str, PannsConfig]:
    """The variant that a state dict is of, and its figures with the widths found in it.

    Args:
        shapes: every tensor's shape, by the published names.
        name: how messages call the file.

    Raises `CheckpointError` unless it is a Cnn14 to the last name and shape. The classifier of the 527 AudioSet
    classes (`fc_audioset`) and the Fourier matrices, which follow from the figures, may be absent.
    """
    if MEL not in shapes:
        raise CheckpointError(f"{name}: no {MEL!r} in it, so it is no published Cnn14 and its sample rate is unknown")
    heights = {config.n_fft // 2 + 1: variant for variant, config in VARIANTS.items()}
    variant = heights.get(shapes[MEL][0]) if len(shapes[MEL]) == 2 else None
    if variant is None:
        wanted = ", ".join(f"{height} ({known})" for height, known in sorted(heights.items()))
        raise CheckpointError(f"{name}: {MEL} is {list(shapes[MEL])}; wanted a height of one of {wanted}")
    figures = VARIANTS[variant]
    blocks = len([key for key in shapes if key.startswith("conv_block") and key.endswith(".conv1.weight")])
    channels = [shapes.get(f"conv_block{i + 1}.conv1.weight", (0,))[0] for i in range(blocks)]
    try:
        found = PannsConfig(**{**asdict(figures), "n_mels": shapes[MEL][1], "channels": tuple(channels)})
    except ValueError as error:
        raise CheckpointError(f"{name}: its blocks are no Cnn14: {error}") from None
    _require_equal(shapes, layout(found), name)
    return variant, found


def layout(config: PannsConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the weights that carry something learnt."""
    shapes = _norm("bn0", config.n_mels)
    width_in = 1
    for number, width in enumerate(config.channels, 1):
        block = f"conv_block{number}"
        shapes[f"{block}.conv1.weight"] = (width, width_in, KERNEL, KERNEL)
        shapes[f"{block}.conv2.weight"] = (width, width, KERNEL, KERNEL)
        shapes |= _norm(f"{block}.bn1", width) | _norm(f"{block}.bn2", width)
        width_in = width
    return shapes | {"fc1.weight": (config.dim, config.dim), "fc1.bias": (config.dim,)}


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    rows = dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (width,))
    return {f"{name}.{part}": shape for part, shape in {**rows, "num_batches_tracked": ()}.items()}


def _require_equal(found: Shapes, wanted: Shapes, name: str) -> None:
    extra = sorted(set(found) - set(wanted) - {MEL, *FOURIER, *CLASSIFIER})
    for kind, keys in (("missing", sorted(set(wanted) - set(found))), ("unexpected", extra)):
        if keys:
            raise CheckpointError(f"{name}: no Cnn14: {len(keys)} weights are {kind}, the first is {keys[0]!r}")
    for key, shape in wanted.items():
        if found[key] != shape:
            raise CheckpointError(f"{name}: no Cnn14: {key} is {list(found[key])}; wanted {list(shape)}")
