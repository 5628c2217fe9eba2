"""A bar on stderr for what takes more than two seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 2.0


def follow(items: Iterable[T], total: int, label: str, *, hidden: bool = False) -> Iterator[T]:
    """The same items. A bar appears once two seconds have passed, where stderr is a terminal and it is not `hidden`."""
    if hidden or not sys.stderr.isatty():
        yield from items
        return
    begin_s = time.monotonic()
    iterator = iter(items)
    done = 0
    for item in iterator:
        yield item
        done += 1
        if time.monotonic() - begin_s > PATIENCE_S:
            break
    yield from _with_bar(iterator, done, total, label)


def _with_bar(items: Iterator[T], done: int, total: int, label: str) -> Iterator[T]:
    first = next(items, None)
    if first is None:
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Results are printed to stdout meanwhile, and rich would carry them over to stderr.
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as bar:
        shown = bar.add_task(label, total=total, completed=done + 1)
        yield first
        for item in items:
            bar.advance(shown)
            yield item
