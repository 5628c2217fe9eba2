"""Macro-F1 as `Scoring` can resample it: counts a sample, and a ratio of their means."""

from __future__ import annotations

import math
from collections.abc import Mapping


def f1_counts(field: str, truth: str, answer: str | None) -> dict[str, float]:
    """What one sample adds to the F1 of a field, for `Scoring.counts`; an answer of None is a miss, no false alarm."""
    counts = {f"{field}={truth}:true": 1.0}
    if answer is not None:
        counts[f"{field}={answer}:said"] = 1.0
    if answer == truth:
        counts[f"{field}={truth}:hit"] = 1.0
    return counts


def macro_f1(field: str, means: Mapping[str, float]) -> float:
    """The mean F1 of the classes that occur in the truth, for `Scoring.combine`; NaN where none does.

    A class that is only ever answered has no F1 of its own: it costs recall where it stands in a true one's place.
    """
    start, scores = f"{field}=", []
    for name, true in means.items():
        if name.startswith(start) and name.endswith(":true") and true > 0:
            stem = name.removesuffix(":true")
            scores.append(2 * means.get(f"{stem}:hit", 0.0) / (true + means.get(f"{stem}:said", 0.0)))
    return sum(scores) / len(scores) if scores else math.nan
