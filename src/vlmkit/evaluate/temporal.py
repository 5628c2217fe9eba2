"""Figures of timed events that are no means of samples, of many resamples at once.

Shapes: `n` samples, `r` resamples, `d` events; `weights [r, n]` say how often each sample was drawn, and every figure
is `[r]`, NaN where it is undefined. `owners` says which sample an event belongs to.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vlmkit.evaluate.bootstrap import Array


def drawn_medians(values: Sequence[float], owners: Sequence[int], weights: Array) -> Array:
    """The median of values that come as often as their samples were drawn: the mean of the middle two, or the middle.

    Args:
        values: `[d]`. owners: `[d]`.
    """
    if not len(values):
        return np.full(len(weights), np.nan)
    order = np.argsort(values, kind="stable")
    ordered = np.asarray(values, dtype=np.float64)[order]
    below = np.cumsum(weights[:, np.asarray(owners)[order]], axis=1)
    total = below[:, -1]
    low, high = ((below <= middle[:, None]).sum(axis=1) for middle in ((total - 1) // 2, total // 2))
    last = len(ordered) - 1
    found = (ordered[np.minimum(low, last)] + ordered[np.minimum(high, last)]) / 2
    return np.where(total > 0, found, np.nan)
