"""How a head is opened and asked, as a command line says it, or the settings that a task reads besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_LIMITS = {name: name for name in ("temperature", "top_p", "repetition_penalty")} | {"max_tokens": "max_new_tokens"}
_VIDEO = ("fps", "max_frames")
NAMES = frozenset({"model", "adapter", "device", "results", *_LIMITS, *_VIDEO})
"""What a task's settings are asked for, by the names of the command line's options."""


@dataclass(frozen=True)
class Settings:
    """What was chosen; None, or nothing in it, where nobody said anything.

    Attributes:
        model, adapter, device, limits, specs: as `vlmkit.load` takes them.
        results: the folder that a task's result files go into.
        log_level: of the logger `vlmkit`.
        notes: lines for people: what came from where.
    """

    model: str | None = None
    adapter: Path | None = None
    device: str | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    specs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    results: Path | None = None
    log_level: str | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, given: Mapping[str, Any], *, log_level: str | None = None, notes: tuple[str, ...] = ()) -> Settings:
        """Out of values by the names of the command line's options (`NAMES`); others are passed over."""
        video = {name: given[name] for name in _VIDEO if name in given}
        return cls(
            model=given.get("model"),
            adapter=given.get("adapter"),
            device=given.get("device"),
            limits={name: given[key] for key, name in _LIMITS.items() if key in given},
            specs={"video": video} if video else {},
            results=given.get("results"),
            log_level=log_level,
            notes=notes,
        )

    def load(self) -> dict[str, Any]:
        """What of it `vlmkit.load` takes, as its arguments."""
        chosen = {name: getattr(self, name) for name in ("model", "adapter", "device", "limits", "specs")}
        return {name: value for name, value in chosen.items() if value}
