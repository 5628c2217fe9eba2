"""`vlmkit predict TASK`: media in, the task's JSON out."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from vlmkit.cli import options
from vlmkit.cli.heads import find_task
from vlmkit.cli.inputs import samples_of
from vlmkit.cli.output import Tally, rendered, result_file
from vlmkit.cli.progress import Parts, follow
from vlmkit.cli.settings import settled, settled_head
from vlmkit.task import Task
from vlmkit.types import Modality

Files = list[Path] | None


def predict(
    ctx: typer.Context,
    task: options.TaskName,
    *,
    image: Annotated[
        Files, typer.Option("--image", metavar="P", help="A picture or a folder; may be repeated.")
    ] = None,
    audio: Annotated[Files, typer.Option("--audio", metavar="P", help="A sound or a folder; may be repeated.")] = None,
    video: Annotated[Files, typer.Option("--video", metavar="P", help="A film or a folder; may be repeated.")] = None,
    text: Annotated[str | None, typer.Option("--text", metavar="S", help="Text that goes with every sample.")] = None,
    preset: options.Preset = None,
    model: options.Model = None,
    adapter: options.Adapter = None,
    engine: options.EngineName = "local",
    server: options.ServerAt = None,
    device: options.Device = "auto",
    precision: options.PrecisionName = "auto",
    weights: options.WeightsKind = "pretrained",
    calibration: options.Calibration = "full",
    temperature: options.Temperature = None,
    top_p: options.TopP = None,
    repetition_penalty: options.RepetitionPenalty = None,
    max_tokens: options.MaxTokens = None,
    fps: options.Fps = None,
    max_frames: options.MaxFrames = None,
    abstain_below: options.AbstainBelow = None,
    batch_size: options.BatchSize = 8,
    format: options.Format = "task",
    results: options.Results = None,
    out: Annotated[Path | None, typer.Option("-o", metavar="FILE", help="Write there instead of stdout.")] = None,
) -> None:
    """Answer about media files.

    One file gives indented JSON; several files or a folder give one line of JSON each, as they are ready, with an id
    where nothing else in it says which file it is about.
    """
    if abstain_below is not None and not 0 < abstain_below <= 1:
        raise typer.BadParameter(f"--abstain-below is a probability above 0 and up to 1; given {abstain_below}")
    given: Mapping[Modality, Sequence[Path]] = {"image": image or [], "audio": audio or [], "video": video or []}
    found = find_task(task)
    samples = samples_of(found, given, text)
    named = [path for paths in given.values() for path in paths]
    several = len(samples) > 1 or any(os.path.isdir(path) for path in named)
    head = settled_head(ctx, found, chosen := settled(ctx, found))
    parts = Parts()
    answers = head.predict_many(samples, batch_size, **_wanted(found, abstain_below, parts))
    if found.results is not None and chosen.results is not None:
        answers = found.results(answers, chosen.results)
    tally, written = Tally(), 0
    with result_file(out) as file:
        hidden = out is None and sys.stdout.isatty()  # the results themselves show how far it is
        for prediction in follow(answers, len(samples), task, hidden=hidden, parts=parts):
            tally.add(prediction)
            line = rendered(head.task, prediction, format, several=several)
            if line is not None:
                print(line, file=file, flush=True)
                written += 1
        if not written:
            raise typer.Exit(tally.exit_code)  # inside: no empty file is left behind
    raise typer.Exit(tally.exit_code)


def _wanted(task: Task[Any], abstain_below: float | None, parts: Parts) -> dict[str, Any]:
    """What `predict_many` is told beside the samples."""
    limit = {} if abstain_below is None else {"abstain_below": abstain_below}
    return limit if task.windowing is None else {**limit, "progress": parts}
