"""TensorBoard's event files, one folder a stage.

They lie beside the checkpoint (`OUT-tensorboard`) unless `TENSORBOARD_LOGGING_DIR` says where: a checkpoint's own
folder holds nothing but the head.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from vlmkit.training.trackers import flattened


class TensorBoardTracker:
    """See `Tracker`."""

    def __init__(self, out: Path, known: Mapping[str, Any]) -> None:
        given = os.environ.get("TENSORBOARD_LOGGING_DIR")
        self._folder = Path(given) if given else out.with_name(f"{out.name}-tensorboard")
        self._writer: SummaryWriter | None = None

    @property
    def ids(self) -> Mapping[str, Any]:
        """The folder's name: a checkpoint that travels should not tell where it was made."""
        return {"folder": self._folder.name}

    def begin(self, title: str, facts: Mapping[str, Any]) -> None:
        """Facts about the run, as text."""
        with SummaryWriter(str(self._folder)) as writer:
            writer.add_text("run", _table(title, facts))

    def stage(self, name: str, facts: Mapping[str, Any], step: int) -> None:
        """A writer of its own; what lies after `step` is of a run that was stopped, and is hidden."""
        self._close()
        purge = step + 1 if step else None
        self._writer = SummaryWriter(str(self._folder / name), purge_step=purge)
        self._writer.add_text("stage", _table(name, facts))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Scalars."""
        for name, value in values.items() if self._writer is not None else ():
            self._writer.add_scalar(name, value, step)  # type: ignore[union-attr]

    def over(self, name: str, values: Mapping[str, float]) -> None:
        """The stage's own curves say it."""

    def end(self, error: BaseException | None, facts: Mapping[str, str]) -> None:
        """Where the checkpoint is, as text."""
        self._close()
        if facts:
            with SummaryWriter(str(self._folder)) as writer:
                writer.add_text("checkpoint", _table("checkpoint", facts))

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _table(title: str, facts: Mapping[str, Any]) -> str:
    rows = "".join(f"| {name} | {value} |\n" for name, value in flattened(facts).items())
    return f"**{title}**\n\n| | |\n| --- | --- |\n{rows}"
