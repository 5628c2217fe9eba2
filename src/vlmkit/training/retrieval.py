"""How well one modality finds the other, beside what guessing would find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

RANKS = (1, 5, 10)


def retrieval(queries: Tensor, candidates: Tensor, positive: Tensor) -> dict[str, float]:
    """R@k, MRR and median rank of the best positive of each query, beside chance.

    Args:
        queries: `[n, d]` of length 1. candidates: `[n, d]`. positive: `[n, n]`, at least one true a row.

    A candidate that is as near as the best positive counts as before it: equal vectors find nothing. One
    that is no number is as far as can be.
    """
    scores = queries.float() @ candidates.float().T
    scores = scores.masked_fill(scores.isnan(), -torch.inf)  # NaN compares false, and would rank first
    best = scores.masked_fill(~positive, -torch.inf).amax(1, keepdim=True)
    ranks = 1 + ((scores >= best) & ~positive).sum(1)
    n = len(ranks)
    found = {f"R@{k}": (ranks <= k).float().mean().item() for k in RANKS}
    found |= {
        "MRR": (1 / ranks.float()).mean().item(),
        "median_rank": ranks.float().quantile(0.5).item(),
        "n": float(n),
    }
    return found | {f"chance_{name}": value for name, value in chance(positive.sum(1).tolist(), n).items()}


def chance(positives: Sequence[int], n: int) -> dict[str, float]:
    """What a random order of `n` candidates gives on average, where the queries have so many positives each.

    The median is that of the places of all queries together.
    """
    mean_after = [0.0] * (n + 1)  # probability that the best positive stands after place r
    for p, times in Counter(positives).items():
        share = times / len(positives)
        for r in range(n + 1):
            mean_after[r] += share
            share *= max(0, n - r - p) / max(1, n - r)  # nor is it at the next place
    found = {f"R@{k}": 1 - mean_after[min(k, n)] for k in RANKS}
    at = [mean_after[r - 1] - mean_after[r] for r in range(1, n + 1)]
    found["MRR"] = sum(share / rank for rank, share in enumerate(at, 1))
    found["median_rank"] = float(next(r for r in range(n + 1) if mean_after[r] <= 0.5 + 1e-12))
    return found


def flat(found: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """`{direction: {figure: value}}` as `{"direction/figure": value}`, which trackers take."""
    return {f"{direction}/{name}": value for direction, one in found.items() for name, value in one.items()}
