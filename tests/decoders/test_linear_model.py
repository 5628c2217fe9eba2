"""A model without a language model: who answers depends on what a sample brings, and widths are checked when built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from vlmkit.decoders.linear import LinearDecoder, Member, Scores
from vlmkit.errors import WiringError
from vlmkit.model import Model
from vlmkit.projectors.fusion import Fusion
from vlmkit.types import Batch, Features, Image, Inputs, Lane, Media, Modality, Problem, Sample

MEMBERS = {
    "mm_fusion": Member("fused", ("text", "image")),
    "text_expert": Member("text"),
    "vision_expert": Member("image"),
}
DIMS: dict[Lane, int] = {"text": 3, "image": 2, "fused": 4}


def verdict(scores: Scores, sample: Sample) -> tuple[tuple[str, float], Sequence[Problem]]:
    return (scores.member, scores.probabilities[scores.member][1]), ()


def decoder(**changes: Any) -> LinearDecoder[tuple[str, float]]:
    torch.manual_seed(0)
    return LinearDecoder(**{"members": MEMBERS, "dims": DIMS, "verdict": verdict, "write": str, **changes})


class Rows:
    """An encoder whose row is what the sample says it is."""

    module: nn.Module = nn.Linear(1, 1)

    def __init__(self, modality: Modality, dim: int) -> None:
        self.modalities: frozenset[Modality] = frozenset({modality})
        self.reads = self.modalities
        self.dim = dim
        self.spec: Mapping[str, Any] = {}
        self._modality = modality

    def transform(self, sample: Sample, modality: Modality) -> Inputs | None:
        return {"row": torch.tensor(sample.meta[modality])} if modality in sample.modalities else None

    def encode(self, batch: Batch) -> dict[Modality, Features]:
        rows = [one["row"] for one in batch.inputs if "row" in one]
        values = torch.stack(rows) if rows else torch.zeros(0, self.dim)
        return {self._modality: Features(values, tuple(int("row" in one) for one in batch.inputs))}


def _model(head: LinearDecoder[tuple[str, float]], out_dim: int = 4) -> Model[tuple[str, float]]:
    fusion = Fusion({"text": 3, "image": 2}, out_dim, hidden=8, heads=2)
    encoders = (Rows("text", 3), Rows("image", 2))
    return Model(encoders=encoders, projector=fusion, llm=None, decoder=head, prompt=None)


def test_a_model_routes_by_what_each_sample_brings() -> None:
    model = _model(decoder())
    model.eval()
    meta = {"text": [1.0, 2.0, 3.0], "image": [4.0, 5.0]}
    picture: dict[Modality, Media] = {"image": Image(np.zeros((2, 2, 3), np.uint8))}
    samples = [
        Sample("both", picture, "words", meta=meta),
        Sample("words", text="words", meta=meta),
        Sample("picture", picture, meta=meta),
        Sample("nothing", meta=meta),
    ]
    found = model.predict(samples)
    members = [one.value[0] if one.value else None for one in found]
    assert members == ["mm_fusion", "text_expert", "vision_expert", None]
    assert [one.used for one in found] == [("image", "text"), ("text",), ("image",), ()]
    assert [p.code for p in found[3].problems] == ["nothing_given"]
    for one, sample in zip(found[:3], samples[:3], strict=True):
        alone = model.predict([sample])[0]
        assert one.value is not None and alone.value is not None
        assert alone.value[1] == pytest.approx(one.value[1], abs=1e-6)
    assert {role for role, parameters in model.roles.items() if parameters} == {"encoder", "projector", "decoder"}


@pytest.mark.parametrize(
    ("dims", "message"),
    [
        ({**DIMS, "fused": 9}, "fused: projector gives width 4, decoder takes 9"),
        ({**DIMS, "image": 7}, "image: projector gives width 2, decoder takes 7"),
    ],
)
def test_widths_of_lanes_are_checked_when_a_model_is_built(dims: dict[Lane, int], message: str) -> None:
    with pytest.raises(WiringError, match=message):
        _model(decoder(dims=dims))


def test_a_lane_that_no_projector_gives_is_found_when_a_model_is_built() -> None:
    with pytest.raises(WiringError, match="audio: projector gives width none, decoder takes 5"):
        _model(decoder(dims={"audio": 5}, members={"ear": Member("audio")}))
