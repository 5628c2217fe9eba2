"""`vlmkit train TASK`: a folder of samples to a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vlmkit.cli import options
from vlmkit.cli.heads import find_task, results_only


def train(
    task: options.TaskName,
    *,
    data: options.Data,
    out: Annotated[Path, typer.Option("-o", metavar="DIR", help="Where the checkpoint goes.")],
    preset: options.Preset = None,
    model: options.Model = None,
    weights: options.WeightsKind = "pretrained",
    stage: Annotated[str | None, typer.Option("--stage", help="One stage, by name or kind; all when left out.")] = None,
    device: options.Device = "auto",
    precision: options.PrecisionName = "auto",
    seed: options.Seed = 0,
    max_steps: Annotated[int | None, typer.Option("--max-steps", min=1, help="Stop after so many steps.")] = None,
) -> None:
    """Train a head on a folder of samples.

    Prints the checkpoint's folder.
    """
    find_task(task)
    import vlmkit

    with results_only():
        folder = vlmkit.train(
            task,
            data=data,
            out=out,
            preset=preset,
            stage=stage,
            weights=weights,
            model=model,
            device=device,
            precision=precision,
            seed=seed,
            max_steps=max_steps,
        )
    typer.echo(str(folder))
