"""`vlmkit explain TASK`: what one answer hangs on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from vlmkit.cli import options
from vlmkit.cli.heads import find_task, open_head
from vlmkit.cli.inputs import samples_of
from vlmkit.errors import VlmkitError
from vlmkit.types import Modality

File = Path | None


def explain(
    task: options.TaskName,
    *,
    image: Annotated[File, typer.Option("--image", metavar="P", help="A picture.")] = None,
    audio: Annotated[File, typer.Option("--audio", metavar="P", help="A sound.")] = None,
    video: Annotated[File, typer.Option("--video", metavar="P", help="A film.")] = None,
    text: Annotated[str | None, typer.Option("--text", metavar="S", help="Words.")] = None,
    preset: options.Preset = None,
    model: options.Model = None,
    adapter: options.Adapter = None,
    engine: options.EngineName = "local",
    device: options.Device = "auto",
    precision: options.PrecisionName = "auto",
    weights: options.WeightsKind = "pretrained",
    calibration: options.Calibration = "full",
    out: Annotated[Path | None, typer.Option("-o", metavar="FILE", help="Draw it there too (.png, .svg, …).")] = None,
) -> None:
    """Show what one answer hangs on, as JSON, and as a picture with -o.

    Exit code 3 where the head has no answer to explain.
    """
    found = find_task(task)
    if found.explain is None:
        raise VlmkitError(f"task {task!r} does not explain its answers")
    files: Mapping[Modality, File] = {"image": image, "audio": audio, "video": video}
    given: Mapping[Modality, Sequence[Path]] = {name: [path] if path else [] for name, path in files.items()}
    samples = samples_of(found, given, text)
    if len(samples) != 1:
        raise typer.BadParameter(f"one answer is explained at a time; given a folder of {len(samples)} files")
    head = open_head(
        task,
        preset=preset,
        model=model,
        adapter=adapter,
        engine=engine,
        device=device,
        precision=precision,
        weights=weights,
        calibration=calibration,
    )
    told = found.explain(head, samples[0], out)
    typer.echo(json.dumps(told, ensure_ascii=False, indent=2, allow_nan=False))
