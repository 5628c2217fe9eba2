"""The bar: late, on stderr, and never in the way of the items."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator

import pytest

from vlmkit.cli import progress
from vlmkit.cli.progress import Parts, follow
from vlmkit.windows import Progress


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


@pytest.mark.parametrize(("total", "said"), [(270, "window 41 of about 270"), (None, "window 41")])
def test_a_long_film_shows_how_far_it_is(monkeypatch: pytest.MonkeyPatch, total: int | None, said: str) -> None:
    """The bar does not wait for the end of the film, which may be the only item."""
    stderr = terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr(progress, "PATIENCE_S", -1.0)
    parts = Parts()

    def films() -> Iterator[str]:
        parts(Progress("match", 41, total))
        yield "answer"

    assert list(follow(films(), 1, "football", parts=parts)) == ["answer"]
    assert f"football: match, {said}" in stderr.getvalue()
    parts(Progress("match", 42, total))  # nobody listens any more
    assert "window 42" not in stderr.getvalue()


def test_a_quick_film_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = terminal(monkeypatch)
    parts = Parts()
    parts(Progress("match", 1, 2))
    for _ in follow(range(1), 1, "football", parts=parts):
        parts(Progress("match", 1, 2))
    assert stderr.getvalue() == ""
