from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from vlmkit.errors import DataError
from vlmkit_plugins.warehouse.openpack import read_operations

JST = timezone(timedelta(hours=9))
START = datetime(2022, 3, 29, 14, 30, tzinfo=JST)
HEADER = "uuid,user,session,box,id,operation,start,end,actions"


def line(code: str, start: str, end: str, session: str = "S0500", user: str = "U0108") -> str:
    def cell(text: str) -> str:
        return f"2022-03-29 14:30:{text}+09:00" if text[:1].isdigit() else text

    return f"u-{code},{user},{session},B1,{code},Name,{cell(start)},{cell(end)},act:1;act:2"


def table(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "S0500.csv"
    path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    return path


def test_rows_become_seconds_from_the_films_start(tmp_path: Path) -> None:
    found = read_operations(table(tmp_path, line("300", "00.000", "04.500"), line("400", "04.500", "10.250")), START)
    assert (found.user, found.session) == ("U0108", "S0500")
    assert [(o.id, o.name, o.start_s, o.end_s, o.box) for o in found.operations] == [
        (300, "Box Setup", 0.0, 4.5, "B1"),
        (400, "Put Items", 4.5, 10.25, "B1"),
    ]
    assert (found.counts.rows, found.counts.used, found.counts.gaps, dict(found.counts.skipped)) == (2, 2, 0, {})


def test_gaps_become_explicit_null_from_the_start_on(tmp_path: Path) -> None:
    found = read_operations(table(tmp_path, line("100", "02.227", "05.025"), line("300", "07.000", "09.000")), START)
    assert [(o.id, o.name, round(o.start_s, 3), o.is_gap) for o in found.operations] == [
        (8100, "Idle", 0.0, True),
        (100, "Unknown", 2.227, False),
        (8100, "Idle", 5.025, True),
        (300, "Box Setup", 7.0, False),
    ]
    assert found.counts.gaps == 2
    assert dict(found.counts.unmapped) == {100: 1}
    assert "2 gaps made Null" in str(found.counts)


def test_column_and_row_order_do_not_matter(tmp_path: Path) -> None:
    lines = (
        "2022-03-29 14:30:05+09:00,1000.0,U1,2022-03-29 14:30:03+09:00",
        "2022-03-29 14:30:03+09:00,800,U1,2022-03-29 14:30:00+09:00",
    )
    found = read_operations(table(tmp_path, *lines, header="\ufeffend, id ,user,start"), START)
    assert [(o.id, o.start_s, o.end_s) for o in found.operations] == [(800, 0.0, 3.0), (1000, 3.0, 5.0)]


def test_time_zones_are_compared_and_a_missing_one_is_the_callers(tmp_path: Path) -> None:
    lines = (
        "a,U1,S1,,300,x,2022-03-29 05:30:01+00:00,2022-03-29 05:30:02Z,",
        "b,U1,S1,,400,x,2022-03-29 14:30:02,2022-03-29 14:30:03,",
    )
    path = table(tmp_path, *lines)
    found = read_operations(path, START, zone=JST)
    assert [(o.start_s, o.end_s) for o in found.operations if not o.is_gap] == [(1.0, 2.0), (2.0, 3.0)]
    assert read_operations(path, START, zone=UTC).operations[-1].start_s == 9 * 3600 + 2
    with pytest.raises(DataError, match="no time zone"):
        read_operations(path, START.replace(tzinfo=None))


def test_rows_that_cannot_be_used_are_counted_with_their_lines(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        line("300", "00", "04"),
        line("400", "05", "05"),
        line("400", "06", "NaN"),
        line("400", "", "07"),
        line("400", "yesterday", "07"),
        line("9999", "07", "08"),
        line("nan", "07", "08"),
        line("500", "01", "02"),
        line("500", "03", "06"),
        line("8200", "06", "07"),
    )
    found = read_operations(path, START)
    assert dict(found.counts.skipped) == {
        "end_before_start": 1, "missing_time": 2, "bad_time": 1, "unknown_id": 2, "covered": 1
    }  # fmt: skip
    assert found.counts.lines["missing_time"] == (4, 5)
    assert found.counts.lines["covered"] == (9,)
    assert found.counts.rows == found.counts.used + sum(found.counts.skipped.values()) == 10
    assert found.counts.overlaps == 1
    assert [(o.id, o.start_s, o.end_s) for o in found.operations] == [(300, 0, 4), (500, 4, 6), (8100, 6, 7)]


def test_rows_before_the_film_are_cut_or_counted(tmp_path: Path) -> None:
    found = read_operations(
        table(tmp_path, line("100", "00", "02"), line("300", "02", "08")), START + timedelta(seconds=3)
    )
    assert [(o.id, o.start_s, o.end_s) for o in found.operations] == [(300, 0.0, 5.0)]
    assert dict(found.counts.skipped) == {"before_video": 1}


def test_one_session_at_a_time(tmp_path: Path) -> None:
    path = table(tmp_path, line("300", "00", "04"), line("400", "04", "06", "S0600"))
    with pytest.raises(DataError, match=r"2 sessions \(S0500, S0600\)"):
        read_operations(path, START)
    with pytest.raises(DataError, match="no session 'S1'; found: S0500, S0600"):
        read_operations(path, START, session="S1")
    found = read_operations(path, START, session="S0600")
    assert [(o.id, o.start_s) for o in found.operations] == [(8100, 0), (400, 4)]
    assert dict(found.counts.skipped) == {"other_session": 1}


def test_tables_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="missing, or not readable"):
        read_operations(tmp_path / "gone.csv", START)
    with pytest.raises(DataError, match="no column end; wanted"):
        read_operations(table(tmp_path, header="id,start"), START)
    with pytest.raises(DataError, match="the table is empty"):
        read_operations(table(tmp_path), START)
    with pytest.raises(DataError, match="end_before_start 1"):
        read_operations(table(tmp_path, line("300", "04", "04")), START)


