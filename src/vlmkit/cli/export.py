"""`vlmkit export TASK -o DIR`: a head for small machines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vlmkit.cli import options
from vlmkit.cli.heads import open_head, results_only


def export(
    task: options.TaskName,
    *,
    out: Annotated[Path, typer.Option("-o", metavar="DIR", help="A folder that does not exist yet, or is empty.")],
    preset: options.Preset = None,
    model: options.Model = None,
    adapter: options.Adapter = None,
    weights: options.WeightsKind = "pretrained",
) -> None:
    """Write a head for small machines.

    Encoders become ONNX graphs, the language model int8; both are compared with what they were made of. The folder is
    a checkpoint: give it to --model.
    """
    head = open_head(task, preset=preset, model=model, adapter=adapter, device="cpu", precision="fp32", weights=weights)
    with results_only():
        from vlmkit.edge import export as work

        done = work(head, out)
    for name, size in done.sizes.items():
        typer.echo(f"{size:>13,} bytes  {name}")
    typer.echo(f"{done.bytes:>13,} bytes  together")
    for name, difference in done.encoders.items():
        typer.echo(f"{name}: rows differ by {difference:.2g} of the largest number")
    typer.echo(f"language model in int8: {done.llm}")
    typer.echo(str(done.folder))
