"""Encoders' rows into one shared space, and from there into tokens of a language model.

Legend: `n` rows over all samples, `d` width of the shared space, `k` samples that have the modality.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from vlmkit.errors import WiringError
from vlmkit.types import Features, Lane, Modality, Tokens

LOGIT_SCALE = math.log(1 / 0.07)  # the start of CLIP's learned temperature: Radford et al. 2021, arXiv 2103.00020, 2.5
LOGIT_SCALE_MAX = math.log(100)  # and its end, from the same place

_TIMES = 16  # frequencies of the time embedding, with a sine and a cosine each
_PERIODS_S = (0.25, 64.0)  # from a quarter of a second to about a minute


class Aligner(nn.Module):
    """One head a kind of row: LayerNorm, linear without bias, length 1. Pictures and films' frames share a head."""

    def __init__(self, in_dims: Mapping[Modality, int], dim: int) -> None:
        super().__init__()
        if in_dims.get("image", 0) != in_dims.get("video", in_dims.get("image", 0)):
            raise WiringError(
                f"pictures and frames share a head: image rows have width {in_dims.get('image')}, video rows "
                f"{in_dims['video']}"
            )
        self.heads = nn.ModuleDict({_kind(name): _head(width, dim) for name, width in in_dims.items()})
        self.logit_scale = nn.Parameter(torch.tensor(LOGIT_SCALE))

    def forward(self, modality: Modality, values: Tensor) -> Tensor:
        """`[n, d_enc]` to `[n, d]` of length 1, in fp32."""
        head = self.heads[_kind(modality)]
        found: Tensor = nn.functional.normalize(head(values.float()), dim=-1)
        return found


class _Tokens(nn.Module):
    """One shared MLP that gives several tokens a row, with what kind of row it is and when it was."""

    def __init__(self, dim: int, hidden: int, out_dim: int, n_tokens: int, kinds: int, dropout: float) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, n_tokens * out_dim)
        )
        self.kind = nn.Embedding(kinds, out_dim)
        self.time = nn.Linear(2 * _TIMES, out_dim, bias=False)
        nn.init.normal_(self.kind.weight, std=0.02)
        nn.init.normal_(self.time.weight, std=0.02)


class Aligned:
    """The aligner (role `aligner`) and the MLP behind it (role `projector`).

    Args:
        in_dims: width of each modality's rows. Text may be among them: it is aligned, and read by the language
            model as it is, so it has no tokens.
        dim: width of the shared space. hidden: of the MLP. n_tokens: tokens that one row becomes.
    """

    def __init__(
        self,
        in_dims: Mapping[Modality, int],
        out_dim: int,
        *,
        dim: int = 512,
        hidden: int = 2048,
        n_tokens: int = 4,
        dropout: float = 0.0,
    ) -> None:
        self.in_dims: Mapping[Modality, int] = dict(in_dims)
        self.out_dim = out_dim
        self.n_tokens = n_tokens
        self._kinds: list[Modality] = [modality for modality in sorted(in_dims) if modality != "text"]
        self.aligner = Aligner(in_dims, dim)
        self._tokens = _Tokens(dim, hidden, out_dim, n_tokens, len(self._kinds), dropout)
        self.module: nn.Module = self._tokens

    @property
    def logit_scale(self) -> nn.Parameter:
        """Logarithm of the inverse temperature of the contrastive loss; held below ln 100 by its reader."""
        return self.aligner.logit_scale

    def align(self, features: Mapping[Modality, Features]) -> dict[Modality, Features]:
        """The same rows in the shared space, `[n, d]` of length 1."""
        return {
            modality: Features(self.aligner(modality, rows.values), rows.lengths, rows.times_s)
            for modality, rows in features.items()
        }

    def pooled(self, features: Mapping[Modality, Features]) -> dict[Modality, tuple[Tensor, list[int]]]:
        """The mean row `[k, d]` of each sample that has the modality, at length 1, and which samples those are."""
        found: dict[Modality, tuple[Tensor, list[int]]] = {}
        for modality, rows in self.align(features).items():
            owners = [index for index, n in enumerate(rows.lengths) if n]
            parts = [part.mean(0) for part in rows.values.split(list(rows.lengths)) if len(part)]
            values = torch.stack(parts) if parts else rows.values
            found[modality] = (nn.functional.normalize(values, dim=-1), owners)
        return found

    def project(self, features: Mapping[Modality, Features]) -> dict[Lane, Tokens]:
        """`n_tokens` tokens a row, in the rows' order; a modality that a sample lacks gives it none."""
        return {m: self._project(m, features[m]) for m in self._kinds if m in features}

    def _project(self, modality: Modality, rows: Features) -> Tokens:
        module = self._tokens
        n, device = len(rows.values), rows.values.device
        tokens = module.mlp(self.aligner(modality, rows.values)).view(n, self.n_tokens, self.out_dim)
        tokens = tokens + module.kind(torch.tensor(self._kinds.index(modality), device=device))
        times = None
        if rows.times_s is not None:
            tokens = tokens + module.time(_waves(rows.times_s.to(device)))[:, None]
            times = rows.times_s.repeat_interleave(self.n_tokens)
        lengths = tuple(length * self.n_tokens for length in rows.lengths)
        return Tokens(tokens.reshape(-1, self.out_dim), lengths, times)


def _kind(modality: Modality) -> str:
    return "image" if modality == "video" else modality


def _head(width: int, dim: int) -> nn.Module:
    # eps as the first PurrSight's aligner has it (facts: 1e-6)
    return nn.Sequential(nn.LayerNorm(width, eps=1e-6), nn.Linear(width, dim, bias=False))


def _waves(times_s: Tensor) -> Tensor:
    """Seconds `[n]` to sines and cosines `[n, 2 * _TIMES]` of periods in geometric steps."""
    low, high = map(math.log, _PERIODS_S)
    periods = torch.linspace(low, high, _TIMES, device=times_s.device).exp()
    angles = 2 * math.pi * times_s.float()[:, None] / periods
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