def test_one_user_at_a_time_since_session_names_repeat(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        line("300", "00", "04"),
        line("500", "01", "05", user="U0107"),
        line("600", "05", "07", "S0600", user="U0107"),
    )
    with pytest.raises(DataError, match=r"2 users \(U0107, U0108\); name one with user="):
        read_operations(path, START, session="S0500")
    with pytest.raises(DataError, match="no user 'U1'; found: U0107, U0108"):
        read_operations(path, START, user="U1")
    with pytest.raises(DataError, match=r"2 sessions \(S0500, S0600\)"):
        read_operations(path, START, user="U0107")
    found = read_operations(path, START, user="U0108")  # whose only session needs no naming
    assert (found.user, [(o.id, o.start_s, o.end_s) for o in found.operations]) == ("U0108", [(300, 0, 4)])
    assert dict(found.counts.skipped) == {"other_user": 2}
    found = read_operations(path, START, user="U0107", session="S0500")
    assert dict(found.counts.skipped) == {"other_user": 1, "other_session": 1}
    assert found.counts.lines["other_user"] == (2,)


def test_a_row_ends_at_its_line_feed_only(tmp_path: Path) -> None:
    first, second = line("300", "00", "04"), line("400", "04", "06")
    found = read_operations(table(tmp_path, first.replace("B1", "B\u20281\x85\x0c1"), second), START)
    assert [(o.id, o.box) for o in found.operations] == [(300, "B\u20281\x85\x0c1"), (400, "B1")]
    assert found.counts.rows == 2


def test_an_id_is_a_whole_number(tmp_path: Path) -> None:
    given = (line(code, "04", "06") for code in ("100.9", "inf", "1e999"))
    found = read_operations(table(tmp_path, line("300.0", "00", "04"), *given), START)
    assert [o.id for o in found.operations] == [300]
    assert dict(found.counts.skipped) == {"unknown_id": 3}
