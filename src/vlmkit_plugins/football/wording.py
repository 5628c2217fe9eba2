"""How alike two descriptions of an event are."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any

from vlmkit.errors import MissingExtraError

ROUGES: Mapping[str, str] = MappingProxyType({"ROUGE-1": "rouge1", "ROUGE-2": "rouge2", "ROUGE-L": "rougeL"})
"""The names of the figures, and what `rouge-score` calls them."""


@lru_cache(1 << 14)
def rouge(truth: str, answer: str) -> Mapping[str, float]:
    """F-measures of shared words, pairs of words and longest common subsequence, 0..1, with Porter's stemmer.

    Words are runs of Latin letters and digits; a text without any has none to share, and gets 0.

    Raises `MissingExtraError` without rouge-score.
    """
    scores = _scorer().score(truth, answer)
    return {name: float(scores[key].fmeasure) for name, key in ROUGES.items()}


@cache
def _scorer() -> Any:
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError as error:
        raise MissingExtraError("rouge_score", "football") from error
    return RougeScorer(list(ROUGES.values()), use_stemmer=True)
