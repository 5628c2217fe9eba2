"""How the presets are trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlmkit.training.stage import Stage
from vlmkit.types import Sample
from vlmkit_plugins.memes.schema import Verdict
from vlmkit_plugins.memes.synth import labels


def label_of(sample: Sample) -> str | None:
    """The class of a sample as the decoder calls it."""
    return str(sample.truth.label) if isinstance(sample.truth, Verdict) else None


# From random weights: first each expert learns what there is to see and to read in its own modality, because neither
# alone has much of the label; then everything learns the label together.
_TINY = (
    Stage(
        "see",
        "attributes",
        ("encoder",),
        {"encoder": 1e-3},
        steps=800,
        batch_size=64,
        labels=labels,
        label_names=("picture", "tone"),
    ),
    Stage(
        "fuse",
        "classify",
        ("encoder", "projector", "decoder"),
        {"encoder": 3e-4, "projector": 1e-3, "decoder": 1e-3},
        steps=600,
        batch_size=64,
        evals=6,
        label_of=label_of,
    ),
)

# Rates and batch as the first memes project had them (facts of the task, B2): both experts, then the fusion over
# frozen experts. Its vision expert's own 1e-4 was for a single epoch; one rate for both is the smaller of the two.
_FULL = (
    Stage(
        "experts",
        "classify",
        ("encoder", "decoder"),
        {"encoder": 2e-5, "decoder": 1e-4},
        steps=3000,
        batch_size=8,
        accumulate=2,
        checkpointing=True,
        evals=10,
        patience=3,
        label_of=label_of,
    ),
    Stage(
        "fusion",
        "classify",
        ("projector", "decoder"),
        {"projector": 1e-4, "decoder": 1e-4},
        steps=2000,
        batch_size=64,
        evals=10,
        patience=3,
        label_of=label_of,
    ),
)

STAGES: Mapping[str, Sequence[Stage]] = {
    "tiny": _TINY,
    "mdeberta-siglip": _FULL,
    "mdeberta-siglip-gated": _FULL,
}
