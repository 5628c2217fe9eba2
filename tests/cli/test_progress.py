"""The bar: late, on stderr, and never in the way of the items."""

from __future__ import annotations

import io
import sys

import pytest

from vlmkit.cli import progress
from vlmkit.cli.progress import follow


class Terminal(io.StringIO):
    """A stderr that is a terminal."""

    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """In place of stderr. No fixture: pytest puts its own stderr back when a test begins."""
    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    return stderr


@pytest.mark.parametrize("n", [0, 1, 2, 50])
def test_items_pass_through_whole_and_results_stay_on_stdout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], n: int
) -> None:
    stderr = terminal(monkeypatch)
    monkeypatch.setattr(progress, "PATIENCE_S", -1.0)
    seen = []
    for item in follow(iter(range(n)), n, "counting"):
        print(item)
        seen.append(item)
    assert seen == list(range(n))
    assert capsys.readouterr().out == "".join(f"{item}\n" for item in range(n))
    assert ("counting" in stderr.getvalue()) is (n > 1)


def test_what_is_quick_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = terminal(monkeypatch)
    assert list(follow(range(5), 5, "counting")) == list(range(5))
    assert stderr.getvalue() == ""


def test_hidden_or_no_terminal_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = terminal(monkeypatch)
    monkeypatch.setattr(progress, "PATIENCE_S", -1.0)
    assert list(follow(range(5), 5, "counting", hidden=True)) == list(range(5))
    assert stderr.getvalue() == ""
    plain = io.StringIO()
    monkeypatch.setattr(sys, "stderr", plain)
    assert list(follow(range(5), 5, "counting")) == list(range(5))
    assert plain.getvalue() == ""
