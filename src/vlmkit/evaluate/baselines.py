"""What can be had without looking at the samples."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from vlmkit.evaluate.answered import Answered
from vlmkit.evaluate.join import Joined
from vlmkit.task import Scoring

T = TypeVar("T")

SHUFFLED = "shuffled"


def baselines(scoring: Scoring[T], joined: Joined[T], *, seed: int, probable: bool) -> dict[str, Answered]:
    """The task's own, and `shuffled`: the truths themselves, each given to a sample drawn by the seed.

    Each is given what the sample forces on any answer. `probable`: whether to score probabilities.
    """
    ids = [sample.id for sample in joined.samples]
    given = dict(scoring.baselines(joined.truths, ids, seed))
    order = np.random.default_rng(seed).permutation(len(ids))
    given.setdefault(SHUFFLED, [joined.truths[place] for place in order])
    found = {}
    for name, answers in given.items():
        pairs = zip(joined.samples, answers, strict=True)
        forced = [scoring.forced(*pair) if scoring.forced else pair[1] for pair in pairs]
        found[name] = Answered.of(scoring, joined.samples, joined.truths, forced, probable=probable)
    return found
