"""The original's overall score, for answers that have to be compared with its own.

It knows one event a clip. Here the events of truth and answer are paired in the order of their starts, whatever their
class, so that for one event a clip nothing changes; a true event without a partner gets 0, and one that was only
answered counts against the precision of its class. The original pairs rows by their place in two files; here they are
joined by id, and a clip without an answer stays in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import zip_longest

from vlmkit.times import tiou
from vlmkit_plugins.football.found import stretches
from vlmkit_plugins.football.schema import CLASSES, Event, Events
from vlmkit_plugins.football.wording import rouge

SHARES = {"F1_weighted": 0.4, "hit_rate": 0.3, "ROUGE-1": 0.3}
_HIT = 0.5  # strictly more
_MARK = "original:"


def counts(truth: Events, answer: Events | None) -> dict[str, float]:
    """What one clip adds."""
    found: dict[str, float] = {}

    def add(name: str, value: float = 1.0) -> None:
        found[f"{_MARK}{name}"] = found.get(f"{_MARK}{name}", 0.0) + value

    for true, said in zip_longest(_ordered(truth), _ordered(answer) if answer is not None else ()):
        if true is not None:
            add(f"{true.event}:true")
        if said is not None:
            add(f"{said.event}:said")
        if true is not None and said is not None:
            one, two = stretches(Events((true,)))[0], stretches(Events((said,)))[0]
            add(f"{true.event}:hit", float(true.event == said.event))
            add("inside", float(tiou(one, two) > _HIT))
            add("words", rouge(true.description, said.description)["ROUGE-1"])
    return found


def combine(means: Mapping[str, float]) -> dict[str, float]:
    """`overall` alone; its three parts are figures of other names where they mean something else."""
    true = {name: means.get(f"{_MARK}{name}:true", 0.0) for name in CLASSES}
    total = math.fsum(true.values())
    if not total:
        return {"overall": math.nan}
    weighted = math.fsum(true[name] * _f1(name, true[name], means) for name in CLASSES) / total
    parts = {"F1_weighted": weighted}
    parts |= {"hit_rate": means.get(f"{_MARK}inside", 0.0) / total, "ROUGE-1": means.get(f"{_MARK}words", 0.0) / total}
    return {"overall": math.fsum(share * parts[name] for name, share in SHARES.items())}


def _f1(name: str, true: float, means: Mapping[str, float]) -> float:
    both = true + means.get(f"{_MARK}{name}:said", 0.0)
    return 2 * means.get(f"{_MARK}{name}:hit", 0.0) / both if both else 0.0


def _ordered(events: Events) -> list[Event]:
    return sorted(events.root, key=lambda event: event.start_s)
