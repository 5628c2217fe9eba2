"""Rows to a class: who answers, what counts as an answer, and what the figures beside it are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from vlmkit.calibration import Calibration, Platt, Temperature
from vlmkit.decoders.linear import LinearDecoder, Member, Scores
from vlmkit.errors import CheckpointError, DataError, WiringError
from vlmkit.protocols import Decoder
from vlmkit.types import Lane, Modality, Problem, Sample, Tokens

MEMBERS = {
    "mm_fusion": Member("fused", ("text", "image")),
    "text_expert": Member("text"),
    "vision_expert": Member("image"),
}
DIMS: dict[Lane, int] = {"text": 3, "image": 2, "fused": 4}
SAMPLE = Sample("one")


@dataclass(frozen=True)
class Answer:
    """What the toy room makes of scores."""

    label: str
    p: float
    member: str
    scores: Scores


def verdict(scores: Scores, sample: Sample) -> tuple[Answer, Sequence[Problem]]:
    return Answer(scores.label(), scores.probabilities[scores.member][1], scores.member, scores), ()


def decoder(**changes: Any) -> LinearDecoder[Answer]:
    torch.manual_seed(0)
    return LinearDecoder(**{"members": MEMBERS, "dims": DIMS, "verdict": verdict, "write": str, **changes})


def settled(member: str, *logits: float, **changes: Any) -> LinearDecoder[Answer]:
    """One whose member gives these logits, whatever the rows."""
    made = decoder(**changes)
    layer: Any = made.module[member]
    layer.weight.data.zero_()
    layer.bias.data = torch.tensor(logits)
    return made


def evidence(*lanes: Lane) -> dict[Lane, Tensor]:
    torch.manual_seed(1)
    return {lane: torch.randn(int(lane in lanes), width) for lane, width in DIMS.items()}


def tokens(lengths: Mapping[Lane, tuple[int, ...]]) -> dict[Lane, Tokens]:
    torch.manual_seed(2)
    return {lane: Tokens(torch.randn(sum(lengths[lane]), DIMS[lane]), lengths[lane]) for lane in DIMS}


BATCH: dict[Lane, tuple[int, ...]] = {"text": (1, 1, 0, 0), "image": (1, 0, 1, 0), "fused": (1, 1, 1, 0)}


def test_it_is_a_decoder() -> None:
    made = decoder()
    assert isinstance(made, Decoder)
    assert made.encode(Answer("1", 0.5, "x", None)).startswith("Answer(")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lanes", "member", "asked"),
    [
        (("text", "image", "fused"), "mm_fusion", ["mm_fusion", "text_expert", "vision_expert"]),
        (("text", "fused"), "text_expert", ["text_expert"]),
        (("image", "fused"), "vision_expert", ["vision_expert"]),
        (("text",), "text_expert", ["text_expert"]),
    ],
)
def test_the_first_member_that_has_all_it_needs_answers(lanes: tuple[Lane, ...], member: str, asked: list[str]) -> None:
    value = decoder().decode(evidence(*lanes), SAMPLE).value
    assert value is not None and value.member == member
    for figures in (value.scores.logits, value.scores.probabilities, value.scores.uncalibrated):
        assert list(figures) == asked
    assert value.scores.thresholds == dict.fromkeys(asked, 0.5)
    modalities: list[Modality] = [lane for lane in lanes if lane != "fused"]
    assert decoder().answering(modalities) == tuple(asked)
    assert decoder().answering(()) == ()


def test_without_a_calibration_p_is_the_softmax_and_the_threshold_one_half() -> None:
    found = settled("mm_fusion", 0.25, 1.5).decode(evidence(*DIMS), SAMPLE)
    assert found.value is not None and found.problems == ()
    p = 1 / (1 + math.exp(-1.25))
    assert found.value.scores.logits["mm_fusion"] == (0.25, 1.5)
    assert found.value.label == "1" and found.value.p == pytest.approx(p)
    assert found.confidence == pytest.approx({"label": p, "reply": p})
    assert found.uncalibrated == {}
    low = settled("mm_fusion", 1.5, 0.25).decode(evidence(*DIMS), SAMPLE)
    assert low.value is not None and low.value.label == "0"
    assert low.confidence == pytest.approx({"label": p, "reply": p})  # of the class that is given


def test_a_calibration_gives_probabilities_and_thresholds_and_keeps_the_models_own() -> None:
    made = settled("mm_fusion", 0.0, 2.0)
    made.calibration = Calibration(
        {"mm_fusion": Temperature(4.0), "text_expert": Platt((-1.0,), (0.0,))},
        {"mm_fusion": {"abuse_hate": 0.7, "best_f1": 0.9}},
    )
    found = made.decode(evidence(*DIMS), SAMPLE)
    assert found.value is not None
    p, plain = 1 / (1 + math.exp(-0.5)), 1 / (1 + math.exp(-2))
    assert found.value.p == pytest.approx(p) and found.value.label == "0"  # .62 is below .7
    assert found.confidence == pytest.approx({"label": 1 - p, "reply": 1 - p})
    assert found.uncalibrated == pytest.approx({"label": 1 - plain, "reply": 1 - plain})
    scores = found.value.scores
    assert scores.thresholds == {"mm_fusion": 0.7, "text_expert": 0.5, "vision_expert": 0.5}
    assert scores.probabilities["text_expert"][0] == pytest.approx(scores.uncalibrated["text_expert"][1])
    assert scores.probabilities["vision_expert"] == scores.uncalibrated["vision_expert"]
    assert (
        made.decode(evidence("text"), SAMPLE).uncalibrated and not made.decode(evidence("image"), SAMPLE).uncalibrated
    )
    made.calibration = None
    again = made.decode(evidence(*DIMS), SAMPLE)
    assert again.value is not None and again.value.p == pytest.approx(plain) and again.uncalibrated == {}


def test_a_probability_at_the_threshold_gives_the_second_class() -> None:
    made = settled("mm_fusion", 1.0, 1.0)
    value = made.decode(evidence(*DIMS), SAMPLE).value
    assert value is not None and (value.p, value.label) == (0.5, "1")


@pytest.mark.parametrize(
    ("calibration", "error", "message"),
    [
        (Calibration({"reply": Temperature(1.0)}), CheckpointError, "is of reply; this head's members are mm_fusion"),
        (Calibration({"mm_fusion": Platt((1.0,) * 3, (0.0,) * 3)}), DataError, "made for 3 classes"),
        (Calibration({}, {"mm_fusion": {"a": 0.1, "b": 0.2}}), CheckpointError, "thresholds of a, b"),
    ],
)
def test_a_calibration_of_something_else_is_refused_when_set(
    calibration: Calibration, error: type[Exception], message: str
) -> None:
    made = decoder()
    with pytest.raises(error, match=message):
        made.calibration = calibration
    assert made.calibration is None


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_no_number_is_no_answer(bad: float) -> None:
    found = settled("mm_fusion", 0.0, bad).decode(evidence(*DIMS), SAMPLE)
    assert found.value is None and found.confidence == {}
    assert [(p.code, p.where, p.fatal) for p in found.problems] == [("no_number", "mm_fusion", True)]
    assert str(bad) in found.problems[0].message
    rows = evidence(*DIMS)
    rows["text"][0, 0] = bad  # of an expert that does not answer
    found = decoder().decode(rows, SAMPLE)
    assert found.value is not None and list(found.value.scores.logits) == ["mm_fusion", "vision_expert"]
    assert [(p.code, p.where, p.fatal) for p in found.problems] == [("no_number", "text_expert", False)]


@pytest.mark.parametrize("lanes", [(), ("fused",)])
def test_nobody_to_ask_is_a_problem(lanes: tuple[Lane, ...]) -> None:
    for rows in (evidence(*lanes), {}):
        found = decoder().decode(rows, SAMPLE)
        assert found.value is None
        assert [(p.code, p.fatal) for p in found.problems] == [("no_rows", True)]


def test_a_room_may_take_its_answer_away() -> None:
    refused = Problem("too_odd", "it is too odd", fatal=True)
    found = decoder(verdict=lambda scores, sample: (verdict(scores, sample)[0], (refused,))).decode(
        evidence(*DIMS), SAMPLE
    )
    assert found.value is None and found.problems == (refused,)


def test_the_most_probable_of_three_classes_is_given() -> None:
    made = settled("text_expert", 0.0, 3.0, 1.0, classes=("a", "b", "c"))
    made.calibration = Calibration({"text_expert": Temperature(2.0)})
    found = made.decode(evidence("text"), SAMPLE)
    assert found.value is not None and found.value.label == "b" and found.value.scores.thresholds == {}
    weights = np.exp([0.0, 1.5, 0.5])
    assert found.confidence["label"] == pytest.approx(weights[1] / weights.sum())


def test_a_batch_gives_the_logits_that_each_sample_gives_alone() -> None:
    made, batch = decoder(), tokens(BATCH)
    together = made.batch_logits(batch)
    assert {name: owners for name, (_, owners) in together.items()} == {
        "mm_fusion": [0],
        "text_expert": [0, 1],
        "vision_expert": [0, 2],
    }
    parts = {lane: rows.values.split(list(rows.lengths)) for lane, rows in batch.items()}
    for index in range(4):
        alone = made.logits({lane: part[index] for lane, part in parts.items()})
        assert list(alone) == [name for name, (_, owners) in together.items() if index in owners]
        for name, logits in alone.items():
            row = together[name][1].index(index)
            torch.testing.assert_close(logits, together[name][0][row])
    several = {lane: torch.stack([part[0][0], -part[0][0]]) for lane, part in parts.items()}
    torch.testing.assert_close(made.logits(several)["mm_fusion"], made.module["mm_fusion"].bias)  # the mean row is 0


def test_the_loss_is_the_mean_over_samples_and_the_members_that_can_be_asked() -> None:
    made, batch = decoder(), tokens(BATCH)
    found = {name: logits.log_softmax(-1) for name, (logits, _) in made.batch_logits(batch).items()}
    terms = [
        found["mm_fusion"][0, 1],
        found["text_expert"][0, 1],
        found["text_expert"][1, 0],
        found["vision_expert"][0, 1],
    ]
    labels = ("1", "0", None, "1")  # the third is unknown, the last has no rows
    torch.testing.assert_close(made.loss(batch, labels), -torch.stack(terms).mean())
    weighted = decoder(weights=(3.0, 1.0)).loss(batch, labels)
    torch.testing.assert_close(weighted, -(terms[0] + terms[1] + 3 * terms[2] + terms[3]) / 6)


def test_every_member_learns() -> None:
    made, batch = decoder(), tokens({lane: (1,) * 8 for lane in DIMS})
    labels = ["0", "1"] * 4
    optimiser = torch.optim.Adam(made.module.parameters(), 0.1)
    before = made.loss(batch, labels).item()
    for _ in range(200):
        optimiser.zero_grad()
        loss = made.loss(batch, labels)
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.7 * before
    assert made.loss(tokens({"text": (1,), "image": (0,), "fused": (0,)}), ["0"]).item() >= 0


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ((None,) * 4, "none of these 4 samples has both a known class and rows"),
        ((None, None, None, "1"), "nothing to learn"),
        (("hate", "0", "0", "0"), "unknown class 'hate'; the head tells 0, 1 apart"),
    ],
)
def test_labels_that_teach_nothing_are_refused(labels: tuple[str | None, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        decoder().loss(tokens(BATCH), labels)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"members": {}}, "wanted a member"),
        ({"classes": ("1",)}, "two classes or more"),
        ({"classes": ("1", "1")}, "two classes or more"),
        ({"weights": (1.0,)}, "one weight a class; given 1 for 0, 1"),
        ({"members": {"ear": Member("audio")}}, r"no rows for ear \(audio\); lanes there are: text, image, fused"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(WiringError, match=message):
        decoder(**changes)
