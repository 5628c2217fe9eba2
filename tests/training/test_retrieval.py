"""Ranks and their chance, on cases that can be counted by hand, and against shuffling."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vlmkit.training.retrieval import chance, retrieval


def _unit(rows: Tensor) -> Tensor:
    return torch.nn.functional.normalize(rows, dim=-1)


def test_ranks_by_hand() -> None:
    queries = torch.eye(4)
    # Query 0 finds its own first, query 1 second, query 2 third, query 3 last.
    scores = torch.tensor([[0.9, 0.1, 0.0, 0.0], [0.9, 0.8, 0.0, 0.0], [0.9, 0.8, 0.7, 0.0], [0.9, 0.8, 0.7, 0.6]])
    found = retrieval(queries, scores.T, torch.eye(4, dtype=torch.bool))
    assert found["R@1"] == 0.25
    assert found["R@5"] == found["R@10"] == 1.0
    assert found["MRR"] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert found["median_rank"] == 2.5
    assert found["n"] == 4


def test_the_best_of_several_positives_counts() -> None:
    positive = torch.eye(3, dtype=torch.bool)
    positive[0, 2] = positive[2, 0] = True
    candidates = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    assert retrieval(torch.eye(3), candidates, torch.eye(3, dtype=torch.bool))["R@1"] == pytest.approx(1 / 3)
    assert retrieval(torch.eye(3), candidates, positive)["R@1"] == 1.0


def test_equal_vectors_find_nothing() -> None:
    rows = _unit(torch.ones(20, 4))
    found = retrieval(rows, rows, torch.eye(20, dtype=torch.bool))
    assert (found["R@1"], found["R@10"], found["median_rank"]) == (0.0, 0.0, 20.0)


def test_what_is_no_number_ranks_last() -> None:
    own = torch.eye(20, dtype=torch.bool)
    broken = torch.full((20, 20), torch.nan)
    for queries, candidates in ((broken, torch.eye(20)), (torch.eye(20), broken), (broken, broken)):
        found = retrieval(queries, candidates, own)
        assert (found["R@1"], found["R@10"], found["median_rank"]) == (0.0, 0.0, 20.0)
    one = torch.eye(20)
    one[3] = torch.nan  # neither found nor before the others
    found = retrieval(torch.eye(20), one, own)
    assert found["R@1"] == pytest.approx(19 / 20)
    assert found["MRR"] == pytest.approx((19 + 1 / 20) / 20)


def test_chance_is_what_shuffling_gives() -> None:
    draw = torch.Generator().manual_seed(0)
    n = 12
    kinds = torch.tensor([0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8])
    positive = kinds[:, None] == kinds[None]
    said = chance(positive.sum(1).tolist(), n)
    sums = dict.fromkeys(("R@1", "R@5", "R@10", "MRR"), 0.0)
    ranks = []
    rounds = 400
    for _ in range(rounds):
        rows = _unit(torch.randn(n, 16, generator=draw))
        other = _unit(torch.randn(n, 16, generator=draw))
        found = retrieval(rows, other, positive)
        sums = {name: total + found[name] for name, total in sums.items()}
        ranks.append(found["median_rank"])
    for name, total in sums.items():
        assert said[name] == pytest.approx(total / rounds, abs=0.02)
    assert said["median_rank"] == pytest.approx(sum(ranks) / rounds, abs=1.0)


def test_chance_by_hand() -> None:
    assert chance([1] * 4, 4) == pytest.approx(
        {"R@1": 0.25, "R@5": 1.0, "R@10": 1.0, "MRR": (1 + 1 / 2 + 1 / 3 + 1 / 4) / 4, "median_rank": 2.0}
    )
    assert chance([2, 2], 2)["R@1"] == 1.0
