"""A bar on stderr for what takes more than two seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress as RichBar

    from vlmkit.windows import Progress

T = TypeVar("T")

PATIENCE_S = 2.0


class Parts:
    """Told by a head how far it is inside a long film (`Head.predict_many(progress=…)`); a bar may listen."""

    def __init__(self) -> None:
        self.listener: Callable[[Progress], None] | None = None

    def __call__(self, told: Progress) -> None:
        """Pass it on."""
        if self.listener is not None:
            self.listener(told)


def follow(
    items: Iterable[T], total: int, label: str, *, hidden: bool = False, parts: Parts | None = None
) -> Iterator[T]:
    """The same items. A bar appears once two seconds have passed, where stderr is a terminal and it is not `hidden`.

    Args:
        parts: what the items' maker tells meanwhile about the one that it is busy with.
    """
    if hidden or not sys.stderr.isatty():
        yield from items
        return
    bar = _Bar(total, label)
    if parts is not None:
        parts.listener = bar.part
    try:
        for item in items:
            yield item
            bar.item()
    finally:
        if parts is not None:
            parts.listener = None
        bar.close()


class _Bar:
    """Counts items; what is known of the one under way is a part of an item."""

    def __init__(self, total: int, label: str) -> None:
        self._total, self._label = total, label
        self._done = 0
        self._begin_s = time.monotonic()
        self._shown: RichBar | None = None

    def item(self) -> None:
        """One more is done."""
        self._done += 1
        if self._done < self._total or self._shown is not None:
            self._show(float(self._done), self._label)

    def part(self, told: Progress) -> None:
        """So much of the next one is done."""
        share = min(told.done / told.total, 1.0) if told.total else 0.0
        of = f" of about {told.total}" if told.total else ""
        self._show(self._done + share, f"{self._label}: {told.sample_id}, window {told.done}{of}")

    def close(self) -> None:
        """Take it away."""
        if self._shown is not None:
            self._shown.stop()

    def _show(self, done: float, text: str) -> None:
        if self._shown is None:
            if time.monotonic() - self._begin_s <= PATIENCE_S:
                return
            self._shown = _opened(self._total, done, text)
        self._shown.update(self._shown.task_ids[0], completed=done, description=text)


def _opened(total: int, done: float, text: str) -> RichBar:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Results are printed to stdout meanwhile, and rich would carry them over to stderr.
    bar = Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False)
    bar.add_task(text, total=total, completed=done)  # type: ignore[arg-type]  # a part of an item, too
    bar.start()
    return bar
