"""Which operation follows which in the synthetic clips, and how well anybody can anticipate the next one.

The ten operations stand in one cycle. The next one is 1, 2 or 3 places further on with probability .75, .15, .10.
Every operation has one successor of each kind and is one of each kind, so in the long run all ten are equally
frequent; and three places are less than half the cycle, so no operation comes back within a clip of three.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from vlmkit.errors import DataError
from vlmkit.types import Sample
from vlmkit_plugins.warehouse.schema import Operation

CYCLE: tuple[Operation, ...] = (
    "Box Setup",
    "Inner Packing",
    "Put Items",
    "Pack",
    "Tape",
    "Wrap",
    "Label",
    "Final Check",
    "Unknown",
    "Idle",
)
STEPS = (0.75, 0.15, 0.10)
"""Probability of going one, two and three places further."""


class Ceiling(NamedTuple):
    """How well the next operation can be named by who knows the grammar and sees every visible operation.

    `expected` is the mean probability of the likeliest successor; `oracle` how often it is the true one here.
    """

    expected: float
    oracle: float
    n: int


def successors(operation: Operation) -> dict[Operation, float]:
    """The possible next operations with their probabilities, likeliest first."""
    place = CYCLE.index(operation)
    return {CYCLE[(place + k + 1) % len(CYCLE)]: p for k, p in enumerate(STEPS)}


def draw_next(operation: Operation, rng: np.random.Generator) -> Operation:
    """One successor at random."""
    choices = successors(operation)
    return list(choices)[int(rng.choice(len(choices), p=list(choices.values())))]


def grammar_ceiling(samples: Iterable[Sample]) -> Ceiling:
    """The best AA@1 that the grammar allows on these samples.

    Each has to carry `meta["timeline"]` and a truth; `DataError` when one lacks them, and for no samples.
    """
    expected, hits = [], []
    for sample in samples:
        timeline = sample.meta.get("timeline")
        if not timeline or sample.truth is None:
            raise DataError(f"{sample.id}: the ceiling needs a timeline and a truth; only synthetic clips have both")
        choices = successors(timeline[-1][0])
        best = max(choices, key=lambda name: choices[name])
        expected.append(choices[best])
        hits.append(best == sample.truth.anticipated_next_operation)
    if not expected:
        raise DataError("the ceiling of no samples is not defined; give at least one")
    return Ceiling(float(np.mean(expected)), float(np.mean(hits)), len(expected))
