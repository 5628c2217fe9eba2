"""`vlmkit doctor`: is this machine ready, and what to type where it is not."""

from __future__ import annotations

import typer

from vlmkit.cli.guard import SOME_PROBLEMS, say

_SIGNS = {"ok": "ok      ", "absent": "–       ", "problem": "PROBLEM "}


def doctor() -> None:
    """Check that this machine is ready.

    Versions, the set that works together, GPU, extras and plugins, each with what to type. Exit code 1 when
    something is wrong; an optional part that is absent is not.
    """
    from vlmkit.doctor import examine

    problems = 0
    for finding in examine():
        problems += finding.level == "problem"
        advice = f"; type: {finding.advice}" if finding.advice else ""
        typer.echo(f"{_SIGNS[finding.level]}{finding.subject}: {finding.found}{advice}")
    if problems:
        say(f"vlmkit: {problems} problems")
        raise typer.Exit(SOME_PROBLEMS)
