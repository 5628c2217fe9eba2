"""Figures of all clips together that no mean of clips gives: median errors and average precision."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from vlmkit.evaluate.bootstrap import Array
from vlmkit.evaluate.temporal import ACTIVITYNET, LOOSE, TIGHT, Scored, drawn_medians, spotting_ranks, tiou_ranks
from vlmkit.evaluate.whole import sureness
from vlmkit.types import Prediction
from vlmkit_plugins.football.found import matched, stretches
from vlmkit_plugins.football.schema import Events

SINGLE = (0.5, 0.75, 0.95)
"""Thresholds whose mAP is told on its own, as ActivityNet tells it."""


def whole(
    truths: Sequence[Events], answers: Sequence[Events | None], sure: Sequence[Mapping[str, float]]
) -> Callable[[Array], dict[str, Array]]:
    """The figures of every resample; ready to be drawn a thousand times."""
    known = [stretches(truth) for truth in truths]
    said = [_scored(answer, given) for answer, given in zip(answers, sure, strict=True)]
    areas = tiou_ranks(known, said)
    tight, loose = (spotting_ranks(known, said, widths) for widths in (TIGHT, LOOSE))
    owners, errors = _errors(truths, answers)

    def drawn(weights: Array) -> dict[str, Array]:
        means = areas.mean_areas(weights)
        return {
            "mAP": means.mean(axis=0),
            **{f"mAP@{at}": means[ACTIVITYNET.index(at)] for at in SINGLE},
            "average_mAP_tight": tight.mean_eleven(weights),
            "average_mAP_loose": loose.mean_eleven(weights),
            **{name: drawn_medians(values, owners, weights) for name, values in errors.items()},
        }

    return drawn


def scores(answer: Events, sure: Mapping[str, float]) -> tuple[float, ...]:
    """How sure an answer is of each event: the confidence of its class; 1 where there is none, or none in 0..1."""
    given = (sure.get(f"{place}.event") for place in range(len(answer)))
    return tuple(1.0 if one is None or not 0.0 <= one <= 1.0 else float(one) for one in given)


def unsure(predictions: Sequence[Prediction[Events] | None]) -> Iterator[str]:
    """Says so where events have no confidence: average precision then ranks nothing."""
    told = [
        (one.value, sure) for one, sure in zip(predictions, sureness(predictions), strict=True) if one and one.value
    ]
    every = sum(len(events) for events, _ in told)
    silent = sum(f"{place}.event" not in sure for events, sure in told for place in range(len(events)))
    if silent:
        yield (
            f"{silent} of {every} answered events have no confidence and count as sure (1): mAP and average_mAP rank "
            "them above all others, and without any ranking are little more than precision times recall"
        )


def _scored(answer: Events | None, sure: Mapping[str, float]) -> Scored:
    return Scored((), ()) if answer is None else Scored(stretches(answer), scores(answer, sure))


def _errors(truths: Sequence[Events], answers: Sequence[Events | None]) -> tuple[list[int], dict[str, list[float]]]:
    """The clip of each event that was found, and how far its start and end are from the truth, in seconds."""
    owners: list[int] = []
    starts: list[float] = []
    ends: list[float] = []
    for place, (truth, answer) in enumerate(zip(truths, answers, strict=True)):
        if answer is None:
            continue
        true, said = stretches(truth), stretches(answer)
        for pair in matched(truth, answer).pairs:
            owners.append(place)
            starts.append(math.fabs(said[pair.answer].start_s - true[pair.truth].start_s))
            ends.append(math.fabs(said[pair.answer].end_s - true[pair.truth].end_s))
    return owners, {"start_error_s": starts, "end_error_s": ends}
