"""The command line with one fake task and one scripted head behind it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer.testing

import vlmkit
from vlmkit import plugins
from vlmkit.cli import app
from vlmkit.testing.fakes import FakeHead, installed, loader

Run = Callable[..., Any]


@pytest.fixture
def calls() -> list[dict[str, Any]]:
    """What `vlmkit.load` was called with."""
    return []


@pytest.fixture
def head(monkeypatch: pytest.MonkeyPatch, calls: list[dict[str, Any]]) -> FakeHead:
    """The head that every command gets."""
    fake = FakeHead()
    found = installed()
    monkeypatch.setattr(plugins, "installed", lambda: found)
    monkeypatch.setitem(vlmkit.__dict__, "load", loader(fake, calls))  # past the lazy attribute, which brings torch
    return fake


@pytest.fixture
def run(head: FakeHead) -> Run:
    """Run a command line; the result has `stdout`, `stderr` and `exit_code`."""

    def invoke(*arguments: object) -> Any:
        return typer.testing.CliRunner().invoke(app, [str(argument) for argument in arguments])

    return invoke


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A file that the fake head takes for a film."""
    path = tmp_path / "film.mp4"
    path.write_bytes(b"x")
    return path
