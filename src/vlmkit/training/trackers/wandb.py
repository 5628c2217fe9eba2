"""One Weights & Biases run; each stage has names and steps of its own in it.

W&B's own variables are obeyed: `WANDB_PROJECT` ("vlmkit" when not set), `WANDB_MODE` (`offline` sends nothing).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wandb

from vlmkit.training.trackers import flattened


class WandbTracker:
    """See `Tracker`."""

    def __init__(self, out: Path, known: Mapping[str, Any]) -> None:
        self._id: str | None = known.get("run_id")
        self._project = os.environ.get("WANDB_PROJECT", "vlmkit")
        self._run: Any = None
        self._stage = ""

    @property
    def ids(self) -> Mapping[str, Any]:
        """Project and run."""
        return {"project": self._project, "run_id": self._id}

    def begin(self, title: str, facts: Mapping[str, Any]) -> None:
        """A run, or the same one again."""
        config = flattened(facts)
        self._run = wandb.init(project=self._project, name=title, id=self._id, resume="allow", config=config)
        self._id = self._run.id

    def stage(self, name: str, facts: Mapping[str, Any], step: int) -> None:
        """Names `STAGE/…` that are drawn over `STAGE/step`."""
        self._stage = name
        self._run.define_metric(f"{name}/*", step_metric=f"{name}/step")
        self._run.config.update(flattened(facts, f"{name}."), allow_val_change=True)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Figures of the stage."""
        self._run.log({f"{self._stage}/step": step} | {f"{self._stage}/{name}": v for name, v in values.items()})

    def over(self, name: str, values: Mapping[str, float]) -> None:
        """In the run's summary."""
        self._run.summary.update({f"{name}/kept/{figure}": value for figure, value in values.items()})

    def end(self, error: BaseException | None, facts: Mapping[str, str]) -> None:
        """The summary says where the checkpoint is, and which."""
        for name, value in facts.items():
            self._run.summary[f"vlmkit.{name}"] = value
        self._run.finish(exit_code=0 if error is None else 1)
