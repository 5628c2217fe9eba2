"""Training by stages on `transformers.Trainer`. Importing this imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vlmkit.task import Precision, Weights


def train(
    task: str,
    *,
    data: str | Path,
    out: str | Path,
    preset: str | None = None,
    stage: str | None = None,
    weights: Weights = "pretrained",
    model: str | Path | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    seed: int = 0,
    max_steps: int | None = None,
) -> Path:
    """Train a preset on a data folder, and write a checkpoint that `vlmkit.load` opens.

    Args:
        task: a name of `vlmkit.tasks()`.
        data: a folder in the task's format, with truth.
        out: a new folder.
        stage: one stage by name or objective; all stages of the preset, in order, when not given.
        weights: "random" trains from scratch.
        model: a checkpoint to go on from.
        max_steps: at most this many optimiser steps a stage.

    Raises `DataError` for data without truth, `UnknownNameError` for a stage that the preset has not.
    """
    from vlmkit.training.run import run

    options: dict[str, Any] = {"weights": weights, "model": model, "device": device, "precision": precision}
    return run(task, Path(data), Path(out), preset=preset, stage=stage, seed=seed, max_steps=max_steps, **options)
