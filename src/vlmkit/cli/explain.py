"""`vlmkit explain TASK`: what one answer hangs on."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from vlmkit.cli import options
from vlmkit.cli.heads import find_task, open_head
from vlmkit.cli.inputs import samples_of
from vlmkit.errors import VlmkitError
from vlmkit.types import Modality

File = Path | None
STRONGEST = 5  # words and regions each that a terminal is told, where everything is in the picture


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
    server: options.ServerAt = None,
    device: options.Device = "auto",
    precision: options.PrecisionName = "auto",
    weights: options.WeightsKind = "pretrained",
    calibration: options.Calibration = "full",
    out: Annotated[Path | None, typer.Option("-o", metavar="FILE", help="Draw it there too (.png, .svg, …).")] = None,
) -> None:
    """Show what one answer hangs on, as JSON or (-o) a picture.

    With -o a terminal gets the answer and its strongest words and regions only; a pipe or a file gets the JSON as well.
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
        server=server,
        device=device,
        precision=precision,
        weights=weights,
        calibration=calibration,
    )
    told = found.explain(head, samples[0], out)
    if out is not None and _on_terminal():
        typer.echo("\n".join(_shortly(told, out)))
        return
    typer.echo(json.dumps(told, ensure_ascii=False, indent=2, allow_nan=False))


def _on_terminal() -> bool:
    return sys.stdout.isatty()


def _shortly(told: Mapping[str, Any], picture: Path) -> Iterator[str]:
    """The answer, the parts with the largest effects in either direction, and where the rest is."""
    from vlmkit.evaluate.table import text_table

    answer = told.get("answer")
    if isinstance(answer, Mapping):
        found = {name: value for name, value in answer.items() if isinstance(value, str | int | float | bool)}
        answer = ", ".join(f"{name} {_brief(value)}" for name, value in found.items())
    yield f"{told.get('sample_id')}: {answer}"
    regions = told.get("regions") or {}
    rows = [
        *(
            [repr(str(one.get("text"))), f"{round(one['effect'], 3) + 0.0:+.3f}"]
            for one in _strongest(told.get("words") or ())
        ),
        *(
            [f"box {one.get('box_px')} px", f"{round(one['effect'], 3) + 0.0:+.3f}"]
            for one in _strongest(regions.get("items") or ())
        ),
    ]
    if rows:
        yield text_table(["part", "effect"], rows)
    reasons = told.get("reasons") or {}
    yield from (f"no {name}: {reasons[name]}" for name in ("words", "regions") if name in reasons)
    yield f"picture: {picture.resolve()}"


def _strongest(parts: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    known = [one for one in parts if one.get("effect") is not None]
    return sorted(known, key=lambda one: -abs(one["effect"]))[:STRONGEST]


def _brief(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
