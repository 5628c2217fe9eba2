"""A bar on stderr for what may take a while."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import track

from vlmkit.training import processes

T = TypeVar("T")


def follow(steps: Iterable[T], label: str, total: int) -> Iterable[T]:
    """The same steps; a bar while they last, where somebody looks, of the first of several processes."""
    console = Console(stderr=True)
    quiet = not console.is_terminal or not processes.first()
    return track(steps, label, total, console=console, transient=True, disable=quiet)
