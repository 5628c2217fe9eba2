"""M-RoPE positions of text behind a film, as Qwen2.5-VL was trained with them."""

from __future__ import annotations

from itertools import pairwise
from types import MethodType
from typing import Any

import torch
from torch import Tensor


def follow_films(model: Any) -> None:
    """Let text go on after the last position of the film before it, in time as in height and width.

    So it is in the authors' code and in vLLM. `transformers` (5.19 to 5.23) counts a film's height and width only:
    text behind one of more time steps than that gets positions that the film has already.

    Args:
        model: the `transformers` model that has `get_rope_index`; the method of this one object is replaced.
    """
    upstream = type(model).get_rope_index

    def get_rope_index(self: Any, input_ids: Tensor, mm_token_type_ids: Tensor, *grids: Any, **more: Any) -> Any:
        found, _ = upstream(self, input_ids, mm_token_type_ids, *grids, **more)
        positions: Tensor = found.clone()
        mask = more.get("attention_mask")
        here = torch.ones_like(input_ids, dtype=torch.bool) if mask is None else mask.bool()
        deltas = []
        for row in range(len(input_ids)):
            moved = _behind(positions[:, row, here[row]], mm_token_type_ids[row, here[row]])
            positions[:, row, here[row]] = moved
            deltas.append(moved.max() + 1 - moved.shape[1])
        return positions, torch.stack(deltas).unsqueeze(1)

    model.get_rope_index = MethodType(get_rope_index, model)


def _behind(positions: Tensor, kinds: Tensor) -> Tensor:
    """One row `[3, s]` with everything behind each picture or film moved to where it ends."""
    edges = [0, *(torch.nonzero(kinds.diff()).flatten() + 1).tolist(), kinds.shape[0]]
    for start, end in pairwise(edges):
        if kinds[start] != 0 and end < kinds.shape[0]:
            positions[:, end:] += positions[:, start:end].max() + 1 - positions[0, end]
    return positions
