"""Runs the examples of the pages: Python blocks of one page share names; `vlmkit …` lines of bash blocks are typed.

Every page runs in a fresh folder that holds `clip.mp4`. A block is skipped by an HTML comment `<!--- skip: next -->`.
"""

from __future__ import annotations

import atexit
import os
import shlex
import tempfile
from pathlib import Path
from typing import Any

from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser
from typer.testing import CliRunner

from vlmkit.cli import app

ROOT = Path(__file__).parent

_CACHE = tempfile.TemporaryDirectory(prefix="vlmkit-features-")
atexit.register(_CACHE.cleanup)
os.environ["VLMKIT_CACHE"] = _CACHE.name  # tests and pages leave the user's own cache alone


def _type(example: Example) -> str | None:
    """Run the `vlmkit` lines of a bash block, in this process: torch is imported once for all of them."""
    for line in str(example.parsed).replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] != ["vlmkit"]:
            continue
        done = CliRunner().invoke(app, words[1:], prog_name="vlmkit")
        if done.exit_code != 0:
            return f"{line}\nexit code {done.exit_code}\n{done.output}"
    return None


def _enter(namespace: dict[str, Any]) -> None:
    namespace["_home"] = os.getcwd()
    namespace["_folder"] = tempfile.TemporaryDirectory(prefix="vlmkit-docs-")
    os.chdir(namespace["_folder"].name)
    _write_clip(Path("clip.mp4"))


def _leave(namespace: dict[str, Any]) -> None:
    os.chdir(namespace["_home"])
    namespace["_folder"].cleanup()


def _write_clip(path: Path) -> None:
    """One synthetic clip of the warehouse room, as a reader of the pages would have one of their own."""
    CliRunner().invoke(app, ["synth", "warehouse", "-n", "1", "--seed", "7", "-o", "made"], catch_exceptions=False)
    next(Path("made").rglob("*.mp4")).rename(path)


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), CodeBlockParser("bash", _type), SkipParser()],
    patterns=["README.md", "docs/*.md"],
    path=str(ROOT),
    setup=_enter,
    teardown=_leave,
).pytest()
