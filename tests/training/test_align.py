"""The contrastive loss against a loop that follows its definition, and alignment that is learned."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.training import toy
from vlmkit.errors import DataError, WiringError
from vlmkit.projectors.aligned import LOGIT_SCALE_MAX
from vlmkit.projectors.identity import Identity
from vlmkit.protocols import Role
from vlmkit.training.align import AlignLearner, Vectors, _numbers, contrastive, paired
from vlmkit.training.data import Rows, prepare
from vlmkit.training.features import join
from vlmkit.training.loop import run_stage
from vlmkit.types import Modality, Sample

NAMES: tuple[Modality, ...] = ("audio", "image", "text")


def _vectors(seed: int, names: list[tuple[str, str | None]], share: float = 0.7) -> Vectors:
    draw = torch.Generator().manual_seed(seed)
    n = len(names)
    values = {m: torch.nn.functional.normalize(torch.randn(n, 6, generator=draw), dim=-1) for m in NAMES}
    present = {m: torch.rand(n, generator=draw) < share for m in NAMES}
    return Vectors(values, present, _numbers(names))


def _slow(vectors: Vectors, names: list[tuple[str, str | None]], scale: float) -> float | None:
    """One pair, one direction, one query and one candidate at a time."""
    by_pair = []
    for one, other in combinations(sorted(vectors.values), 2):
        both = [i for i in range(len(names)) if vectors.present[one][i] and vectors.present[other][i]]
        if len(both) < 2:
            continue
        directions = []
        for a, b in ((vectors.values[one], vectors.values[other]), (vectors.values[other], vectors.values[one])):
            losses = []
            for i in both:
                logits = [scale * float(a[i] @ b[j]) for j in both]
                total = math.log(sum(math.exp(x) for x in logits))
                mates = [
                    k
                    for k, j in enumerate(both)
                    if names[i][0] == names[j][0] or (names[i][1] is not None and names[i][1] == names[j][1])
                ]
                losses.append(-sum(logits[k] - total for k in mates) / len(mates))
            directions.append(sum(losses) / len(losses))
        by_pair.append(sum(directions) / 2)
    return sum(by_pair) / len(by_pair) if by_pair else None


PLAIN: list[tuple[str, str | None]] = [(str(i), None) for i in range(9)]
GROUPED: list[tuple[str, str | None]] = [(str(i), "abc"[i % 3] if i % 4 else None) for i in range(9)]
TWICE: list[tuple[str, str | None]] = [("same", None), ("same", "a"), ("other", "a"), *PLAIN[3:]]


@pytest.mark.parametrize("names", [PLAIN, GROUPED, TWICE], ids=["alone", "grouped", "twice"])
@pytest.mark.parametrize("seed", range(3))
def test_the_loss_is_that_of_a_slow_loop(seed: int, names: list[tuple[str, str | None]]) -> None:
    vectors = _vectors(seed, names)
    found = contrastive(vectors, torch.tensor(7.0))
    assert found is not None
    assert found.item() == pytest.approx(_slow(vectors, names, 7.0), rel=1e-5)


def _some(tensors: Mapping[Modality, Tensor], audio: Modality, image: Modality) -> dict[Modality, Tensor]:
    return {"audio": tensors[audio], "image": tensors[image]}


def test_both_directions_are_trained_on_batches_with_gaps() -> None:
    # The first PurrSight computed query -> key twice: exchanging the two modalities changed its loss.
    whole = _vectors(0, PLAIN)
    pair = Vectors(_some(whole.values, "audio", "image"), _some(whole.present, "audio", "image"), whole.names)
    turned = Vectors(_some(whole.values, "image", "audio"), _some(whole.present, "image", "audio"), whole.names)
    scale = torch.tensor(3.0)
    first, second = contrastive(pair, scale), contrastive(turned, scale)
    assert first is not None and second is not None
    assert first.item() == pytest.approx(second.item())


def test_what_is_absent_changes_nothing() -> None:
    vectors = _vectors(1, PLAIN)
    noisy = {
        m: torch.where(vectors.present[m][:, None], rows, torch.full_like(rows, 9.0))
        for m, rows in vectors.values.items()
    }
    scale = torch.tensor(3.0)
    found, again = contrastive(vectors, scale), contrastive(replace(vectors, values=noisy), scale)
    assert found is not None and again is not None
    assert found.item() == again.item()


def test_a_pair_with_one_sample_takes_no_part() -> None:
    names = PLAIN[:3]
    vectors = _vectors(0, names)
    here = {"audio": [1, 1, 0], "image": [1, 1, 0], "text": [0, 1, 1]}
    present: dict[Modality, Tensor] = {m: torch.tensor(here[m]).bool() for m in NAMES}
    found = contrastive(replace(vectors, present=present), torch.tensor(2.0))
    alone = contrastive(replace(vectors, present={**present, "text": torch.zeros(3).bool()}), torch.tensor(2.0))
    assert found is not None and alone is not None
    assert found.item() == alone.item()


def _rows(samples: list[Sample]) -> Rows:
    rows, _ = prepare(toy.model(), samples, [toy.ALIGN])
    return rows


def test_a_batch_without_a_pair_is_refused_by_name() -> None:
    samples = [replace(one, media={}, text="red") for one in toy.samples(4)]
    rows = _rows(samples)
    learner = AlignLearner(toy.model(), toy.ALIGN, ())
    with pytest.raises(DataError, match=r"4 samples \(0 with audio, 0 with image, 4 with text; the first is 's000'\)"):
        learner(rows.prepared, join([row.kept for row in rows.items]))


def test_samples_of_one_modality_take_no_part() -> None:
    model, samples = toy.model(), toy.samples(12)
    alone = [replace(one, id=f"{one.id} alone", media={}, text="red") for one in samples]
    rows = _rows([*samples, *alone])
    kept = paired(model, rows, toy.ALIGN, "samples")
    assert [row.prepared.sample.id for row in kept.items] == [
        one.id for one in samples if len(one.media) + bool(one.text) > 1
    ]
    with pytest.raises(
        DataError, match=r"'align': 12 held have no two with the same pair of modalities \(pairs: none\)"
    ):
        paired(model, _rows(alone), toy.ALIGN, "held")
    with pytest.raises(DataError, match=r"\(pairs: audio with image 1, audio with text 1, image with text 1\)"):
        paired(model, _rows([*alone, *toy.samples(1, lacking=False)]), toy.ALIGN, "held")


def test_a_projector_without_a_shared_space_is_refused() -> None:
    model = toy.model()
    model.projector = Identity(frozenset({"image"}), 16)
    with pytest.raises(WiringError, match="no shared space"):
        AlignLearner(model, toy.ALIGN, ())


def test_the_temperature_is_learned_and_bounded() -> None:
    rows = _rows(toy.samples(8))
    learner = AlignLearner(toy.model(), toy.ALIGN, ())
    scale = learner._space.logit_scale
    with torch.no_grad():
        scale.fill_(10.0)
    learner(rows.prepared, join([row.kept for row in rows.items]))["loss"].backward()
    assert scale.item() == pytest.approx(LOGIT_SCALE_MAX)
    assert scale.grad is not None and scale.grad.abs() > 0


def test_alignment_is_learned_and_reported_beside_chance(tmp_path: Path) -> None:
    model = toy.model()
    both: dict[Role, float] = {"encoder": 3e-2, "aligner": 3e-2}
    stage = replace(toy.ALIGN, roles=("encoder", "aligner"), rates=both, steps=60, batch_size=16, evals=2)
    rows, _ = prepare(model, toy.samples(100), [stage])
    log = run_stage(model, Rows(rows.items[20:]), stage, tmp_path, seed=0, max_steps=None, val=Rows(rows.items[:20]))
    found = log.figures
    assert [entry["step"] for entry in log.validation] == [30, 60]
    assert found["step"] == log.kept_step
    for direction in ("image-to-text", "text-to-image", "audio-to-image", "image-to-audio"):
        assert found[f"{direction}/R@1"] > found[f"{direction}/chance_R@1"] + 0.3
        assert found[f"{direction}/MRR"] > found[f"{direction}/chance_MRR"]
        assert found[f"{direction}/n"] < 20
    assert found["R@1"] > 0.8
    assert log.losses[-1][1] < 0.5 * log.losses[0][1]
