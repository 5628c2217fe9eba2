"""`vlmkit train TASK`: a folder of samples to a checkpoint."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
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
    max_steps: Annotated[
        int | None, typer.Option("--max-steps", min=1, help="Stop each stage after so many steps.")
    ] = None,
    val: options.Val = None,
    val_share: options.ValShare = 0.1,
    report_to: options.ReportTo = (),  # type: ignore[assignment]  # typer makes a list of it
    cache: options.Cache = None,
) -> None:
    """Train a head on a folder of samples.

    Prints the checkpoint's folder. A run that was stopped goes on where it was when the same command is typed again.
    On several GPUs: accelerate launch --num_processes N -m vlmkit train ...
    """
    find_task(task)
    import vlmkit

    with results_only(), told():
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
            val=val,
            val_share=val_share,
            report_to=report_to,
            cache=cache,
        )
    if _speaks():
        typer.echo(str(folder))


def _speaks() -> bool:
    """Whether this is the one of several processes that speaks for all."""
    return os.environ.get("RANK", "0") == "0"


@contextlib.contextmanager
def told() -> Iterator[None]:
    """What training says about its progress goes to stderr."""
    log = logging.getLogger("vlmkit")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("vlmkit: %(message)s"))
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO if _speaks() else logging.ERROR)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
