"""`vlmkit evaluate TASK`: figures with denominators, intervals and baselines."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from vlmkit.cli import options
from vlmkit.cli.guard import NOTHING_DONE, SOME_PROBLEMS, say
from vlmkit.cli.heads import find_task, open_head
from vlmkit.cli.progress import follow
from vlmkit.task import Task
from vlmkit.types import Prediction, Sample


def evaluate(
    task: options.TaskName,
    *,
    data: options.Data,
    out: Annotated[Path, typer.Option("-o", metavar="REPORT_DIR", help="Where the report goes.")],
    predictions: Annotated[
        Path | None, typer.Option("--predictions", metavar="FILE", help="Answers to score instead of asking a head.")
    ] = None,
    preset: options.Preset = None,
    model: options.Model = None,
    adapter: options.Adapter = None,
    engine: options.EngineName = "local",
    device: options.Device = "auto",
    precision: options.PrecisionName = "auto",
    weights: options.WeightsKind = "pretrained",
    calibration: options.Calibration = "full",
    batch_size: options.BatchSize = 8,
    seed: options.Seed = 0,
) -> None:
    """Score a head, or a file of answers.

    Figures come with denominators, intervals and baselines; the folder gets metrics.json, predictions.jsonl and
    errors.csv.
    """
    found = find_task(task)
    if predictions is not None and (preset or model or adapter):
        raise typer.BadParameter("give --predictions, or a head to ask (--preset, --model, --adapter); not both")
    from vlmkit.evaluate import evaluate as score

    answers: Iterable[Prediction[Any]]
    if predictions is not None:
        samples, answers = _from_file(found, predictions, data)
    else:
        samples = list(found.read(data))
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
        answers = follow(head.predict_many(samples, batch_size), len(samples), f"evaluate {task}")
    who = str(predictions or model or f"preset {preset or found.default_preset}")
    who += ", random weights" if weights == "random" and predictions is None else ""
    who += f" + {adapter}" if adapter else ""
    report = score(found, samples, answers, seed=seed, model=who, data=str(data))
    say(f"vlmkit: report in {report.save(out)}")
    typer.echo(str(report))
    if not report.records:
        raise typer.Exit(NOTHING_DONE)
    if report.failures:
        raise typer.Exit(SOME_PROBLEMS)


def _from_file(task: Task[Any], file: Path, data: Path) -> tuple[list[Sample], list[Prediction[Any]]]:
    from vlmkit.evaluate import guard_same_file, guard_self_comparison, read_predictions

    guard_same_file(file, data)  # first: the truth's own format may not be the task's, and the reader would say less
    samples, answers = list(task.read(data)), read_predictions(task, file)
    guard_self_comparison(samples, answers, file=file)
    return samples, answers
