from __future__ import annotations

import json
from typing import Any

import pytest

from vlmkit.errors import DataError
from vlmkit.types import Prediction, Problem
from vlmkit_plugins.memes.schema import Labels, Verdict, from_json, parse_labels, to_json, truth

GOLDEN: dict[str, Any] = {
    "prob_hate": 0.75, "label": 1, "model": "mm_fusion", "threshold": 0.5, "logits": [-0.5, 0.5],
}  # fmt: skip


def test_the_task_json_is_exactly_five_fields() -> None:
    value = Verdict(**GOLDEN, experts={"mm_fusion": 0.75, "text_expert": 0.2})
    record = json.loads(json.dumps(to_json(Prediction("a", value))))
    assert record == GOLDEN
    assert from_json({"id": "a", **record}) == ("a", Verdict(**GOLDEN))


def test_a_record_without_an_answer_says_why_and_is_not_read() -> None:
    record = to_json(Prediction("a.jpg", None, (Problem("media_missing", "no picture", "image", fatal=True),)))
    assert record["id"] == "a.jpg"
    assert record["problems"][0]["code"] == "media_missing"
    with pytest.raises(DataError, match=r"a\.jpg: problems"):
        from_json(record)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"id": None}, "id: missing"),
        ({"id": 7}, "id: wanted a non-empty string"),
        ({"label": 2}, "label"),
        ({"label": True}, "label: wanted 0 or 1"),
        ({"label": 0}, "label 0 does not go with prob_hate 0.75"),
        ({"prob_hate": 1.5}, "prob_hate"),
        ({"prob_hate": "0.75"}, "prob_hate"),
        ({"prob_hate": None}, "prob_hate"),
        ({"threshold": float("nan")}, "threshold"),
        ({"logits": [0.0]}, "logits"),
        ({"logits": [0.0, float("nan")]}, "two finite numbers"),
        ({"model": "oracle"}, "model"),
        ({"confidence": 0.1}, r"unknown keys \['confidence'\]"),
    ],
)
def test_a_broken_record_names_the_field(change: dict[str, Any], named: str) -> None:
    with pytest.raises(DataError, match=named):
        from_json({"id": "a", **GOLDEN, **change})


@pytest.mark.parametrize("record", [[], None, "x", {}, {"id": "a"}])
def test_what_is_no_record_is_refused(record: Any) -> None:
    with pytest.raises(DataError):
        from_json(record)


def test_truth_is_the_perfect_answer_or_unknown() -> None:
    hateful = truth(Labels(abuse_hate=1))
    assert hateful is not None
    assert (hateful.prob_hate, hateful.label, hateful.model) == (1.0, 1, "truth")
    harmless = truth(Labels(abuse_hate=0))
    assert harmless is not None
    assert (harmless.prob_hate, harmless.label) == (0.0, 0)
    assert truth(Labels(offensive=1)) is None
    assert from_json({"id": "a", **to_json(Prediction("a", hateful))}) == ("a", hateful)


def test_labels_are_closed_and_unknown_is_none() -> None:
    labels = parse_labels({"abuse_hate": 1, "target_group": ["race", "gender"]}, "x")
    assert labels.target_group == ("race", "gender")
    assert labels.offensive is None
    assert parse_labels(json.loads(labels.model_dump_json()), "x") == labels
    for wrong, named in (
        ({"abuse_hate": True}, "abuse_hate"),
        ({"abuse_hate": 0.5}, "abuse_hate"),
        ({"target_type": "crowd"}, "target_type"),
        ({"target_group": ["martians"]}, "target_group"),
        ({"hateful": 1}, "wanted labels such as"),
        ([], "wanted labels such as"),
    ):
        with pytest.raises(DataError, match=f"row 3: {named}"):
            parse_labels(wrong, "row 3")
