"""Weights that an engine holds: they answer, and are neither trained nor saved from here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from vlmkit.errors import AdapterError, WiringError
from vlmkit.protocols import Role

if TYPE_CHECKING:
    import torch


class ServedWeights:
    """A `Backbone` that only answers.

    Args:
        engine: how messages call it.
        base: hub id that the weights are those of, with `revision`; None for weights that lie in a folder.
        adapters: directories that the engine has loaded, with the names of the modules that each reaches.
        untrained: parts that were never trained.
    """

    def __init__(
        self,
        engine: str,
        base: str | None,
        revision: str | None,
        adapters: Mapping[Path, tuple[str, ...]] | None = None,
        untrained: tuple[str, ...] = (),
    ) -> None:
        self.base = base
        self.revision = revision
        self.untrained = untrained
        self._engine = engine
        self._adapters = {path.resolve(): names for path, names in (adapters or {}).items()}

    def beside(self, untrained: tuple[str, ...]) -> ServedWeights:
        """The same, in a head of which these parts were never trained."""
        made = ServedWeights(self._engine, self.base, self.revision, untrained=untrained)
        made._adapters = self._adapters
        return made

    @property
    def identity(self) -> str:
        """No adapter is written that would name it."""
        self._refuse("named as the base of a new adapter")

    def save(self, directory: Path, dtype: torch.dtype | None = None) -> None:
        """Refused."""
        self._refuse("saved")

    def own(self, roles: Collection[Role]) -> None:
        """Refused."""
        self._refuse("trained")

    def checkpoint_activations(self, on: bool) -> None:
        """Refused."""
        self._refuse("trained")

    def add_lora(self, **spec: Any) -> tuple[str, ...]:
        """Refused."""
        self._refuse("trained")

    def load_adapter(self, directory: Path) -> tuple[str, ...]:
        """The modules that an adapter reaches which the engine was started with. Raises `AdapterError` for others."""
        if directory.resolve() not in self._adapters:
            raise AdapterError(
                f"{directory}: engine {self._engine!r} was started without this adapter, and takes none later; give "
                "it when the head is loaded: adapter=DIR (--adapter DIR)"
            )
        return self._adapters[directory.resolve()]

    def merge_adapter(self) -> float:
        """Refused."""
        self._refuse("merged")

    def save_adapter(self, directory: Path, provenance: Mapping[str, Any]) -> None:
        """Refused."""
        self._refuse("saved")

    def _refuse(self, what: str) -> NoReturn:
        raise WiringError(
            f"weights that engine {self._engine!r} holds cannot be {what}; load the head with engine='local' "
            "(--engine local)"
        )
