"""Slices have the figures of their samples; subgroup, BPSN and BNSP AUC are those of their definition."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.evaluate.sure import SCORING, Spam, answered, messages, task
from vlmkit.evaluate import evaluate, slices
from vlmkit.evaluate.figures import SliceRow
from vlmkit.types import Prediction, Sample


def scored(n: int = 120) -> tuple[list[Sample], list[Prediction[Spam]], dict[str, SliceRow]]:
    samples = messages(n)
    answers = answered(samples)
    return samples, answers, {row.slice: row for row in evaluate(task(), samples, answers).slices["tongue"]}


def test_a_slice_is_scored_like_a_data_set_of_its_own() -> None:
    samples, answers, rows = scored()
    kept = [sample for sample in samples if sample.truth is not None and sample.truth.tongue == "de"]
    ids = {sample.id for sample in kept}
    alone = evaluate(task(), kept, [one for one in answers if one.sample_id in ids])
    assert list(rows) == ["en", "de"]
    assert rows["de"].n == len(kept)
    for name, value in alone.metrics.items():
        assert rows["de"].metrics[name] == pytest.approx(value)
    assert rows["de"].metrics["label macro-F1"] == pytest.approx(alone.fields[0].metrics["macro-F1"])
    low, high = rows["de"].intervals["accuracy"]
    assert low < rows["de"].metrics["accuracy"] < high


def test_the_crossed_aucs_are_those_of_borkan() -> None:
    samples, answers, rows = scored()
    hit = np.array([sample.truth.label == "yes" for sample in samples if sample.truth])
    de = np.array([sample.truth.tongue == "de" for sample in samples if sample.truth])
    p = np.array([one.value.p for one in answers if one.value])
    for name, where in (
        ("BPSN AUC", (~de & hit) | (de & ~hit)),
        ("BNSP AUC", (~de & ~hit) | (de & hit)),
        ("AUROC", de),
    ):
        assert rows["de"].metrics[name] == pytest.approx(roc_auc_score(hit[where], p[where]))
        low, high = rows["de"].intervals[name]
        assert low <= rows["de"].metrics[name] <= high


def test_a_slice_of_one_class_has_no_auc_and_says_that_it_is_few() -> None:
    samples, answers, _ = scored()
    rare = replace(SCORING, slices=lambda sample: {"first": "yes" if sample.id < "m004" else "no"})
    report = evaluate(task(rare), samples, answers)
    row = {one.slice: one for one in report.slices["first"]}["yes"]
    hits = sum(sample.truth.label == "yes" for sample in samples[:4] if sample.truth)
    assert row.warning == f"4 samples, {4 - hits} of 'no', {hits} of 'yes'"
    assert "slices 'first': 1 of 2 rest on too little: yes" in report.warnings
    one = replace(SCORING, slices=lambda sample: {"all": "one"})
    (whole,) = evaluate(task(one), samples, answers).slices["all"]
    assert whole.warning == ""
    assert math.isnan(whole.metrics["BPSN AUC"])  # no background
    assert whole.metrics["AUROC"] > 0.5


def test_a_table_of_many_slices_keeps_the_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "MOST", 2)
    samples, answers, _ = scored()
    tens = replace(SCORING, slices=lambda sample: {"ten": sample.id[:3]} if sample.id < "m035" else {})
    report = evaluate(task(tens), samples, answers)
    assert [row.slice for row in report.slices["ten"]] == ["m00", "m01"]
    assert "table 'ten' shows its 2 largest slices; 2 more hold 15 samples" in report.warnings
