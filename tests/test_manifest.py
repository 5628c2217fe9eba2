from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from vlmkit.errors import DataError
from vlmkit.manifest import inside, read_rows, write_document, write_rows


def test_rows_come_back_with_their_places(tmp_path: Path) -> None:
    odd = {"id": "a\u2028b\x85", "n": 1}  # JSON allows a raw line separator
    path = write_rows(tmp_path / "rows.jsonl", [odd, {"id": "猫"}])
    assert read_rows(path) == [(f"{path}:1", odd), (f"{path}:2", {"id": "猫"})]
    assert os.listdir(tmp_path) == ["rows.jsonl"]


def test_empty_lines_keep_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('\n{"a": 1}\n \n{"a": 2}', encoding="utf-8")
    assert [where.rpartition(":")[2] for where, _ in read_rows(tmp_path / "rows.jsonl")] == ["2", "4"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"\xff", "cannot be read as UTF-8"),
        (b"{}\n{", ":2: not JSON: .* at column"),
        (b"{}\n\n[]", ":3: wanted an object; given list"),
        (b"[" * 100_000, ":1: not JSON"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, text: bytes, says: str) -> None:
    (tmp_path / "rows.jsonl").write_bytes(text)
    with pytest.raises(DataError, match=says):
        read_rows(tmp_path / "rows.jsonl")


def test_a_document_is_written_whole_whatever_is_in_its_names(tmp_path: Path) -> None:
    document = {"path": os.fsdecode(b"clip-\xff.mp4"), "text": "Müller 猫"}
    path = write_document(tmp_path / "one.json", document)
    assert json.loads(path.read_text(encoding="utf-8")) == document
    assert "Müller 猫" in path.read_text(encoding="utf-8")
    with pytest.raises(TypeError):
        write_document(path, {"a": object()})
    assert json.loads(path.read_text(encoding="utf-8")) == document
    assert os.listdir(tmp_path) == ["one.json"]


def test_nothing_is_written_when_a_row_cannot_be(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [{"a": 1}])
    with pytest.raises(TypeError):
        write_rows(path, [{"a": object()}])
    assert read_rows(path) == [(f"{path}:1", {"a": 1})]


@pytest.mark.parametrize("name", ["/etc/passwd", "../a", "b/../../a", "..\\a", "C:\\a", "C:a"])
def test_paths_stay_inside(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="row: image: wanted a path inside"):
        inside(tmp_path, name, "row: image")


def test_links_stay_inside(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "out").symlink_to(tmp_path / "elsewhere")
    (folder / "in").symlink_to(folder / "sub" / "a.png")
    assert inside(folder, "in", "row") == folder / "in"
    assert inside(folder, "sub\\a.png", "row") == folder / "sub" / "a.png"
    with pytest.raises(DataError, match="is a link that leaves"):
        inside(folder, "out", "row")
