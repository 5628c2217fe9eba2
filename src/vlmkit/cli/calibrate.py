"""`vlmkit calibrate TASK`: probabilities that hold, written beside the weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vlmkit.cli import options
from vlmkit.cli.guard import SOME_PROBLEMS, say
from vlmkit.cli.heads import find_task, results_only
from vlmkit.cli.progress import follow

if TYPE_CHECKING:
    from vlmkit.calibration import Rule


def calibrate(
    task: options.TaskName,
    *,
    data: options.Data,
    model: Annotated[Path, typer.Option("--model", metavar="DIR", help="The checkpoint; the calibration goes there.")],
    method: Annotated[
        Literal["temperature", "platt", "isotonic"] | None,
        typer.Option("--method", help="temperature for classifiers, platt for answers in words, if not given."),
    ] = None,
    threshold: Annotated[
        str | None,
        typer.Option(
            "--threshold",
            metavar="RULE",
            help="macro-f1 (if not given), f1, recall=R or precision=P, for heads with two classes.",
        ),
    ] = None,
    mode: Annotated[
        Literal["full", "pilot"], typer.Option("--mode", help="pilot: a first try, beside the one that is served.")
    ] = "full",
    without_learned: options.WithoutLearned = False,
    device: options.Device = "auto",
    batch_size: options.BatchSize = 8,
) -> None:
    """Fit probabilities to how often answers are right.

    The data are samples with truth that the head has not learned from; those that it has are refused.
    """
    rule = _rule(threshold)
    find_task(task)
    from vlmkit.calibrating import calibrate as fitted  # brings torch

    with results_only():
        outcome = fitted(
            task,
            data=data,
            model=model,
            method=method,
            threshold=rule,
            mode=mode,
            without_learned=without_learned,
            device=device,
            batch_size=batch_size,
            watched=lambda items, n: follow(items, n, f"calibrate {task}"),
        )
    how = "" if mode == "full" else f" with calibration={mode!r} (--calibration {mode})"
    say(f"vlmkit: calibration {mode!r} is in {model}; vlmkit.load applies it{how}")
    typer.echo(str(outcome))
    if outcome.warnings:
        raise typer.Exit(SOME_PROBLEMS)


def _rule(text: str | None) -> Rule | None:
    """A rule as it is typed."""
    if text is None:
        return None
    if text in ("f1", "macro-f1"):
        plain: Literal["f1", "macro-f1"] = "f1" if text == "f1" else "macro-f1"
        return plain
    name, _, wanted = text.partition("=")
    try:
        figure = float(wanted)
    except ValueError:
        figure = 0.0
    if name not in ("recall", "precision") or not 0 < figure <= 1:
        raise typer.BadParameter(f"--threshold is f1, macro-f1, recall=R or precision=P, up to 1; given {text!r}")
    return ("recall", figure) if name == "recall" else ("precision", figure)
