from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmkit.errors import DataError
from vlmkit.types import Generation, Sample
from vlmkit_plugins.warehouse.head import decoder
from vlmkit_plugins.warehouse.metrics import SCORING, Weights, baselines, best_segment, row, scoring, tiou
from vlmkit_plugins.warehouse.schema import OPERATIONS, Operation, OperationSpan, TemporalSegment
from vlmkit_plugins.warehouse.synth import tell

PERFECT = {"OCA": 1.0, "tIoU@0.5": 1.0, "tIoU": 1.0, "AA@1": 1.0}


def span(start: int, end: int, dominant: Operation = "Tape", following: Operation = "Label") -> OperationSpan:
    segment = TemporalSegment(start_frame=start, end_frame=end)
    return OperationSpan(dominant_operation=dominant, temporal_segment=segment, anticipated_next_operation=following)


@st.composite
def segments(draw: st.DrawFn) -> TemporalSegment:
    start = draw(st.integers(0, 124))
    return TemporalSegment(start_frame=start, end_frame=draw(st.integers(start + 1, 125)))


@given(segments(), segments())
def test_tiou_is_the_share_of_frames(a: TemporalSegment, b: TemporalSegment) -> None:
    one = set(range(a.start_frame, a.end_frame))
    two = set(range(b.start_frame, b.end_frame))
    assert tiou(a, b) == tiou(b, a) == pytest.approx(len(one & two) / len(one | two))


def test_exactly_one_half_is_a_hit() -> None:
    assert row(span(0, 50), span(0, 100))["tIoU@0.5"] == 1.0
    assert row(span(0, 50), span(0, 101))["tIoU@0.5"] == 0.0


def test_rows() -> None:
    assert row(span(5, 60), span(5, 60)) == PERFECT
    assert row(span(5, 60), span(5, 60, "Pack"))["OCA"] == 0.0
    assert row(span(5, 60), span(5, 60, "Tape", "Idle"))["AA@1"] == 0.0


def test_a_missing_answer_counts_as_wrong_in_every_denominator() -> None:
    assert row(span(5, 60), None) == dict.fromkeys(PERFECT, 0.0)


def test_the_weights_are_a_parameter() -> None:
    means = {"OCA": 1.0, "tIoU@0.5": 0.5, "AA@1": 0.25, "tIoU": 0.9}
    assert SCORING.combine(means) == {"score": pytest.approx(0.30 + 0.15 + 0.10)}
    assert scoring(Weights(0.3, 0.4, 0.3)).combine(means) == {"score": pytest.approx(0.3 + 0.2 + 0.075)}
    for wrong in ((0.5, 0.5, 0.5), (-0.5, 0.5, 1.0)):
        with pytest.raises(DataError, match="sum to 1"):
            Weights(*wrong)


def test_the_best_segment_beats_every_other_on_a_small_set() -> None:
    truths = [span(0, 60).temporal_segment, span(0, 70).temporal_segment, span(60, 125).temporal_segment]

    def figures(one: TemporalSegment) -> tuple[int, float]:
        ratios = [tiou(truth, one) for truth in truths]
        return sum(ratio >= 0.5 for ratio in ratios), round(sum(ratios), 9)

    every = [TemporalSegment(start_frame=a, end_frame=b) for a in range(125) for b in range(a + 1, 126)]
    assert figures(best_segment(truths)) == max(figures(one) for one in every)


def test_baselines_never_look() -> None:
    truths = [span(0, 60), span(10, 70), span(20, 120, "Pack", "Idle")]
    found = baselines(truths, ["x", "y"], seed=1)
    assert list(found) == ["constant", "majority", "chance"]
    assert all(len(answers) == 2 for answers in found.values())
    assert found["constant"][0] == found["constant"][1]
    assert found["majority"][0] == span(10, 70)
    assert found == baselines(truths, ["x", "y"], seed=1)
    assert found["chance"] != baselines(truths, ["x", "y"], seed=2)["chance"]
    with pytest.raises(DataError, match="none was given"):
        baselines([], ["x"], seed=0)


def test_baselines_on_synthetic_truths_stay_far_below_the_targets() -> None:
    truths = [tell(3, index).truth for index in range(1000)]
    ids = [str(index) for index in range(1000)]
    means = {
        name: {
            key: sum(float(row(t, a)[key] or 0) for t, a in zip(truths, answers, strict=True)) / 1000 for key in PERFECT
        }
        for name, answers in baselines(truths, ids, seed=0).items()
    }
    assert max(figures["OCA"] for figures in means.values()) < 0.2
    assert max(figures["AA@1"] for figures in means.values()) < 0.2
    assert means["constant"]["tIoU@0.5"] == max(figures["tIoU@0.5"] for figures in means.values()) < 0.8
    assert means["chance"]["tIoU@0.5"] < 0.4


def test_an_answer_is_of_the_class_of_its_dominant_operation() -> None:
    assert [SCORING.label(span(0, 9, name)) for name in OPERATIONS] == list(OPERATIONS)


def test_closed_fields_are_named_as_confidences_are() -> None:
    text = decoder().encode(span(0, 50))
    spoken = Generation(text, "end", 1, 1, (-0.1,), ((0, len(text)),))
    said = decoder().decode(spoken, Sample("x", meta={"used": ("video",)}))
    assert said.value == span(0, 50)
    assert SCORING.fields is not None
    assert set(SCORING.fields(said.value)) <= set(said.confidence)
    assert SCORING.fields(said.value) == {"dominant_operation": "Tape", "anticipated_next_operation": "Label"}


def test_what_happens_when_is_told_in_seconds() -> None:
    assert SCORING.spans is not None
    (found,) = SCORING.spans(span(25, 90), Sample("a"))
    assert (found.start_s, found.end_s, found.label) == (1.0, 3.6, "Tape")


def test_an_answer_is_right_when_all_of_it_is() -> None:
    assert SCORING.right is not None
    assert SCORING.right(span(0, 50), span(0, 100))
    assert not SCORING.right(span(0, 50), span(0, 101))
    assert not SCORING.right(span(0, 50), span(0, 50, "Pack"))
    assert not SCORING.right(span(0, 50), span(0, 50, "Tape", "Idle"))
