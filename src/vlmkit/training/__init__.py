"""Training by stages on `transformers.Trainer`. Importing this imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vlmkit.errors import WiringError
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
    val: str | Path | None = None,
    val_share: float = 0.1,
    report_to: Sequence[str] = (),
    cache: str | Path | None = None,
) -> Path:
    """Train a preset on a data folder, and write a checkpoint that `vlmkit.load` opens.

    A run that was stopped goes on where it was when the same call is made again; what it needs for that is in
    `out/progress` until the checkpoint is written.

    Args:
        task: a name of `vlmkit.tasks()`.
        data: a folder in the task's format, with truth.
        out: a new folder, or one with the progress of the same run.
        stage: one stage by name or objective; all stages of the preset, in order, when not given.
        weights: "random" trains from scratch.
        model: a checkpoint to go on from.
        max_steps: at most this many optimiser steps a stage.
        val: a folder to validate on. Where a stage validates and none is given, about `val_share` of the samples is
            held out by their names' hash.
        report_to: any of "mlflow", "tensorboard", "wandb".
        cache: where rows of frozen encoders are kept between runs; `VLMKIT_CACHE`, or a folder of the user's cache,
            when not given.

    Raises `DataError` for data without truth, `UnknownNameError` for a stage that the preset has not or an unknown
    tracker, `MissingExtraError` for a tracker that is not installed, `CheckpointError` for a folder in use,
    `WiringError` for int8.
    """
    if precision == "int8":
        raise WiringError("int8 weights cannot be trained; train in fp32 or bf16, and load the result in int8")
    from vlmkit.training.run import run

    options: dict[str, Any] = {"weights": weights, "model": model, "device": device, "precision": precision}
    return run(
        task,
        Path(data),
        Path(out),
        preset=preset,
        stage=stage,
        seed=seed,
        max_steps=max_steps,
        val=Path(val) if val is not None else None,
        val_share=val_share,
        report_to=tuple(report_to),
        cache=cache,
        **options,
    )
