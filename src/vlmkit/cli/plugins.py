"""`vlmkit plugins`: who brought what, and who failed."""

from __future__ import annotations

import typer

from vlmkit import plugins as loaded
from vlmkit.cli.guard import SOME_PROBLEMS, say


def plugins() -> None:
    """List plugins and what they register.

    Exit code 1 when one failed to load; the others are there all the same.
    """
    found = loaded.installed()
    for plugin in found.plugins:
        state = f"failed: {plugin.error}" if plugin.error else "ok"
        typer.echo(f"{plugin.name} ({plugin.package} {plugin.version}): {state}")
        if plugin.error:
            continue
        for kind in loaded.KINDS:
            for entry in found.registry.entries(kind):
                if entry.provider == plugin.name:
                    typer.echo(f"  {kind}: {entry.name} = {entry.factory}")
    for fault in found.faults():
        say(f"vlmkit: {fault}")
    if found.faults() or any(plugin.error for plugin in found.plugins):
        raise typer.Exit(SOME_PROBLEMS)
