"""Lists, class by class."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from vlmkit.evaluate.elements import elements_of
from vlmkit.evaluate.page.tables import class_table, confusion_table
from vlmkit.task import Scoring
from vlmkit.testing.fakes import colours

Pairs = list[tuple[str | None, str | None]]
ROWS: list[Pairs] = [
    [("a", "a"), ("a", "b"), ("b", None), (None, "c")],
    [],
    [("a", "a"), (None, "a")],
    [("b", "b")],
]


def scoring() -> Scoring[Pairs]:
    """Answers that are the pairs themselves."""
    return replace(cast(Any, colours().scoring), elements=lambda truth, answer: {"thing": truth})


def test_counts_by_class() -> None:
    (found,) = elements_of(scoring(), ROWS, ROWS)
    table = found.table({"F1 a": (0.1, 0.9), "micro-F1": (0.2, 0.8)})
    assert table.classes == ("a", "b", "c")
    assert table.confusion == ((2, 1, 0, 0), (0, 1, 0, 1), (0, 0, 0, 0))
    assert [(row.label, row.n, row.predicted, row.right) for row in table.rows] == [
        ("a", 3, 3, 2),
        ("b", 2, 2, 1),
        ("c", 0, 1, 0),
    ]
    assert table.rows[0].f1_interval == (0.1, 0.9)
    assert table.intervals == {"micro-F1": (0.2, 0.8)}
    assert table.metrics == {"micro-F1": pytest.approx(2 * 3 / 11), "macro-F1": pytest.approx((2 / 3 + 1 / 2) / 2)}
    assert class_table("thing", table.rows, elements=True).rows[0][:5] == ["a", "3", "3", "1", "1"]
    assert confusion_table(table).header[-1] == "missed"


def test_a_draw_is_the_samples_repeated() -> None:
    (found,) = elements_of(scoring(), ROWS, ROWS)
    weights = np.array([[2.0, 1.0, 0.0, 1.0], [0.0, 3.0, 1.0, 0.0]])
    for row, place in zip(weights, range(2), strict=True):
        again = [pairs for pairs, times in zip(ROWS, row, strict=True) for _ in range(int(times))]
        (repeated,) = elements_of(scoring(), again, again)
        whole = repeated.drawn(np.ones((1, len(again))))
        for name, values in whole.items():
            assert found.drawn(weights)[name][place] == pytest.approx(values[0], nan_ok=True)


def test_other_answers_list_nothing() -> None:
    assert elements_of(colours().scoring, [], []) == []
