"""Writes `docs/cli.md` from the program itself. With `--check` it only says whether the page is up to date."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from vlmkit.cli import app

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
WIDTH = 88  # what fits the page without scrolling
HEAD = """# Command line

<!-- Made by tools/cli_reference.py; do not edit. -->

What `--help` says, for every command. `python -m vlmkit` is the same program. Results go to stdout, everything else to
stderr.

| exit code | means |
| --- | --- |
| 0 | all good |
| 1 | some samples have problems; all others are answered |
| 2 | wrong usage |
| 3 | nothing could be done |
"""


def sections(command: Any, path: str, parent: Any = None) -> Iterator[str]:
    """The help of a command and of the commands below it, each under its full name."""
    context = command.context_class(
        command, info_name=path.rsplit(maxsplit=1)[-1], parent=parent, terminal_width=WIDTH, max_content_width=WIDTH
    )
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    yield f"## {path}\n\n```text\n{text}\n```\n"
    for name, child in sorted(getattr(command, "commands", {}).items()):
        yield from sections(child, f"{path} {name}", context)


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *sections(typer.main.get_command(app), "vlmkit")])


def main() -> int:
    """0 when the page is, or now is, what the program says."""
    text = page()
    if "--check" not in sys.argv:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    print(f"{PAGE.name} is not what the program says; type: python tools/cli_reference.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
