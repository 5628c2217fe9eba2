"""What a stage did, as the checkpoint remembers it."""

from __future__ import annotations

import logging
import math
from dataclasses import asdict, dataclass, field
from typing import Any

from vlmkit.protocols import Role
from vlmkit.training.stage import Stage

log = logging.getLogger("vlmkit")


@dataclass(frozen=True)
class StageLog:
    """What one stage did.

    Attributes:
        trained: parameters by role.
        seconds: of the process that ended it.
        losses: the training loss as it fell, by step.
        validation: the main figures of every validation, with their `step`.
        kept_step: whose weights were kept: those with the lowest validation loss; the last ones where nothing was
            validated.
        figures: everything that was measured at that step, such as retrieval in both directions beside chance.
        cut: answers whose end was left out because of `max_tokens`, of those trained on.
    """

    name: str
    objective: str
    trained: dict[Role, int]
    steps: int
    seconds: float
    losses: list[tuple[int, float]]
    validation: list[dict[str, float]] = field(default_factory=list)
    kept_step: int | None = None
    figures: dict[str, float] = field(default_factory=dict)
    cut: int = 0

    def came_to(self) -> dict[str, float]:
        """The last training loss, and the main figures of the weights that were kept."""
        found = {f"val_{name}": value for name, value in self.figures.items() if "/" not in name and name != "step"}
        return {**({"loss": self.losses[-1][1]} if self.losses else {}), **found}

    def to_json(self) -> dict[str, Any]:
        """For `vlmkit.json`."""
        return asdict(self)


def told(state: Any, stage: Stage, counts: dict[Role, int], done: Any, cut: int) -> StageLog:
    """The log of a stage from the Trainer's state and what its `train` returned."""
    validation = [_finite(entry) for entry in state.log_history if "eval_loss" in entry]
    kept = (state.best_global_step if validation else None) or done.global_step
    if validation and not state.best_global_step:
        log.warning("stage %s: no validation loss was a number; the last weights are kept", stage.name)
    return StageLog(
        stage.name,
        stage.objective,
        counts,
        done.global_step,
        done.metrics["train_runtime"],
        [(entry["step"], entry["loss"]) for entry in state.log_history if "loss" in entry],
        [{name: value for name, value in one.items() if "/" not in name} for one in validation],
        kept,
        next((one for one in validation if one["step"] == kept), {}),
        cut,
    )


def _finite(entry: dict[str, float]) -> dict[str, float]:
    """A validation's figures; what is no number has no place in JSON."""
    named = {name.removeprefix("eval_"): v for name, v in entry.items() if name.startswith("eval_") or name == "step"}
    return {name: value for name, value in named.items() if math.isfinite(value)}
