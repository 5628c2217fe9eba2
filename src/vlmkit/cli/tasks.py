"""`vlmkit tasks`: what is installed."""

from __future__ import annotations

import typer

from vlmkit import plugins
from vlmkit.cli.guard import say


def tasks() -> None:
    """List the installed tasks."""
    found = plugins.installed()
    entries = found.registry.entries("tasks")
    width = max((len(entry.name) for entry in entries), default=0)
    for entry in entries:
        typer.echo(f"{entry.name:{width}}  {entry.summary}")
    failed = [plugin.name for plugin in found.plugins if plugin.error]
    for fault in found.faults():
        say(f"vlmkit: {fault}")
    if failed:
        say(f"vlmkit: plugins that failed to load: {', '.join(failed)}; type: vlmkit plugins")
    elif not entries:
        say("vlmkit: no task is installed; plugins announce themselves by the entry-point group 'vlmkit'")
