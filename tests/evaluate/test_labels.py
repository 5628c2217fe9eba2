"""Entropy and the per-label table."""

from __future__ import annotations

import pytest

from vlmkit.evaluate.labels import entropy_bits, label_rows


@pytest.mark.parametrize(
    ("labels", "bits"), [(["a"] * 7, 0.0), (["a", "b"], 1.0), (["a", "b", "c", "d"], 2.0), (["a", "a", "b", "c"], 1.5)]
)
def test_entropy_is_shannons(labels: list[str], bits: float) -> None:
    assert entropy_bits(labels) == pytest.approx(bits)


def test_recall_and_precision_have_their_own_denominators() -> None:
    rows = {row.label: row for row in label_rows(["a", "a", "a", "b"], ["a", "b", None, "b"])}
    assert (rows["a"].n, rows["a"].predicted, rows["a"].recall, rows["a"].precision) == (3, 1, 1 / 3, 1.0)
    assert (rows["b"].n, rows["b"].predicted, rows["b"].recall, rows["b"].precision) == (1, 2, 1.0, 0.5)


def test_a_label_only_answered_has_no_recall_and_one_never_answered_no_precision() -> None:
    rows = {row.label: row for row in label_rows(["a"], ["b"])}
    assert rows["b"].recall is None
    assert rows["a"].precision is None


def test_frequent_labels_come_first() -> None:
    assert [row.label for row in label_rows(["z", "z", "a"], ["z", "z", "b"])] == ["z", "a", "b"]
