"""OpenPack's operation tables to operations in seconds of a session's film.

A table has the columns `uuid, user, session, box, id, operation, start, end, actions`, in any order; `id` is one of
OpenPack's ids (ontology.json), `start` and `end` are times such as `2022-03-29 14:25:22.143000+09:00`. Nothing is
dropped in silence: rows that cannot be used are counted by reason and line, stretches before and between rows become
explicit Null operations, and overlaps are counted and cut.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from vlmkit.errors import DataError
from vlmkit_plugins.warehouse.ontology import NULL_ID, OpenPackEntry, load
from vlmkit_plugins.warehouse.schema import Operation as Name

COLUMNS = ("uuid", "user", "session", "box", "id", "operation", "start", "end", "actions")
_NEEDED = ("id", "start", "end")
_MISSING = frozenset({"", "nan", "nat", "none", "null"})
GAP_S = 1e-3
"""The shortest stretch that becomes a Null operation: OpenPack's times have milliseconds."""


@dataclass(frozen=True)
class Operation:
    """One operation, half-open in seconds from the start of the session's film.

    `id` is OpenPack's, `name` one of the task's ten (`Unknown` where the mapping is null). `is_gap` marks a stretch
    that the table leaves out, made explicit here. `box` is the table's own text, empty for a gap.
    """

    id: int
    name: Name
    start_s: float
    end_s: float
    box: str = ""
    uuid: str = ""
    is_gap: bool = False


@dataclass(frozen=True)
class Counts:
    """What happened to the rows: `rows == used + sum(skipped.values())`, lines of the skipped ones in `lines`.

    `skipped` reasons: `missing_time`, `bad_time`, `end_before_start`, `unknown_id`, `other_user`, `other_session`,
    `covered` (lies wholly under earlier rows), `before_video` (ends before the film starts).
    """

    rows: int = 0
    used: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    lines: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    gaps: int = 0
    overlaps: int = 0
    unmapped: Mapping[int, int] = field(default_factory=dict)  # ids that the ten names do not cover, with rows

    def __str__(self) -> str:
        skipped = ", ".join(f"{why} {n}" for why, n in sorted(self.skipped.items())) or "none"
        unmapped = ", ".join(f"{key} x{n}" for key, n in sorted(self.unmapped.items())) or "none"
        return (
            f"{self.rows} rows, {self.used} used; skipped: {skipped}; {self.gaps} gaps made Null; "
            f"{self.overlaps} overlaps cut; without one of the ten names: {unmapped}"
        )


@dataclass(frozen=True)
class Session:
    """The operations of one session, in order, without gaps or overlaps; who worked, which session, and the counts."""

    user: str
    session: str
    operations: tuple[Operation, ...]
    counts: Counts


@dataclass(frozen=True)
class _Row:
    line: int
    user: str
    session: str
    box: str
    uuid: str
    entry: OpenPackEntry
    start_s: float
    end_s: float


def read_operations(
    path: Path, video_start: datetime, session: str | None = None, zone: tzinfo = UTC, user: str | None = None
) -> Session:
    """Read one table against the start of the session's film.

    Args:
        path: the CSV file.
        video_start: when the film's first frame was taken; with a time zone.
        session: keep rows of this session only; needed where the table holds more than one.
        zone: of times in the table that name none.
        user: keep rows of this user only; needed where the table holds more than one, as session names repeat.

    Raises:
        DataError: a missing or unreadable file, missing columns, a `video_start` without a zone, several users or
            sessions and none chosen, a user or session that is not there, or not one row that can be used.
    """
    if video_start.tzinfo is None:
        raise DataError(f"video_start={video_start.isoformat()} has no time zone; add one, such as +09:00")
    skipped: dict[str, list[int]] = {}
    cells = list(_cells(path))
    _check_choice(path, "user", (cell for _, cell in cells), user)
    _check_choice(path, "session", (cell for _, cell in cells if _is_of(cell, "user", user)), session)
    rows = []
    for line, cell in cells:
        row = _row(line, cell, user, session, video_start, zone)
        if isinstance(row, str):
            skipped.setdefault(row, []).append(line)
        else:
            rows.append(row)
    rows.sort(key=lambda row: (row.start_s, row.end_s, row.line))
    operations, overlaps = _joined(rows, skipped)
    if not operations:
        reasons = ", ".join(f"{why} {len(at)}" for why, at in sorted(skipped.items())) or "the table is empty"
        raise DataError(f"{path}: not one row can be used: {reasons}")
    used = [operation for operation in operations if not operation.is_gap]
    counts = Counts(
        rows=len(cells),
        used=len(used),
        skipped={why: len(at) for why, at in skipped.items()},
        lines={why: tuple(at) for why, at in skipped.items()},
        gaps=len(operations) - len(used),
        overlaps=overlaps,
        unmapped=Counter(operation.id for operation in used if _maps_to_none(operation.id)),
    )
    return Session(rows[0].user, rows[0].session, tuple(operations), counts)


