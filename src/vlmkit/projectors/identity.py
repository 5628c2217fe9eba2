"""The projector of a native model, whose merger already speaks the language model's width."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from torch import nn

from vlmkit.types import Features, Lane, Modality, Tokens


class Identity:
    """Pass rows through. It has no parameters."""

    def __init__(self, modalities: frozenset[Modality], dim: int) -> None:
        self.in_dims: Mapping[Modality, int] = dict.fromkeys(modalities, dim)
        self.out_dim = dim
        self.module: nn.Module = nn.Identity()

    def project(self, features: Mapping[Modality, Features]) -> dict[Lane, Tokens]:
        """The same rows, called tokens."""
        return {
            modality: Tokens(**{f.name: getattr(rows, f.name) for f in fields(rows)})
            for modality, rows in features.items()
        }
