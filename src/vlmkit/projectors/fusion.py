"""Pooled rows of two modalities into one, for heads without a language model.

Legend: `b` samples, `k` of them with the modality, `d` width of an encoder's rows, `h` width of the attention.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from vlmkit.errors import WiringError
from vlmkit.types import Features, Lane, Modality, Tokens

Kind = Literal["concat", "gated"]
"""What happens to the two rows before the MLP: nothing, or each looks at the other first."""

_LATENTS = 4  # positions that a pooled row becomes: among one key alone, attention has nothing to choose
_MISSING_STD = 0.02  # of the start of the vectors that stand for a missing modality


class _Cross(nn.Module):
    """What one row takes from another: multi-head cross-attention behind a tanh gate that starts shut.

    The gate is that of Flamingo's GATED XATTN-DENSE layer (Alayrac et al. 2022, arXiv 2204.14198, 2.2).
    """

    def __init__(self, query_dim: int, other_dim: int, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.width = hidden // heads
        self.query_norm = nn.LayerNorm(query_dim)
        self.other_norm = nn.LayerNorm(other_dim)
        self.query = nn.Linear(query_dim, _LATENTS * hidden, bias=False)
        self.key_value = nn.Linear(other_dim, 2 * _LATENTS * hidden, bias=False)
        self.out = nn.Linear(_LATENTS * hidden, query_dim, bias=False)
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, row: Tensor, other: Tensor) -> Tensor:
        """`[b, d]` and `[b, d_other]` to what is added to the first, `[b, d]`."""
        query = self._split(self.query(self.query_norm(row)))
        key, value = map(self._split, self.key_value(self.other_norm(other)).chunk(2, dim=-1))
        seen = nn.functional.scaled_dot_product_attention(query, key, value)  # [b, heads, latents, h / heads]
        found: Tensor = self.gate.tanh() * self.out(seen.transpose(1, 2).flatten(1))
        return found

    def _split(self, rows: Tensor) -> Tensor:
        return rows.view(len(rows), _LATENTS, self.heads, self.width).transpose(1, 2)


class _Fused(nn.Module):
    def __init__(self, in_dims: Mapping[Modality, int], out_dim: int, dropout: float) -> None:
        super().__init__()
        self.missing = nn.ParameterDict({name: torch.randn(width) * _MISSING_STD for name, width in in_dims.items()})
        self.mlp = nn.Sequential(nn.Linear(sum(in_dims.values()), out_dim), nn.GELU(), nn.Dropout(dropout))
        self.cross = nn.ModuleDict()

    def look_across(self, in_dims: Mapping[Modality, int], hidden: int, heads: int) -> None:
        """Let each row take from the other first."""
        (first, a), (second, b) = in_dims.items()
        self.cross[first] = _Cross(a, b, hidden, heads)
        self.cross[second] = _Cross(b, a, hidden, heads)

    def forward(self, rows: Mapping[Modality, Tensor], there: Mapping[Modality, Tensor]) -> Tensor:
        """Rows `[b, d]` a modality, and which of them count `[b]`, to `[b, out_dim]`."""
        first, second = rows
        held = {name: torch.where(there[name][:, None], rows[name], self.missing[name]) for name in rows}
        if self.cross:
            both = (there[first] & there[second])[:, None]  # nobody looks at what is not there, nor from there
            taken = {
                name: self.cross[name](held[name], held[other]).masked_fill(~both, 0.0)
                for name, other in ((first, second), (second, first))
            }
            held = {name: held[name] + taken[name] for name in rows}
        found: Tensor = self.mlp(torch.cat([held[name] for name in rows], dim=-1))
        return found


class Fusion:
    """Lanes of the two modalities, their pooled rows as they are, and `fused`: one row made of both.

    `concat` is an MLP on both rows side by side: linear, GELU, dropout; a decoder's linear layer is the classifier
    behind it. `gated` lets each row first take from the other by cross-attention behind a gate that starts shut, so
    both kinds start equal. A modality that a sample lacks is a learned vector in `fused`, and has no row in its own
    lane. Encoders that give several rows a sample are read by their mean.

    In training a modality of a sample that has both is dropped from `fused` now and then, so that the learned vectors
    are learned and neither row is leaned on alone: ModDrop, Neverova et al. 2015, arXiv 1501.00102.

    Args:
        in_dims: width of the rows of each of two modalities, in the order in which they are put side by side.
        out_dim: of a `fused` row, which is the hidden layer of the MLP.
        hidden: width of the attention (`gated`), of which each of its `heads` has an equal part.
        moddrop: how probable it is that one certain modality of a sample is dropped; never both are, so .5 at most.

    Raises `WiringError` for other than two modalities, and for figures outside their range.
    """

    def __init__(
        self,
        in_dims: Mapping[Modality, int],
        out_dim: int = 512,
        *,
        kind: Kind = "concat",
        hidden: int = 512,
        heads: int = 8,
        dropout: float = 0.1,
        moddrop: float = 0.25,
    ) -> None:
        if len(in_dims) != 2:
            raise WiringError(f"fusion is of two modalities; given {', '.join(in_dims) or 'none'}")
        if kind not in get_args(Kind):
            raise WiringError(f"unknown kind of fusion {kind!r}; choose one of {', '.join(get_args(Kind))}")
        if hidden % heads:
            raise WiringError(f"hidden={hidden} cannot be shared by {heads} heads; give a multiple of {heads}")
        if not 0 <= moddrop <= 0.5 or not 0 <= dropout < 1:
            raise WiringError(f"wanted moddrop in [0, .5] and dropout in [0, 1); given {moddrop} and {dropout}")
        self.in_dims: Mapping[Modality, int] = dict(in_dims)
        self.out_dim = out_dim
        self.widths: dict[Lane, int] = {name: width for name, width in in_dims.items()} | {"fused": out_dim}
        self.moddrop = moddrop
        self._fused = _Fused(in_dims, out_dim, dropout)
        if kind == "gated":
            self._fused.look_across(in_dims, hidden, heads)
        self.module: nn.Module = self._fused

    def project(self, features: Mapping[Modality, Features]) -> dict[Lane, Tokens]:
        """One row a sample in each lane that it has: those of its modalities, and `fused` where it has any."""
        if not features:
            return {}
        n = len(next(iter(features.values())).lengths)
        none = {name: Features(like.new_zeros(0, len(like)), (0,) * n) for name, like in self._fused.missing.items()}
        lanes: dict[Lane, Tokens] = {name: _pooled(features.get(name, none[name])) for name in self.in_dims}
        lengths = tuple(int(any(one)) for one in zip(*(rows.lengths for rows in lanes.values()), strict=True))
        return {**lanes, "fused": Tokens(self._fuse(lanes, lengths), lengths)}

    def _fuse(self, lanes: Mapping[Lane, Tokens], lengths: tuple[int, ...]) -> Tensor:
        owners = [index for index, length in enumerate(lengths) if length]
        rows: dict[Modality, Tensor] = {}
        there: dict[Modality, Tensor] = {}
        for name in self.in_dims:
            like = self._fused.missing[name]
            held = [bool(lanes[name].lengths[at]) for at in owners]
            places = torch.tensor([at for at, one in enumerate(held) if one], dtype=torch.long, device=like.device)
            blank = like.new_zeros(len(owners), len(like))
            rows[name] = blank.index_put((places,), lanes[name].values.to(like))
            there[name] = torch.tensor(held, dtype=torch.bool, device=like.device)
        found: Tensor = self._fused(rows, self._kept(there))
        return found

    def _kept(self, there: dict[Modality, Tensor]) -> dict[Modality, Tensor]:
        """What ModDrop leaves: one draw a sample, so that the two are never dropped together."""
        if not self.module.training or not self.moddrop:
            return there
        first, second = there
        both = there[first] & there[second]
        draw = torch.rand(both.shape, device=both.device)
        return {
            first: there[first] & ~(both & (draw < self.moddrop)),
            second: there[second] & ~(both & (draw >= 1 - self.moddrop)),
        }


def _pooled(rows: Features) -> Tokens:
    """The mean row `[k, d]` of each sample that has the modality."""
    lengths = tuple(int(length > 0) for length in rows.lengths)
    if lengths == tuple(rows.lengths):
        return Tokens(rows.values, lengths)
    means = [part.mean(0) for part in rows.values.split(list(rows.lengths)) if len(part)]
    return Tokens(torch.stack(means), lengths)
