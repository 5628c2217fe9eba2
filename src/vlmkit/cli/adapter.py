"""`vlmkit adapter`: does a LoRA adapter fit, and merging one into its base."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vlmkit.cli import options
from vlmkit.cli.guard import NOTHING_DONE, guarded
from vlmkit.cli.heads import open_head, results_only

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Check a LoRA adapter, or merge one into its base.")


def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A PEFT adapter directory.")],
    base: Annotated[str, typer.Option("--base", metavar="ID", help="The base model it is meant for.")],
) -> None:
    """See whether an adapter fits its base.

    Reads only headers and configuration, and fails unless every key of the adapter has its place in the base.
    """
    from vlmkit.llms.lora import check_adapter

    inside = Path(base) / "base"  # a checkpoint of ours is taken by the weights in it
    report = check_adapter(folder, str(inside) if inside.is_dir() else base)
    typer.echo(str(report))
    if not report.ok:
        raise typer.Exit(NOTHING_DONE)


def merge(
    task: options.TaskName,
    *,
    adapter: Annotated[Path, typer.Option("--adapter", metavar="DIR", help="The adapter to merge.")],
    out: Annotated[Path, typer.Option("-o", metavar="DIR", help="Where the merged checkpoint goes.")],
    preset: options.Preset = None,
    model: options.Model = None,
    device: options.Device = "auto",
    precision: options.PrecisionName = "fp32",
) -> None:
    """Merge an adapter into its base.

    Refuses when the merged weights and base + adapter do not agree.
    """
    head = open_head(task, preset=preset, model=model, adapter=adapter, device=device, precision=precision)
    with results_only():
        head.merge_adapter()
        head.save_pretrained(out)
    typer.echo(str(out))


app.command()(guarded(check))
app.command()(guarded(merge))
