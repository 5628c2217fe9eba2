"""How events are compared with the truth.

An answered event belongs to a true one of its class where their tIoU, intersection over union of the half-open
stretches, is *at least* the threshold: one to one, as many pairs as can be had (vlmkit.evaluate.matching). A clip
without an answer misses all its events, and is wrong where there are none. What a file has answered besides, and is no
event (`Events.left_out`), is a false alarm, in the table of events under `left out`; average precision, which is about
the classes of the truth, does not see it. Nothing is left out of a denominator but where it says so.

- `tIoU`: per clip, twice the largest sum of tIoU of pairs of one class by the number of events in truth and answer;
  1 where both are empty. It is 1 for the truth alone.
- `exact@0.5`: every event of the clip is found at a tIoU of at least .5, class by class, and none is false.
- `empty_right`: of the clips without events, those answered so.
- `ROUGE-1`, `ROUGE-2`, `ROUGE-L`: F-measure between the descriptions of events that are found at .5, per clip that has
  one, with Porter's stemmer (C.-Y. Lin, "ROUGE", 2004, as `rouge-score` counts it); words are Latin letters and digits.
- `F1@0.3`, `precision@0.3`, `recall@0.3`, `F1@0.5`, `precision@0.5`, `recall@0.5`, `F1@0.7`, `precision@0.7`,
  `recall@0.7`: over the events of all clips together, found at a tIoU of at least .3, .5 and .7.
- `macro_F1@0.3`, `macro_F1@0.5`, `macro_F1@0.7`: the mean F1 of the classes that occur in the truth.
- `misses`, `false_alarms`: events a clip at .5.
- `mAP`, `mAP@0.5`, `mAP@0.75`, `mAP@0.95`: average precision as ActivityNet defines it, over the classes that occur in
  the truth; the first is the mean over tIoU of .5, .55 … .95. Events are ranked by the confidence of their class.
- `average_mAP_tight`, `average_mAP_loose`: SoccerNet's, of the moments where events start, over windows that are 1 … 5
  and 5, 10 … 60 seconds wide.
- `start_error_s`, `end_error_s`: the median distance in seconds between events that are found at .5 and the truth.
- `label`: what a clip is called in the first table: the class of all its events, `no event`, or `several classes`,
  whichever these are; the table of events tells them apart.
- `overall`: the original's score, where it was asked for: .4 weighted F1 of classes, .3 share of events with a tIoU of
  *more than* .5, .3 ROUGE-1; events are paired in the order of their starts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from vlmkit.evaluate.f1 import macro_f1
from vlmkit.evaluate.matching import Overlaps
from vlmkit.task import Scoring, Span
from vlmkit.types import Sample
from vlmkit_plugins.football import original
from vlmkit_plugins.football.blind import baselines
from vlmkit_plugins.football.found import HIT, matched, overlaps, stretches
from vlmkit_plugins.football.schema import Events, events_of
from vlmkit_plugins.football.whole import unsure, whole
from vlmkit_plugins.football.wording import ROUGES, rouge

AT = (0.3, 0.5, 0.7)
NOTHING = "no event"
SEVERAL = "several classes"
LEFT_OUT = "left out"
LOWER = frozenset({"misses", "false_alarms", "start_error_s", "end_error_s"})


def row(truth: Events, answer: Events | None) -> dict[str, float | None]:
    """The figures of one clip."""
    words: dict[str, float | None] = dict.fromkeys(ROUGES)
    empty = None if len(truth) else float(answer is not None and not len(answer) and not answer.left_out)
    if answer is None:
        return {"tIoU": 0.0, "exact@0.5": 0.0, "empty_right": empty, **words}
    n = len(truth) + len(answer) + answer.left_out
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
    return not found.misses and not found.false_alarms and not answer.left_out


def counts(truth: Events, answer: Events | None) -> dict[str, float]:
    """True, answered and found events, by threshold and class: `0.5=Goal:hit`."""
    found: dict[str, float] = {}
    for at in AT:
        pairs = matched(truth, answer, at).pairs if answer is not None else ()
        for event in truth.root:
            _add(found, f"{at}={event.event}:true")
        for event in answer.root if answer is not None else ():
            _add(found, f"{at}={event.event}:said")
        if answer is not None and answer.left_out:
            found[f"{at}={LEFT_OUT}:said"] = float(answer.left_out)
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


def elements(truth: Events, answer: Events | None) -> dict[str, list[tuple[str | None, str | None]]]:
    """Each event's class in truth and answer: of those found at .5, then of those found but for their class."""
    if answer is None:
        return {"event": [(event.event, None) for event in truth.root]}
    found = matched(truth, answer)
    pairs: list[tuple[str | None, str | None]] = [
        (truth[pair.truth].event, answer[pair.answer].event) for pair in found.pairs
    ]
    missed, false = [truth[place] for place in found.misses], [answer[place] for place in found.false_alarms]
    mixed = Overlaps.of(stretches(events_of(missed)), stretches(events_of(false)), by_class=False).match(HIT)
    pairs += [(missed[pair.truth].event, false[pair.answer].event) for pair in mixed.pairs]
    pairs += [(missed[place].event, None) for place in mixed.misses]
    pairs += [(None, false[place].event) for place in mixed.false_alarms]
    return {"event": pairs + [(None, LEFT_OUT)] * answer.left_out}


def label(events: Events) -> str:
    """The class of all its events; `no event`, or `several classes`."""
    classes: set[str] = {event.event for event in events.root} | ({LEFT_OUT} if events.left_out else set())
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


def scoring(*, overall: bool = False) -> Scoring[Events]:
    """How football is scored. `overall`: with the original's overall score beside the other figures."""

    def counted(truth: Events, answer: Events | None) -> dict[str, float]:
        return counts(truth, answer) | original.counts(truth, answer)

    def combined(means: Mapping[str, float]) -> dict[str, float]:
        return combine(means) | original.combine(means)

    return Scoring(
        row=row,
        combine=combined if overall else combine,
        baselines=baselines,
        label=label,
        counts=counted if overall else counts,
        whole=whole,
        lower=LOWER,
        notes=unsure,
        elements=elements,
        right=right,
        spans=spans,
    )


SCORING = scoring()
