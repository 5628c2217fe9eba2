"""`vlmkit synth TASK`: synthetic samples with known truth."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from vlmkit.cli import options
from vlmkit.cli.heads import find_task, results_only


def synth(
    task: options.TaskName,
    *,
    out: Annotated[Path, typer.Option("-o", metavar="DIR", help="A new folder.")],
    n: Annotated[int, typer.Option("-n", min=1, help="How many samples.")] = 100,
    seed: options.Seed = 0,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes; 0 takes one a core.")] = 0,
) -> None:
    """Make synthetic samples with truth.

    The folder is one that `train` and `evaluate` read as it is.
    """
    found = find_task(task)
    with results_only():
        found.synth(out, n, seed, workers or os.cpu_count() or 1)
    typer.echo(str(out))
