"""Finding a task and loading a head, the same way for every command."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vlmkit import plugins
from vlmkit.cli.guard import say
from vlmkit.task import Engine, Precision, Task, Weights

if TYPE_CHECKING:
    from vlmkit.head import Head


def find_task(name: str) -> Task[Any]:
    """The registered task. Raises `UnknownNameError` listing what is installed."""
    task: Task[Any] = plugins.installed().registry.get("tasks", name)()
    return task


def open_head(
    task: str,
    *,
    preset: str | None = None,
    model: str | None = None,
    adapter: Path | None = None,
    engine: Engine = "local",
    server: str | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    weights: Weights = "pretrained",
    calibration: Literal["full", "pilot", "none"] = "full",
    **changes: Any,
) -> Head[Any]:
    """`vlmkit.load`, with whatever libraries print kept out of the results.

    Args:
        changes: its `specs` and `limits`, where something of them was chosen.
    """
    import vlmkit

    if sys.stderr.isatty():  # the libraries alone take seconds to import
        say(f"vlmkit: loading {model or '/'.join(filter(None, (task, preset)))}")
    with results_only():
        return vlmkit.load(
            task,
            preset=preset,
            model=model,
            adapter=adapter,
            engine=engine,
            device=device,
            precision=precision,
            weights=weights,
            calibration=calibration,
            **({**changes} if server is None else {**changes, "server": server}),
        )


@contextlib.contextmanager
def results_only() -> Iterator[None]:
    """Send what is printed meanwhile to stderr: a training loop that prints must not end up in a result file."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
