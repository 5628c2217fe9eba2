"""`vlmkit info TASK`: what it reads, what it answers, its weights, stages of training and memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from vlmkit.cli.heads import find_task
from vlmkit.cli.options import Preset, TaskName
from vlmkit.errors import VlmkitError
from vlmkit.task import Task


def info(
    task: TaskName,
    preset: Preset = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Show the memory plan instead, without loading weights.")
    ] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Show the JSON schema of the answer instead.")] = False,
) -> None:
    """Show what a task reads and answers, and how it is trained."""
    found = find_task(task)
    chosen = found.preset(preset)
    if plan:
        if found.plan is None:
            raise VlmkitError(f"task {task!r} has no memory plan")
        lines = iter(found.plan(chosen.name))
    elif schema:
        lines = iter([_schema(found)])
    else:
        lines = _card(found, preset)
    for line in lines:
        typer.echo(line)


def _card(task: Task[Any], preset: str | None) -> Iterator[str]:
    needed = ", ".join(sorted(task.requires)) or "any one of them"
    yield f"{task.name}: {task.summary}"
    yield f"reads: {', '.join(sorted(task.accepts))} (needs {needed})"
    yield f"answers: {task.result.__name__}"
    for known in task.presets.values():
        if preset not in (None, known.name):
            continue
        marks = [mark for mark, holds in (("default", known.name == task.default_preset), _synthetic(known)) if holds]
        yield f"preset {known.name}{' (' + ', '.join(marks) + ')' if marks else ''}: {known.summary}"
        for part, source in known.sources.items():
            yield f"  {part}: {source}"
        for stage in task.stages(known.name):
            yield f"  stage {stage.name}: {stage.objective}, trains {', '.join(stage.roles)}, {stage.steps:,} steps"


def _synthetic(preset: Any) -> tuple[str, bool]:
    return "trained on synthetic data only", preset.synthetic


def _schema(task: Task[Any]) -> str:
    if not hasattr(task.result, "model_json_schema"):
        raise VlmkitError(f"task {task.name!r}: {task.result.__name__} has no JSON schema")
    return json.dumps(task.result.model_json_schema(), ensure_ascii=False, indent=2)
