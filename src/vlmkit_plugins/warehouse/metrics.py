"""OCA, tIoU and AA: how an answer is compared with the truth, and what answers that never look would get.

Every metric has all samples with truth as its denominator; a missing answer counts 0 in each. (The task's brief
leaves open whether tIoU counts "only clips with a predicted segment"; that would reward answering less.)

- `OCA`: the dominant operation is the true one.
- `tIoU@0.5`: the intersection of the half-open segments is at least half of their union; exactly .5 is a hit.
- `tIoU`: the mean of that ratio itself.
- `AA@1`: the anticipated next operation is the true one.
- `score`: the mean of OCA, tIoU@0.5 and AA@1 under `Weights`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from statistics import median_low

import numpy as np

from vlmkit.errors import DataError
from vlmkit.task import Scoring, Span
from vlmkit.types import Sample
from vlmkit_plugins.warehouse.schema import CLIP_FRAMES, FPS, OPERATIONS, Operation, OperationSpan, TemporalSegment

HIT = 0.5


@dataclass(frozen=True)
class Weights:
    """Shares of the three metrics in `score`. Raises `DataError` unless none is negative and they sum to 1."""

    oca: float = 0.30
    tiou: float = 0.30
    aa: float = 0.40

    def __post_init__(self) -> None:
        if min(astuple(self)) < 0 or not math.isclose(sum(astuple(self)), 1.0, abs_tol=1e-9):
            raise DataError(f"weights: wanted three shares of 0 or more that sum to 1; given {astuple(self)}")


def tiou(truth: TemporalSegment, answer: TemporalSegment) -> float:
    """Intersection over union in frames, 0..1; 0 where they do not touch. The union is of sets, not the hull."""
    overlap = min(truth.end_frame, answer.end_frame) - max(truth.start_frame, answer.start_frame)
    if overlap <= 0:
        return 0.0
    return overlap / (truth.end_frame - truth.start_frame + answer.end_frame - answer.start_frame - overlap)


def row(truth: OperationSpan, answer: OperationSpan | None) -> dict[str, float | None]:
    """The metrics of one sample."""
    if answer is None:
        return {"OCA": 0.0, "tIoU@0.5": 0.0, "tIoU": 0.0, "AA@1": 0.0}
    ratio = tiou(truth.temporal_segment, answer.temporal_segment)
    return {
        "OCA": float(answer.dominant_operation == truth.dominant_operation),
        "tIoU@0.5": float(ratio >= HIT),
        "tIoU": ratio,
        "AA@1": float(answer.anticipated_next_operation == truth.anticipated_next_operation),
    }


def fields(answer: OperationSpan) -> dict[str, str]:
    """The two closed fields."""
    return {name: getattr(answer, name) for name in ("dominant_operation", "anticipated_next_operation")}


def right(truth: OperationSpan, answer: OperationSpan) -> bool:
    """Both operations are the true ones, and the segment is a hit."""
    return all(row(truth, answer)[name] == 1.0 for name in ("OCA", "tIoU@0.5", "AA@1"))


def baselines(truths: Sequence[OperationSpan], ids: Sequence[str], seed: int) -> dict[str, list[OperationSpan]]:
    """What can be answered without looking: one answer an id, for each of three ways.

    - `constant`: the one answer with the best score on `truths` (the segment with most hits; mean tIoU decides ties).
    - `majority`: the most frequent operation, the median start and end, the most frequent next operation.
    - `chance`: operations and segment uniformly at random, the same for the same seed.

    Raises `DataError` without truths.
    """
    if not truths:
        raise DataError("baselines learn from truths, and none was given")
    dominant = _mode([t.dominant_operation for t in truths])
    following = _mode([t.anticipated_next_operation for t in truths])
    segments = [t.temporal_segment for t in truths]
    middle = TemporalSegment(
        start_frame=median_low([s.start_frame for s in segments]),
        end_frame=median_low([s.end_frame for s in segments]),
    )
    rng = np.random.default_rng(seed)
    return {
        "constant": [_span(dominant, best_segment(segments), following)] * len(ids),
        "majority": [_span(dominant, middle, following)] * len(ids),
        "chance": [_chance(rng) for _ in ids],
    }


def best_segment(segments: Sequence[TemporalSegment]) -> TemporalSegment:
    """The one segment that hits most of these; among equals the one with the largest mean tIoU."""
    counts = Counter((s.start_frame, s.end_frame) for s in segments)
    start, end = np.triu_indices(CLIP_FRAMES + 1, k=1)  # all 7,875 segments
    hits, ratios = np.zeros(len(start)), np.zeros(len(start))
    for (true_start, true_end), n in counts.items():
        overlap = np.clip(np.minimum(end, true_end) - np.maximum(start, true_start), 0, None)
        ratio = overlap / (end - start + true_end - true_start - overlap)
        hits += n * (ratio >= HIT)
        ratios += n * ratio
    best = np.lexsort((-ratios, -hits))[0]
    return TemporalSegment(start_frame=int(start[best]), end_frame=int(end[best]))


def spans(answer: OperationSpan, sample: Sample) -> tuple[Span, ...]:
    """The dominant operation's segment in seconds; what else happens in the clip, an answer does not say."""
    del sample
    segment = answer.temporal_segment
    return (Span(segment.start_frame / FPS, segment.end_frame / FPS, answer.dominant_operation),)


def scoring(weights: Weights | None = None) -> Scoring[OperationSpan]:
    """The scoring with these weights; .30, .30, .40 when none are given."""
    shares = weights or Weights()

    def combine(means: Mapping[str, float]) -> dict[str, float]:
        return {"score": shares.oca * means["OCA"] + shares.tiou * means["tIoU@0.5"] + shares.aa * means["AA@1"]}

    return Scoring(
        row=row,
        combine=combine,
        baselines=baselines,
        label=lambda span: span.dominant_operation,
        fields=fields,
        right=right,
        spans=spans,
        inputs=frozenset({"n_frames"}),
    )


SCORING = scoring()


def _mode(labels: Sequence[Operation]) -> Operation:
    counts = Counter(labels)
    return max(OPERATIONS, key=lambda name: counts[name])  # among equals the first in the task's own order


def _span(dominant: Operation, segment: TemporalSegment, following: Operation) -> OperationSpan:
    return OperationSpan(dominant_operation=dominant, temporal_segment=segment, anticipated_next_operation=following)


def _chance(rng: np.random.Generator) -> OperationSpan:
    start, end = sorted(int(v) for v in rng.choice(CLIP_FRAMES + 1, 2, replace=False))
    first, second = (OPERATIONS[int(k)] for k in rng.integers(len(OPERATIONS), size=2))
    return _span(first, TemporalSegment(start_frame=start, end_frame=end), second)
