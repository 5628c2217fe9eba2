"""Figures of timed events that are no means of samples, of many resamples at once.

Shapes: `n` samples, `r` resamples, `d` events; `weights [r, n]` say how often each sample was drawn, and every figure
is `[r]`, NaN where it is undefined. A sample is drawn with all its events, and twice is two films.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vlmkit.errors import DataError
from vlmkit.evaluate.bootstrap import Array
from vlmkit.evaluate.matching import Overlaps, Pair
from vlmkit.evaluate.ranking import Ranked, Ranks
from vlmkit.task import Span

ACTIVITYNET = tuple(k / 100 for k in range(50, 100, 5))
"""The thresholds of tIoU that ActivityNet averages over."""
TIGHT = (1.0, 2.0, 3.0, 4.0, 5.0)
LOOSE = tuple(float(width) for width in range(5, 65, 5))
"""Widths in seconds of the windows that SoccerNet averages over."""
_THRESHOLDS = np.linspace(0, 1, 200)  # SoccerNet looks at these confidences only


@dataclass(frozen=True)
class Scored:
    """The events of one answer, and how sure it is of each."""

    spans: tuple[Span, ...]
    scores: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.spans) != len(self.scores):
            raise DataError(f"wanted one score an event; given {len(self.scores)} scores for {len(self.spans)} events")


def tiou_ranks(truths: Sequence[Sequence[Span]], answers: Sequence[Scored], at: Sequence[float] = ACTIVITYNET) -> Ranks:
    """Hits as ActivityNet counts them, by class of the truth; criteria are the thresholds `at`.

    In each film, the surest answer first, each takes the true event of its class that it overlaps most and that is not
    taken yet; it is a hit if their tIoU is *at least* the threshold. Of equally sure ones the one that the answer names
    first is first. Answered events of one score enter the ranking together: their order in a file tells nothing.

    F. Caba Heilbron et al., "ActivityNet: A Large-Scale Video Benchmark for Human Activity Understanding", CVPR 2015;
    mAP at a threshold is `Ranks.mean_areas`; the headline is its mean over the thresholds.
    """

    def hits(truth: Sequence[Span], answer: Scored) -> list[list[bool]]:
        overlaps = Overlaps.of(truth, answer.spans)
        order = sorted(range(len(answer.spans)), key=lambda place: -answer.scores[place])
        touching: dict[int, list[Pair]] = {}
        for pair in sorted(overlaps.pairs, key=lambda pair: -pair.tiou):
            touching.setdefault(pair.answer, []).append(pair)
        return [_taken(touching, order, threshold) for threshold in at]

    return _ranks(truths, answers, hits, len(at))


def spotting_ranks(
    truths: Sequence[Sequence[Span]], answers: Sequence[Scored], widths: Sequence[float] = TIGHT, *, rate: float = 2.0
) -> Ranks:
    """Hits as SoccerNet counts spotted actions, by class of the truth; criteria are `widths` of windows in seconds.

    An event is where it starts, in frames of `rate` a second, rounded down. Each true event, in order, takes the
    surest answer of its class that is not taken and lies within half a width of it, the end included; of several
    answers of a class in one frame the last one stands. Of scores SoccerNet tells 200 thresholds from 0 to 1 apart.

    A. Deliège et al., "SoccerNet-v2", CVPR Workshops 2021, and the evaluation of the `SoccerNet` package. Average-mAP
    is `Ranks.mean_eleven`; the package counts a class that does not occur in the truth as 0, here it is left out.
    """
    deltas = [width * rate for width in widths]

    def frame(span: Span) -> int:
        return int(rate * span.start_s)

    def spotted(truth: Sequence[Span]) -> list[Span]:
        return list({(span.label, frame(span)): span for span in truth}.values())

    def kept(answer: Scored) -> Scored:
        told = zip(answer.spans, answer.scores, strict=True)
        last = {(span.label, frame(span)): (span, score) for span, score in told}
        return Scored(tuple(span for span, _ in last.values()), tuple(score for _, score in last.values()))

    def level(score: float) -> float:
        return float(np.searchsorted(_THRESHOLDS, score, side="right"))

    def by_class(spans: Sequence[Span]) -> dict[str, list[tuple[int, int]]]:
        """Frame and place of each event, in the order of time."""
        found: dict[str, list[tuple[int, int]]] = {}
        for place, span in enumerate(spans):
            found.setdefault(span.label, []).append((frame(span), place))
        return {label: sorted(spots) for label, spots in found.items()}

    def hits(truth: Sequence[Span], answer: Scored) -> list[list[bool]]:
        true, said = by_class(truth), by_class(answer.spans)
        return [_spotted(true, said, answer.scores, delta / 2) for delta in deltas]

    true, said = [spotted(truth) for truth in truths], [kept(answer) for answer in answers]
    return _ranks(true, said, hits, len(deltas), level)


def drawn_medians(values: Sequence[float], owners: Sequence[int], weights: Array) -> Array:
    """The median of values that come as often as their samples were drawn: the mean of the middle two, or the middle.

    Args:
        values: `[d]`. owners: the sample that each belongs to, `[d]`.
    """
    if not len(values):
        return np.full(len(weights), np.nan)
    order = np.argsort(values, kind="stable")
    ordered = np.asarray(values, dtype=np.float64)[order]
    below = np.cumsum(weights[:, np.asarray(owners)[order]], axis=1)
    total = below[:, -1]
    low, high = ((below <= middle[:, None]).sum(axis=1) for middle in ((total - 1) // 2, total // 2))
    last = len(ordered) - 1
    found = (ordered[np.minimum(low, last)] + ordered[np.minimum(high, last)]) / 2
    return np.where(total > 0, found, np.nan)


def _taken(touching: Mapping[int, Sequence[Pair]], order: Sequence[int], at: float) -> list[bool]:
    """Whether each answer is a hit, in the order of the answers."""
    gone: set[int] = set()
    found = [False] * len(order)
    for place in order:
        for pair in touching.get(place, ()):
            if pair.tiou < at:
                break
            if pair.truth not in gone:
                gone.add(pair.truth)
                found[place] = True
                break
    return found


def _spotted(
    true: Mapping[str, Sequence[tuple[int, int]]],
    said: Mapping[str, Sequence[tuple[int, int]]],
    scores: Sequence[float],
    most: float,
) -> list[bool]:
    """Whether each answer is a hit, `most` frames from its event at most; frames and places by class, in order."""
    found = [False] * len(scores)
    for label, moments in true.items():
        spots = said.get(label, ())
        frames = [frame for frame, _ in spots]
        for moment, _ in moments:
            near = spots[bisect_left(frames, moment - most) : bisect_right(frames, moment + most)]
            free = [place for _, place in near if not found[place]]
            if free:
                found[max(free, key=scores.__getitem__)] = True  # of equals the first in time
    return found


def _ranks(
    truths: Sequence[Sequence[Span]],
    answers: Sequence[Scored],
    hits: Callable[[Sequence[Span], Scored], list[list[bool]]],
    k: int,
    level: Callable[[float], float] = float,
) -> Ranks:
    if len(truths) != len(answers):
        raise DataError(f"wanted one answer a truth; given {len(answers)} answers and {len(truths)} truths")
    labels = sorted({span.label for truth in truths for span in truth})
    rows: dict[str, list[tuple[int, float, list[bool]]]] = {label: [] for label in labels}
    for owner, (truth, answer) in enumerate(zip(truths, answers, strict=True)):
        shared = {span.label for span in truth} & {span.label for span in answer.spans}
        found = hits(truth, answer) if shared else [[False] * len(answer.spans)] * k
        for place, span in enumerate(answer.spans):
            if span.label in rows:
                rows[span.label].append((owner, level(answer.scores[place]), [row[place] for row in found]))
    by_class = {
        label: Ranked(
            owners=np.array([owner for owner, *_ in rows[label]], dtype=np.intp),
            scores=np.array([score for _, score, _ in rows[label]], dtype=np.float64),
            hits=np.array([row for *_, row in rows[label]], dtype=bool).reshape(-1, k).T,
            true=np.array([sum(span.label == label for span in truth) for truth in truths], dtype=np.float64),
        )
        for label in labels
    }
    return Ranks(k, by_class)
