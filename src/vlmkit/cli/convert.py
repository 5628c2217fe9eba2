"""`vlmkit convert FILE -o OUT.safetensors`: weights out of a pickle, without running it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from vlmkit.cli.guard import say

_NAMES_SHOWN = 8


def convert(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What torch.save wrote: .pth, .pt, .bin, .ckpt.")],
    out: Annotated[Path, typer.Option("-o", metavar="OUT.safetensors", help="A file that does not exist yet.")],
    kind: Annotated[
        Literal["panns"] | None, typer.Option("--kind", help="Refuse anything else; panns: a published Cnn14.")
    ] = None,
) -> None:
    """Convert old weights to safetensors.

    Reads FILE in a separate process that builds tensors and plain values only: a pickle that wants anything else is
    refused and not run.
    """
    from vlmkit.convert import convert as work
    from vlmkit.convert import shown

    done = work(file, out, kind=kind)
    names = ", ".join(shown(name) for name in done.left_out[:_NAMES_SHOWN])
    more = len(done.left_out) - _NAMES_SHOWN
    if done.left_out:
        say(f"vlmkit: left out, because no weights: {names}{f' and {more} more' if more > 0 else ''}")
    typer.echo(f"variant: {done.variant or 'not recognised'}")
    typer.echo(f"weights: {done.n_tensors} tensors{f', from {done.wrapper!r}' if done.wrapper else ''}")
    typer.echo(f"source sha256: {done.sha256}")
    typer.echo(f"written: {done.path} ({done.n_bytes} bytes)")
