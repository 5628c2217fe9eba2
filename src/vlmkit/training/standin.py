"""What takes an encoder's place while samples are read: one that looks into the cache first, one that reads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from torch import nn

from vlmkit.protocols import Encoder
from vlmkit.training.cache import FeatureCache, Kept, fingerprint
from vlmkit.types import Batch, Features, Inputs, Modality, Problem, Sample

_KEPT, _FRESH = "kept:", "fresh:"


@dataclass(frozen=True)
class Fresh:
    """A modality that was decoded: its name in the cache, and what its encoder said about the medium."""

    key: str
    facts: Mapping[str, Any]
    notes: tuple[Problem, ...]


class Silent:
    """In place of an encoder that no stage needs."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.modalities: frozenset[Modality] = encoder.modalities
        self.reads: frozenset[Modality] = encoder.reads
        self.dim: int = encoder.dim
        self.module: nn.Module = encoder.module
        self.spec: Mapping[str, Any] = encoder.spec

    def transform(self, sample: Sample, modality: Modality) -> Inputs | None:
        """Nothing."""
        return None

    def encode(self, batch: Batch) -> dict[Modality, Features]:
        """What the encoder itself says."""
        return self.encoder.encode(batch)


class Looking(Silent):
    """In place of a frozen encoder: known rows instead of decoding; otherwise its inputs, marked with their name."""

    def __init__(self, encoder: Encoder, cache: FeatureCache) -> None:
        super().__init__(encoder)
        self._cache = cache
        self._mark = fingerprint(encoder)

    def transform(self, sample: Sample, modality: Modality) -> Inputs | None:
        """Inputs of the encoder, or what the cache has of it."""
        key = self._cache.key(self.encoder, self._mark, sample, modality)
        known = self._cache.get(key, self.dim) if key is not None else None
        if known is not None:
            return {f"{_KEPT}{modality}": known, "facts": known.facts, "notes": known.notes}
        made = self.encoder.transform(sample, modality)
        if not made or key is None:
            return made
        fresh = Fresh(key, made.get("facts", {}), tuple(made.get("notes", ())))
        return {**made, f"{_FRESH}{modality}": fresh}


def kept_in(inputs: Inputs) -> dict[Modality, Kept]:
    """By modality, what came out of the cache."""
    return _marked(inputs, _KEPT)


def fresh_in(inputs: Inputs) -> dict[Modality, Fresh]:
    """By modality, what has to go into the cache."""
    return _marked(inputs, _FRESH)


def own_in(inputs: Inputs) -> dict[str, Any]:
    """What the encoder itself made."""
    return {name: value for name, value in inputs.items() if not name.startswith((_KEPT, _FRESH))}


def _marked(inputs: Inputs, mark: str) -> dict[Modality, Any]:
    found = {name.removeprefix(mark): value for name, value in inputs.items() if name.startswith(mark)}
    return cast(dict[Modality, Any], found)
