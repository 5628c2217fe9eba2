"""`vlmkit demo`: synthetic clips, answered by the shipped head, beside the truth."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from vlmkit import plugins
from vlmkit.cli import options
from vlmkit.cli.guard import say
from vlmkit.cli.heads import find_task, open_head, results_only
from vlmkit.cli.output import Tally, plain
from vlmkit.cli.progress import follow
from vlmkit.errors import MissingExtraError, VlmkitError
from vlmkit.task import Task
from vlmkit.types import Prediction, Sample

COLUMNS = 5  # figures that the table has room for; of more, those below 1 are named
LETTERS = 60  # of an answer in it; the picture shows all
FIRST = "warehouse"  # shown when no task is named, where it is installed

Pairs = Sequence[tuple[Sample, Prediction[Any]]]


def demo(
    task: Annotated[
        str | None, typer.Argument(metavar="[TASK]", help="The first with a tiny preset if not given.")
    ] = None,
    *,
    out: Annotated[Path, typer.Option("-o", metavar="DIR", help="Clips and picture go there.")] = Path("vlmkit-demo"),
    n: Annotated[int, typer.Option("-n", min=1, help="How many samples.")] = 6,
    seed: options.Seed = 20_250,
    preset: Annotated[str, typer.Option("--preset", help="Which weights.")] = "tiny",
    engine: options.EngineName = "local",
    server: options.ServerAt = None,
    device: options.Device = "auto",
) -> None:
    """Make samples, answer, and draw the result."""
    found = find_task(task or _first())
    chosen = found.preset(preset).name
    head = open_head(found.name, preset=chosen, engine=engine, server=server, device=device)  # first: it may fail
    folder = _samples(found, out / f"{found.name}-{n}-seed-{seed}", n, seed)
    samples = list(found.read(folder))
    tally, pairs = Tally(), []
    for sample, prediction in zip(samples, follow(head.predict_many(samples), n, "predict"), strict=True):
        tally.add(prediction)
        pairs.append((sample, prediction))
    _show(found, pairs)
    if found.presets[preset].synthetic:
        say("This head was trained on synthetic data only: it shows that the parts fit, not what real footage holds.")
    say(f"samples: {folder}")
    _draw(found, pairs, out / "demo.png")
    raise typer.Exit(tally.exit_code)


def _first() -> str:
    names = [entry.name for entry in plugins.installed().registry.entries("tasks")]
    if FIRST in names:
        return FIRST
    for name in names:
        if "tiny" in find_task(name).presets:
            return name
    raise VlmkitError("no installed task has a preset 'tiny' to show")


def _samples(task: Task[Any], folder: Path, n: int, seed: int) -> Path:
    """Made under another name and moved when complete, so that a stopped run leaves nothing to be taken for whole."""
    if folder.is_dir():
        return folder
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    with results_only():
        task.synth(part, n, seed, os.cpu_count() or 1)
    part.rename(folder)
    return folder


def _show(task: Task[Any], pairs: Pairs) -> None:
    from vlmkit.evaluate.table import text_table

    figures = [task.scoring.row(sample.truth, prediction.value) for sample, prediction in pairs]
    names = list(figures[0])
    rows = []
    for (sample, prediction), found in zip(pairs, figures, strict=True):
        answer = "–" if prediction.value is None else _told(task, prediction.value, sure=True)
        marks = [_mark(value) for value in found.values()]
        if len(names) > COLUMNS:
            marks = [", ".join(name for name, mark in zip(names, marks, strict=True) if mark not in "✓–") or "–"]
        rows.append([sample.id, _told(task, sample.truth), answer, *marks])
    typer.echo(text_table(["id", "truth", "prediction", *(names if len(names) <= COLUMNS else ["below 1"])], rows))


def _draw(task: Task[Any], pairs: Pairs, picture: Path) -> None:
    if task.picture is None:
        return
    try:
        task.picture(pairs, picture)
    except MissingExtraError as error:
        say(f"vlmkit: no picture: {error}")
        return
    say(f"picture: {picture.resolve()}")


def _told(task: Task[Any], value: Any, *, sure: bool = False) -> str:
    """What is answered, in one cell: of a classifier its class, with how probable it is where that was judged."""
    scoring = task.scoring
    if scoring.probabilities is None:
        return _brief(value)
    label = scoring.label(value)
    return f"{label} ({scoring.probabilities(value)[label]:.3f})" if sure else label


def _brief(value: Any) -> str:
    text = " · ".join(_leaves(plain(value)))
    return text if len(text) <= LETTERS else f"{text[: LETTERS - 1]}…"


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)
    else:
        yield str(value)


def _mark(value: float | None) -> str:
    return {None: "–", 1.0: "✓", 0.0: "✗"}.get(value) or f"{value:.2f}"
