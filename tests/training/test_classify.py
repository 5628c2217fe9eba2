"""Stage `classify`: the class of a sample through the decoder's own layers, and what it refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from vlmkit.decoders.linear import LinearDecoder
from vlmkit.errors import DataError, WiringError
from vlmkit.head import Head
from vlmkit.loading import open_head
from vlmkit.training.classify import ClassifyLearner, labelled
from vlmkit.training.data import Rows, prepare
from vlmkit.training.features import join
from vlmkit.training.loop import run_stage
from vlmkit.training.stage import Stage
from vlmkit.types import Sample
from vlmkit_plugins.memes.data import read
from vlmkit_plugins.memes.schema import Verdict
from vlmkit_plugins.memes.stages import label_of
from vlmkit_plugins.memes.synth import synth

FUSE = Stage(
    "fuse",
    "classify",
    ("projector", "decoder"),
    {"projector": 1e-2, "decoder": 1e-2},
    steps=30,
    batch_size=16,
    label_of=label_of,
)


@pytest.fixture(scope="module")
def head() -> Head[Verdict]:
    return open_head("memes", preset="tiny", weights="random")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    folder: Path = tmp_path_factory.mktemp("memes")
    synth(folder / "data", 32, 5, 1)
    return list(read(folder / "data"))


def rows(head: Head[Verdict], samples: Sequence[Sample]) -> Rows:
    return prepare(head.model, samples, [FUSE])[0]


def test_the_loss_falls_and_frozen_experts_do_not_move(
    head: Head[Verdict], samples: list[Sample], tmp_path: Path
) -> None:
    before = {name: p.detach().clone() for name, p in head.model.roles["encoder"].items()}
    told = run_stage(head.model, rows(head, samples), FUSE, tmp_path, seed=0, max_steps=None)
    assert told.losses[-1][1] < 0.97 * told.losses[0][1]
    assert set(told.trained) == {"projector", "decoder"}
    for name, parameter in head.model.roles["encoder"].items():
        assert torch.equal(parameter, before[name])


def test_every_member_that_can_be_asked_learns(head: Head[Verdict], samples: list[Sample]) -> None:
    words = [replace(sample, media={}) for sample in samples[:8]]
    found = rows(head, [*words, *samples[8:16]])
    learner = ClassifyLearner(head.model, FUSE, ())
    scored = learner.scored([row.prepared for row in found.items], join([row.kept for row in found.items]))
    asked = {name: n for name, (_, n) in scored.right.items()}
    assert asked == {"mm_fusion": 8, "text_expert": 16, "vision_expert": 8}
    assert scored.n == 32
    decoder = head.model.decoder
    assert isinstance(decoder, LinearDecoder)
    tokens = head.model.project(join([row.kept for row in found.items]))
    wanted = decoder.loss(tokens, [label_of(row.prepared.sample) for row in found.items])
    assert scored.loss.item() == pytest.approx(wanted.item())


def test_unknown_classes_are_left_out_and_counted(
    head: Head[Verdict], samples: list[Sample], caplog: pytest.LogCaptureFixture
) -> None:
    unknown = [replace(sample, truth=None) for sample in samples[:3]]
    kept = labelled(head.model, rows(head, [*unknown, *samples[3:]]), FUSE, "samples")
    assert len(kept) == len(samples) - 3
    assert "3 of 32 samples have no known class" in caplog.text


def test_one_class_is_nothing_to_tell_apart(head: Head[Verdict], samples: list[Sample]) -> None:
    one = [sample for sample in samples if label_of(sample) == "1"]
    with pytest.raises(DataError, match="only class '1'"):
        labelled(head.model, rows(head, one), FUSE, "samples")
    assert len(labelled(head.model, rows(head, one), FUSE, "validation samples", least=1)) == len(one)


def test_a_class_that_the_head_has_not_is_named(head: Head[Verdict], samples: list[Sample]) -> None:
    with pytest.raises(DataError, match="'maybe'; the head tells 0, 1 apart"):
        labelled(head.model, rows(head, samples), replace(FUSE, label_of=lambda _: "maybe"), "samples")


def test_a_stage_without_label_of_is_refused(head: Head[Verdict], samples: list[Sample]) -> None:
    with pytest.raises(WiringError, match="label_of"):
        labelled(head.model, rows(head, samples), replace(FUSE, label_of=None), "samples")


def test_members_that_would_stay_noise_are_refused(samples: list[Sample], tmp_path: Path) -> None:
    """A head that has learned from words alone would answer pictures all the same, by a random layer."""
    head: Head[Verdict] = open_head("memes", preset="tiny", weights="random")
    words = rows(head, [replace(sample, media={}) for sample in samples])
    with pytest.raises(DataError, match="no sample has what is read by mm_fusion, vision_expert: untrained"):
        labelled(head.model, words, FUSE, "samples")
    assert len(labelled(head.model, words, FUSE, "validation samples", least=1)) == len(samples)
    assert head.model.backbone is not None
    head.model.backbone.own({"decoder"})  # every member has learned before
    assert len(labelled(head.model, words, FUSE, "samples")) == len(samples)


def test_frozen_experts_stay_in_eval_mode_while_the_fusion_learns(head: Head[Verdict]) -> None:
    """Else the rows that the fusion learns from would have their dropout on."""
    learner = ClassifyLearner(head.model, FUSE, ())
    learner.train()
    assert not any(module.training for encoder in head.model.encoders for module in encoder.module.modules())
    assert head.model.projector is not None
    assert head.model.projector.module.training
    learner.eval()
    assert not head.model.projector.module.training
