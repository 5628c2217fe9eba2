"""What the command line chose about a head, above what its task reads from an environment or a file."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

from vlmkit.cli.guard import say
from vlmkit.cli.heads import open_head
from vlmkit.settings import Settings
from vlmkit.task import Task

if TYPE_CHECKING:
    from vlmkit.head import Head

_HEAD = ("preset", "model", "adapter", "engine", "server", "device", "precision", "weights", "calibration")


def settled(ctx: typer.Context, task: Task[Any]) -> Settings:
    """What was typed before what the task's own settings say; what those changed is said on stderr.

    Raises `typer.BadParameter` for result files of a task that has none.
    """
    typed = {name: value for name, value in ctx.params.items() if value is not None and _is_typed(ctx, name)}
    found = Settings.of(typed) if task.settings is None else task.settings(typed)
    if ctx.params.get("engine") == "openai" and found.device not in (None, "auto", typed.get("device")):
        left = f"a server has a device of its own; {found.device!r} of the settings left out"
        found = replace(found, device=None, notes=(*found.notes, left))
    if found.results is not None and task.results is None:
        raise typer.BadParameter(f"task {task.name!r} has no result files of its own; leave --results out")
    for note in found.notes:
        say(f"vlmkit: {note}")
    if found.log_level is not None:
        logging.basicConfig(format="%(message)s")  # to stderr, as warnings are without it
        logging.getLogger("vlmkit").setLevel(found.log_level)
    return found


def settled_head(ctx: typer.Context, task: Task[Any], chosen: Settings) -> Head[Any]:
    """The head that a command's options name, with what was chosen about it."""
    options = {name: ctx.params[name] for name in _HEAD}
    return open_head(task.name, **{**options, **chosen.load()})


def _is_typed(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
