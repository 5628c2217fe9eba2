"""What a page is put together from: drawings, tables and sections of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from vlmkit.evaluate.page.tables import Table

R = TypeVar("R")

_ROWS = 8  # of one drawing; more go into the next one beside it
OPEN = 6
"""Drawings of a kind that are seen at once; the rest is folded."""


@dataclass(frozen=True)
class Plot:
    """A drawing as SVG, with what stands above and below it."""

    svg: str
    title: str = ""
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        key: its anchor. lead: how to read it, in a sentence or two.
        plots: seen at once; `more` on a click, and so are `tables`; `shown` are tables seen at once.
        pairs: two plots stand beside each other, never three.
    """

    key: str
    title: str
    lead: str
    plots: tuple[Plot, ...] = ()
    more: tuple[Plot, ...] = ()
    shown: tuple[Table, ...] = ()
    tables: tuple[Table, ...] = ()
    pairs: bool = False


def section(key: str, title: str, lead: str, drawn: Sequence[Plot], tables: Iterable[Table]) -> Section | None:
    """None without a drawing. A single one has its table beside it; else tables, and drawings from some on, fold."""
    if not drawn:
        return None
    found = tuple(tables)
    seen = 1 if len(drawn) == 1 else 0
    return Section(key, title, lead, tuple(drawn[:OPEN]), tuple(drawn[OPEN:]), found[:seen], found[seen:])


def alike(several: Iterable[R], key: Callable[[R], Hashable]) -> list[list[R]]:
    """What would be drawn alike put together, in the order of the first of each."""
    found: dict[Hashable, list[R]] = {}
    for one in several:
        found.setdefault(key(one), []).append(one)
    return list(found.values())


def chunks(rows: Sequence[R]) -> Iterator[tuple[str, Sequence[R]]]:
    """Rows in parts of about the same size, each with what it is called after the title."""
    parts = -(-len(rows) // _ROWS)
    for part in range(parts):
        start, end = (len(rows) * place // parts for place in (part, part + 1))
        yield f", {start + 1}–{end} of {len(rows)}" if parts > 1 else "", rows[start:end]
