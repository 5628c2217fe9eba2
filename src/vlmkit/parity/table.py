"""A comparison of engines as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from vlmkit.evaluate.table import text_table

if TYPE_CHECKING:
    from vlmkit.parity.comparing import Parity, Place, Row

LETTERS = 16  # of a token in a cell
_SAID = {True: "equal", False: "differ", None: "–"}


def drawn(parity: Parity) -> str:
    """Who was compared, a line a sample, the counts of each engine, and what is to be kept in mind."""
    return "\n\n".join(_parts(parity))


def _parts(parity: Parity) -> Iterator[str]:
    n = len(parity.rows) // len(parity.engines)
    yield f"{parity.task}: {n} samples, {' and '.join(parity.engines)} against {parity.reference}"
    header = ["sample", "engine", "prompt ids", "grids", "tokens", "log p apart", "value"]
    yield text_table(header, [_line(row) for row in parity.rows])
    yield text_table(
        [f"equal to {parity.reference}", "prompt ids", "grids", "tokens", "text", "value"],
        [_counts(name, [row for row in parity.rows if row.engine == name]) for name in parity.engines],
    )
    yield "\n".join(
        f"{name}: " + ", ".join(f"{library} {version}" for library, version in found.items())
        for name, found in parity.versions.items()
    )
    if parity.cautions:
        yield "\n".join(f"warning: {caution}" for caution in parity.cautions)


def _line(row: Row) -> list[str]:
    value = _SAID[row.value]
    return [
        row.id,
        row.engine,
        _said(row.prompt, row.prompt_at),
        _SAID[row.grids],
        _said(row.tokens, row.token_at),
        "–" if row.gap is None else f"{row.gap:.1e}",
        value if row.answered else f"{value} (none)",
    ]


def _said(same: bool | None, place: Place | None) -> str:
    if place is None:
        return _SAID[same]
    margin = "" if place.margin is None else f", margin {place.margin:.3f}"
    return f"at {place.at}: {_short(place.reference)} / {_short(place.other)}{margin}"


def _short(text: str) -> str:
    return text if len(text) <= LETTERS else f"{text[: LETTERS - 1]}…"


def _counts(name: str, rows: Sequence[Row]) -> list[str]:
    told = [[getattr(row, part) for row in rows] for part in ("prompt", "grids", "tokens", "text", "value")]
    return [name, *(_share(found) for found in told)]


def _share(found: Sequence[bool | None]) -> str:
    """Equal ones of those that both can tell."""
    known = [same for same in found if same is not None]
    return f"{sum(known)}/{len(known)}" if known else "–"
