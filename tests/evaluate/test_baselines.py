"""Baselines that draw stand for the mean of many draws: on few samples one draw may lie anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from tests.evaluate.sure import SCORING, Spam
from vlmkit.evaluate.baselines import baselines
from vlmkit.evaluate.join import Joined, join
from vlmkit.types import Prediction, Sample


def chance(truths: Sequence[Spam], ids: Sequence[str], seed: int) -> dict[str, list[Spam]]:
    """A coin, and a constant."""
    drawn = np.random.default_rng(seed).random(len(ids)) < 0.5
    return {"coin": [Spam("yes" if up else "no") for up in drawn], "constant": [Spam("no", p=0.4)] * len(ids)}


def few(n: int) -> Joined[Spam]:
    truths = [Spam("yes" if index % 2 else "no", p=float(index % 2)) for index in range(n)]
    samples = [Sample(f"s{index}", text="hi", truth=truth) for index, truth in enumerate(truths)]
    return join(samples, [Prediction(one.id, one.truth) for one in samples], "few")


@pytest.mark.parametrize("seed", range(6))
def test_a_coin_is_a_coin_on_twenty_samples(seed: int) -> None:
    found = baselines(replace(SCORING, baselines=chance), few(20), seed=seed, probable=True)
    assert found["coin"]["accuracy"] == pytest.approx(0.5, abs=0.06)
    assert found["shuffled"]["label accuracy"] == pytest.approx(0.5, abs=0.06)
    one = [Spam("yes" if up else "no") for up in np.random.default_rng(seed).random(20) < 0.5]
    single = np.mean([answer.label == ("yes" if index % 2 else "no") for index, answer in enumerate(one)])
    assert found["coin"]["accuracy"] != single


def test_what_does_not_draw_is_itself() -> None:
    found = baselines(replace(SCORING, baselines=chance), few(20), seed=0, probable=True)
    assert found["constant"]["accuracy"] == 0.5
    assert found["constant"]["Brier"] == pytest.approx((0.4**2 + 0.6**2) / 2)


def test_the_same_seed_gives_the_same() -> None:
    scoring = replace(SCORING, baselines=chance)
    first, again, other = (baselines(scoring, few(12), seed=seed, probable=False) for seed in (1, 1, 2))
    assert first == again
    assert first["coin"] != other["coin"]
