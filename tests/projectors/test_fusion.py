"""Two pooled rows become one: what is missing is a learned vector, and never another sample's business."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmkit.errors import WiringError
from vlmkit.projectors.fusion import Fusion
from vlmkit.types import Features, Modality

DIMS: dict[Modality, int] = {"text": 6, "image": 5}
KINDS: tuple[Literal["concat", "gated"], ...] = ("concat", "gated")
Have = Sequence[tuple[bool, bool]]


def made(kind: Literal["concat", "gated"], *, opened: bool = True, **figures: Any) -> Fusion:
    torch.manual_seed(0)
    fusion = Fusion(DIMS, 8, kind=kind, hidden=12, heads=3, **figures)
    for name, parameter in fusion.module.named_parameters():
        if name.endswith("gate") and opened:
            parameter.data.fill_(0.7)
    fusion.module.eval()
    return fusion


def rows(have: Have, seed: int = 1) -> dict[Modality, Features]:
    torch.manual_seed(seed)
    every = {name: torch.randn(len(have), width) for name, width in DIMS.items()}
    found: dict[Modality, Features] = {}
    for at, name in enumerate(DIMS):
        there = [one[at] for one in have]
        found[name] = Features(every[name][torch.tensor(there, dtype=torch.bool)], tuple(map(int, there)))
    return found


def one_of(features: dict[Modality, Features], index: int) -> dict[Modality, Features]:
    parts = {name: some.values.split(list(some.lengths))[index] for name, some in features.items()}
    return {name: Features(part, (len(part),)) for name, part in parts.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_lanes_carry_the_encoders_rows_and_one_that_is_fused(kind: Literal["concat", "gated"]) -> None:
    fusion = made(kind)
    features = rows([(True, True), (True, False), (False, True), (False, False)])
    found = fusion.project(features)
    assert list(found) == ["text", "image", "fused"]
    assert [found[lane].lengths for lane in found] == [(1, 1, 0, 0), (1, 0, 1, 0), (1, 1, 1, 0)]
    assert torch.equal(found["text"].values, features["text"].values)
    assert torch.equal(found["image"].values, features["image"].values)
    assert {lane: some.values.shape[1] for lane, some in found.items()} == dict(fusion.widths)
    assert len(found["fused"].values) == 3


def test_concat_is_an_mlp_on_both_rows_with_a_learned_vector_where_one_is_missing() -> None:
    fusion = made("concat")
    state: Any = fusion.module.state_dict()
    features = rows([(True, True), (True, False)])
    text, image = features["text"].values, features["image"].values
    joined = torch.cat([text, torch.stack([image[0], state["missing.image"]])], dim=1)
    wanted = torch.nn.functional.gelu(joined @ state["mlp.0.weight"].T + state["mlp.0.bias"])
    torch.testing.assert_close(fusion.project(features)["fused"].values, wanted)
    assert state["missing.image"].abs().min() > 0


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20, deadline=None)
@given(have=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_a_sample_does_not_depend_on_its_neighbours(kind: Literal["concat", "gated"], have: Have, seed: int) -> None:
    fusion, features = made(kind), rows(have, seed)
    together = fusion.project(features)["fused"]
    alone = [fusion.project(one_of(features, index))["fused"].values for index in range(len(have))]
    assert together.lengths == tuple(map(len, alone))
    torch.testing.assert_close(together.values, torch.cat(alone), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_are_no_numbers_stay_with_their_sample(kind: Literal["concat", "gated"]) -> None:
    fusion, features = made(kind), rows([(True, True)] * 3)
    clean = fusion.project(features)["fused"].values
    features["image"].values[1] = torch.nan
    found = fusion.project(features)["fused"].values
    assert found[1].isnan().all()
    torch.testing.assert_close(found[[0, 2]], clean[[0, 2]])


def test_gates_start_shut_and_both_kinds_start_equal() -> None:
    gated, concat = made("gated", opened=False), made("concat")
    concat.module.load_state_dict({k: v for k, v in gated.module.state_dict().items() if not k.startswith("cross")})
    features = rows([(True, True), (False, True)])
    assert torch.equal(gated.project(features)["fused"].values, concat.project(features)["fused"].values)
    gated.project(features)["fused"].values.sum().backward()
    gates = {name: p.grad for name, p in gated.module.named_parameters() if name.endswith("gate")}
    assert len(gates) == 2 and all(grad is not None and grad != 0 for grad in gates.values())


def test_attention_is_for_samples_that_have_both() -> None:
    opened, shut = made("gated"), made("gated", opened=False)
    shut.module.load_state_dict(
        {**opened.module.state_dict(), "cross.text.gate": torch.zeros(()), "cross.image.gate": torch.zeros(())}
    )
    features = rows([(True, True), (True, False), (False, True)])
    here, there = (one.project(features)["fused"].values for one in (opened, shut))
    assert not torch.allclose(here[0], there[0], atol=1e-3)
    assert torch.equal(here[1:], there[1:])


def test_attention_chooses_by_what_is_asked() -> None:
    """Over one key alone, attention would give the same for any query."""
    cross: Any = made("gated").module.get_submodule("cross.text")
    torch.nn.init.eye_(cross.out.weight)
    torch.nn.init.normal_(cross.query.weight)
    other = torch.randn(1, 5).expand(2, -1)
    found = cross(torch.randn(2, 6), other)
    assert not torch.allclose(found[0], found[1], atol=1e-3)


def test_several_rows_a_sample_are_read_by_their_mean() -> None:
    fusion = made("concat")
    frames = torch.randn(5, 5)
    found = fusion.project({"text": Features(torch.zeros(2, 6), (1, 1)), "image": Features(frames, (2, 3))})
    means = torch.stack([frames[:2].mean(0), frames[2:].mean(0)])
    torch.testing.assert_close(found["image"].values, means)
    again = fusion.project({"text": Features(torch.zeros(2, 6), (1, 1)), "image": Features(means, (1, 1))})
    torch.testing.assert_close(found["fused"].values, again["fused"].values)


def test_moddrop_drops_one_of_two_and_never_both() -> None:
    fusion, n = made("concat", dropout=0.0, moddrop=0.25), 4000
    values = {name: torch.randn(1, width).expand(n, -1) for name, width in DIMS.items()}
    features: dict[Modality, Features] = {name: Features(rows, (1,) * n) for name, rows in values.items()}
    states = {
        "both": fusion.project(one_of(features, 0)),
        "no image": fusion.project({"text": one_of(features, 0)["text"]}),
        "no text": fusion.project({"image": one_of(features, 0)["image"]}),
    }
    fusion.module.train()
    torch.manual_seed(3)
    found = fusion.project(features)
    part = {
        name: float((found["fused"].values - state["fused"].values).abs().amax(1).lt(1e-5).float().mean())
        for name, state in states.items()
    }
    assert sum(part.values()) == pytest.approx(1)
    assert part == pytest.approx({"both": 0.5, "no image": 0.25, "no text": 0.25}, abs=0.03)
    assert torch.equal(found["image"].values, values["image"])  # experts see what is there
    fusion.module.eval()
    settled = fusion.project(features)["fused"].values
    torch.testing.assert_close(settled, states["both"]["fused"].values.expand(n, -1))


def test_moddrop_leaves_a_sample_with_one_modality_alone_and_teaches_the_missing_vectors() -> None:
    fusion = made("concat", dropout=0.0, moddrop=0.5)
    features = rows([(True, False)] * 40 + [(False, True)] * 40)
    wanted = fusion.project(features)["fused"].values
    fusion.module.train()
    torch.testing.assert_close(fusion.project(features)["fused"].values, wanted)
    fusion.project(rows([(True, True)] * 40))["fused"].values.sum().backward()
    missing: Any = fusion.module.get_submodule("missing")
    assert all(vector.grad.abs().sum() > 0 for vector in missing.values())


def test_no_sample_and_no_row() -> None:
    fusion = made("gated")
    assert fusion.project({}) == {}
    found = fusion.project(rows([(False, False)] * 2))
    assert found["fused"].values.shape == (0, 8) and found["fused"].lengths == (0, 0)


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ({"in_dims": {"text": 4}}, "of two modalities; given text"),
        ({"kind": "sum"}, "unknown kind of fusion 'sum'; choose one of concat, gated"),
        ({"heads": 5}, "hidden=12 cannot be shared by 5 heads"),
        ({"moddrop": 0.6}, r"moddrop in \[0, .5\].* given 0.6"),
        ({"dropout": 1.0}, r"dropout in \[0, 1\)"),
    ],
)
def test_figures_that_make_no_sense_are_refused(figures: dict[str, Any], message: str) -> None:
    with pytest.raises(WiringError, match=message):
        Fusion(**{"in_dims": DIMS, "out_dim": 8, "hidden": 12, "heads": 3, **figures})