def _cells(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells by column name, stripped."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise DataError(f"{path}: missing, or not readable as UTF-8 text") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))  # str.splitlines would also cut at U+2028 and the like
    names = [name.strip() for name in reader.fieldnames or []]
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise DataError(
            f"{path}: no column {', '.join(missing)}; wanted {', '.join(COLUMNS)}; found {', '.join(names)}"
        )
    reader.fieldnames = names
    for cell in reader:
        yield reader.line_num, {name: (cell.get(name) or "").strip() for name in names}


def _check_choice(path: Path, column: str, cells: Iterable[Mapping[str, str]], chosen: str | None) -> None:
    known = sorted({cell[column] for cell in cells if cell.get(column)})
    if chosen is not None and known and chosen not in known:
        raise DataError(f"{path}: no {column} {chosen!r}; found: {', '.join(known)}")
    if chosen is None and len(known) > 1:
        raise DataError(f"{path}: {len(known)} {column}s ({', '.join(known)}); name one with {column}=")


def _is_of(cell: Mapping[str, str], column: str, chosen: str | None) -> bool:
    """True as well where nothing was chosen, or the table has no such column."""
    return chosen is None or cell.get(column, chosen) == chosen


def _row(
    line: int, cell: Mapping[str, str], user: str | None, session: str | None, video_start: datetime, zone: tzinfo
) -> _Row | str:
    """The row, or the reason why it cannot be used."""
    if not _is_of(cell, "user", user):
        return "other_user"
    if not _is_of(cell, "session", session):
        return "other_session"
    if any(cell[name].casefold() in _MISSING for name in ("start", "end")):
        return "missing_time"
    try:
        start_s, end_s = (_seconds(cell[name], video_start, zone) for name in ("start", "end"))
    except ValueError:
        return "bad_time"
    if end_s <= start_s:
        return "end_before_start"
    entry = _entry(cell)
    if entry is None:
        return "unknown_id"
    if end_s <= 0:
        return "before_video"
    who, when, box, uuid = (cell.get(name, "") for name in ("user", "session", "box", "uuid"))
    return _Row(line, who, when, box, uuid, entry, max(0.0, start_s), end_s)


def _seconds(text: str, video_start: datetime, zone: tzinfo) -> float:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return (moment - video_start).total_seconds()


def _entry(cell: Mapping[str, str]) -> OpenPackEntry | None:
    try:
        number = float(cell["id"])  # a column with a NaN in it is written as 100.0
    except ValueError:
        return None
    return load().openpack_entry(int(number)) if number.is_integer() else None


def _joined(rows: list[_Row], skipped: dict[str, list[int]]) -> tuple[list[Operation], int]:
    """Gaps filled with Null from the film's start on; of two that overlap, the later begins where the earlier ends."""
    operations: list[Operation] = []
    overlaps = 0
    for row in rows:
        start_s = row.start_s
        last_s = operations[-1].end_s if operations else 0.0
        if row.end_s <= last_s:
            skipped.setdefault("covered", []).append(row.line)
            continue
        overlaps += start_s < last_s
        if start_s - last_s >= GAP_S:
            operations.append(Operation(NULL_ID, "Idle", last_s, start_s, is_gap=True))
        else:
            start_s = last_s
        name: Name = row.entry.maps_to or "Unknown"
        operations.append(Operation(row.entry.id, name, start_s, row.end_s, row.box, row.uuid))
    return operations, overlaps


def _maps_to_none(operation_id: int) -> bool:
    entry = load().openpack_entry(operation_id)
    return entry is not None and entry.maps_to is None
