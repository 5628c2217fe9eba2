"""How events are compared with the truth.

An answered event belongs to a true one of its class where their tIoU, intersection over union of the half-open
stretches, is *at least* the threshold: one to one, as many pairs as can be had (vlmkit.evaluate.matching). A clip
without an answer misses all its events, and is wrong where there are none. Nothing is left out of a denominator but
where it says so.

- `tIoU`: per clip, twice the largest sum of tIoU of pairs of one class by the number of events in truth and answer;
  1 where both are empty. It is 1 for the truth alone.
- `exact@0.5`: every event of the clip is found at .5, and none is false.
- `empty_right`: of the clips without events, those answered so.
- `ROUGE-1`, `ROUGE-2`, `ROUGE-L`: F-measure between the descriptions of events that are found at .5, per clip that has
  one, with Porter's stemmer (C.-Y. Lin, "ROUGE", 2004, as `rouge-score` counts it); words are Latin letters and digits.
- `precision@0.3`, `recall@0.3`, `F1@0.3`, `precision@0.5`, `recall@0.5`, `F1@0.5`, `precision@0.7`, `recall@0.7`,
  `F1@0.7`: over the events of all clips together.
- `macro_F1@0.3`, `macro_F1@0.5`, `macro_F1@0.7`: the mean F1 of the classes that occur in the truth.
- `misses`, `false_alarms`: events a clip at .5.
- `start_error_s`, `end_error_s`: the median distance in seconds between events that are found at .5 and the truth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from vlmkit.evaluate.bootstrap import Array
from vlmkit.evaluate.f1 import macro_f1
from vlmkit.evaluate.matching import Matched, Overlaps
from vlmkit.evaluate.temporal import drawn_medians
from vlmkit.task import Scoring, Span
from vlmkit.types import Sample
from vlmkit_plugins.football.blind import baselines
from vlmkit_plugins.football.schema import Events
from vlmkit_plugins.football.wording import ROUGES, rouge

AT = (0.3, 0.5, 0.7)
HIT = 0.5
NOTHING = "no event"
SEVERAL = "several classes"
_CACHED = 1 << 15


@lru_cache(_CACHED)
def stretches(events: Events) -> tuple[Span, ...]:
    """The events as labelled stretches, in the order of the answer."""
    return tuple(Span(event.start_s, event.end_s, event.event) for event in events.root)


@lru_cache(_CACHED)
def overlaps(truth: Events, answer: Events) -> Overlaps:
    """The events of one class that touch."""
    return Overlaps.of(stretches(truth), stretches(answer))


def matched(truth: Events, answer: Events, at: float = HIT) -> Matched:
    """Which answered event belongs to which true one."""
    return overlaps(truth, answer).match(at)


def row(truth: Events, answer: Events | None) -> dict[str, float | None]:
    """The figures of one clip."""
    words: dict[str, float | None] = dict.fromkeys(ROUGES)
    empty = None if len(truth) else float(answer is not None and not len(answer))
    if answer is None:
        return {"tIoU": 0.0, "exact@0.5": 0.0, "empty_right": empty, **words}
    n = len(truth) + len(answer)
    found = matched(truth, answer)
    if found.pairs:
        scores = [rouge(truth[pair.truth].description, answer[pair.answer].description) for pair in found.pairs]
        words |= {name: math.fsum(score[name] for score in scores) / len(scores) for name in ROUGES}
    return {
        "tIoU": 2 * overlaps(truth, answer).best() / n if n else 1.0,
        "exact@0.5": float(right(truth, answer)),
        "empty_right": empty,
        **words,
    }


def right(truth: Events, answer: Events) -> bool:
    """Every event is found at .5, and none is false."""
    found = matched(truth, answer)
    return not found.misses and not found.false_alarms


def counts(truth: Events, answer: Events | None) -> dict[str, float]:
    """True, answered and found events, by threshold and class: `0.5=Goal:hit`."""
    found: dict[str, float] = {}
    for at in AT:
        pairs = matched(truth, answer, at).pairs if answer is not None else ()
        for event in truth.root:
            _add(found, f"{at}={event.event}:true")
        for event in answer.root if answer is not None else ():
            _add(found, f"{at}={event.event}:said")
        for pair in pairs:
            _add(found, f"{at}={truth[pair.truth].event}:hit")
    return found


def combine(means: Mapping[str, float]) -> dict[str, float]:
    """Precision, recall and F1 at each threshold; misses and false alarms a clip."""
    figures: dict[str, float] = {}
    for at in AT:
        true, said, hit = (_sum(means, f"{at}=", f":{what}") for what in ("true", "said", "hit"))
        figures[f"F1@{at}"] = _ratio(2 * hit, true + said)
        figures[f"precision@{at}"], figures[f"recall@{at}"] = _ratio(hit, said), _ratio(hit, true)
        figures[f"macro_F1@{at}"] = macro_f1(str(at), means)
        if at == HIT:
            figures["misses"], figures["false_alarms"] = true - hit, said - hit
    return figures


def whole(
    truths: Sequence[Events], answers: Sequence[Events | None], sure: Sequence[Mapping[str, float]]
) -> Callable[[Array], dict[str, Array]]:
    """The median errors."""
    owners, starts, ends = [], [], []
    for place, (truth, answer) in enumerate(zip(truths, answers, strict=True)):
        if answer is None:
            continue
        for pair in matched(truth, answer).pairs:
            true, said = truth[pair.truth], answer[pair.answer]
            owners.append(place)
            starts.append(abs(said.start_s - true.start_s))
            ends.append(abs(said.end_s - true.end_s))

    def drawn(weights: Array) -> dict[str, Array]:
        return {
            "start_error_s": drawn_medians(starts, owners, weights),
            "end_error_s": drawn_medians(ends, owners, weights),
        }

    return drawn


def label(events: Events) -> str:
    """The class of all its events; `no event`, or `several classes`."""
    classes = {event.event for event in events.root}
    if len(classes) > 1:
        return SEVERAL
    return classes.pop() if classes else NOTHING


def spans(events: Events, sample: Sample) -> tuple[Span, ...]:
    """The events, in seconds."""
    del sample
    return stretches(events)


def _add(found: dict[str, float], name: str) -> None:
    found[name] = found.get(name, 0.0) + 1.0


def _sum(means: Mapping[str, float], start: str, end: str) -> float:
    return math.fsum(value for name, value in means.items() if name.startswith(start) and name.endswith(end))


def _ratio(part: float, all_of_it: float) -> float:
    return part / all_of_it if all_of_it else math.nan


SCORING = Scoring(
    row=row,
    combine=combine,
    baselines=baselines,
    label=label,
    counts=counts,
    whole=whole,
    lower=frozenset({"misses", "false_alarms", "start_error_s", "end_error_s"}),
    right=right,
    spans=spans,
)
