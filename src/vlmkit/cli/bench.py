"""`vlmkit bench`: the measurements of a checkout."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from vlmkit.errors import UnknownNameError, VlmkitError


def bench(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="One of those that are listed without it.")
    ] = None,
    folder: Annotated[Path, typer.Option("--folder", help="Where the scripts are.")] = Path("benchmarks"),
) -> None:
    """List a checkout's benchmarks, or run one.

    Exit code: the script's own.
    """
    scripts = {path.stem: path for path in sorted(folder.glob("*.py")) if not path.name.startswith("_")}
    if not scripts:
        raise VlmkitError(f"{folder}: no benchmarks here; they are run from a checkout of vlmkit")
    if name is None:
        for key, path in scripts.items():
            typer.echo(f"{key}  {_first_line(path)}")
        return
    if name not in scripts:
        raise UnknownNameError("benchmark", name, scripts)
    raise typer.Exit(subprocess.run([sys.executable, str(scripts[name])], check=False).returncode)


def _first_line(path: Path) -> str:
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return doc.partition("\n")[0]
