from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from vlmkit.errors import DataError, MediaError
from vlmkit_plugins.warehouse.data import read, write_manifest

TRUTH = {
    "dominant_operation": "Tape",
    "temporal_segment": {"start_frame": 0, "end_frame": 60},
    "anticipated_next_operation": "Label",
}


def row(**changes: Any) -> dict[str, Any]:
    return {"id": "a", "video": "videos/a.mp4", "truth": TRUTH, **changes}


def manifest(folder: Path, *lines: str | dict[str, Any]) -> Path:
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    (folder / "manifest.jsonl").write_text(text, encoding="utf-8")
    return folder


def test_rows_become_samples_in_their_order(tmp_path: Path) -> None:
    meta = {"n_frames": 125, "timeline": [["Tape", 0, 125]]}
    manifest(tmp_path, row(id="b", subject="U0107", meta=meta), "", {"id": "a", "video": "x.mp4"})
    first, second = read(tmp_path)
    assert (first.id, second.id) == ("b", "a")
    assert first.media["video"].source == tmp_path / "videos" / "a.mp4"
    assert first.truth is not None
    assert first.truth.model_dump() == TRUTH
    assert first.meta == {**meta, "subject": "U0107"}
    assert second.truth is None


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert write_manifest(tmp_path, [row()]) == tmp_path / "manifest.jsonl"
    assert [sample.id for sample in read(tmp_path)] == ["a"]
    assert os.listdir(tmp_path) == ["manifest.jsonl"]


def test_a_line_ends_at_its_line_feed_only(tmp_path: Path) -> None:
    odd = "a\u2028b\u2029c\x85d"  # JSON allows them raw, and write_manifest leaves them so
    write_manifest(tmp_path, [row(id=odd), row(id="b")])
    assert [sample.id for sample in read(tmp_path)] == [odd, "b"]


def test_truth_may_end_with_its_clip(tmp_path: Path) -> None:
    (sample,) = read(manifest(tmp_path, row(meta={"n_frames": 60})))
    assert sample.truth is not None
    assert sample.truth.temporal_segment.end_frame == sample.meta["n_frames"]


def test_a_film_that_is_missing_gives_its_sample_all_the_same(tmp_path: Path) -> None:
    (sample,) = read(manifest(tmp_path, row(video="videos/gone.mp4")))
    assert sample.media["video"].source == tmp_path / "videos" / "gone.mp4"


def test_aliases_and_openpack_ids_are_resolved(tmp_path: Path) -> None:
    odd = {**TRUTH, "dominant_operation": "assemble_box", "anticipated_next_operation": 500}
    (sample,) = read(manifest(tmp_path, row(truth=odd)))
    assert sample.truth is not None
    assert sample.truth.dominant_operation == "Box Setup"
    assert sample.truth.anticipated_next_operation == "Tape"


def test_unknown_labels_are_counted_over_the_whole_file(tmp_path: Path) -> None:
    nap, walk = {**TRUTH, "dominant_operation": "Nap"}, {**TRUTH, "anticipated_next_operation": "Walk"}
    manifest(tmp_path, row(truth=nap), row(id="b", truth=nap), row(id="c"), row(id="d", truth=walk))
    with pytest.raises(DataError, match=r"manifest\.jsonl: unknown labels: 'Nap' x2, 'Walk' x1; known: Box Setup"):
        read(tmp_path)


def test_a_folder_of_films_gives_samples_without_truth(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.MKV", "a.webm", "notes.txt"):
        (tmp_path / name).touch()
    assert [sample.id for sample in read(tmp_path)] == ["a.MKV", "a.webm", "b"]
    assert all(sample.truth is None for sample in read(tmp_path))


def test_folders_that_cannot_be_read(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "gone", "missing"), (tmp_path, "empty"), (tmp_path / "file", "unreadable")):
        (tmp_path / "file").touch()
        with pytest.raises(MediaError) as error:
            read(path)
        assert error.value.reason == reason
        assert error.value.source == str(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"manifest\.jsonl:2: not JSON"),
        ("[]", r"manifest\.jsonl:2: wanted an object; given list"),
        ({"video": "a.mp4"}, ":2: id: "),
        ({"id": "b"}, ":2: video: "),
        ({"id": "b", "video": 3}, ":2: video: "),
        ({"id": "a", "video": "b.mp4"}, ":2: id 'a' already stands in line 1"),
        (row(id="b", label="Tape"), r":2: unknown keys \['label'\]"),
        (row(id="b", meta=[1]), ":2: meta: "),
        (row(id="b", truth="Tape"), ":2: record: "),
        (row(id="b", truth={**TRUTH, "dominant_operation": None}), ":2: dominant_operation: "),
        (row(id="b", truth={**TRUTH, "temporal_segment": {"start_frame": 9, "end_frame": 3}}), ":2: temporal_segment"),
        (
            row(id="b", meta={"n_frames": 59}),
            ":2: truth: .*end_frame: the segment ends at frame 60 and the clip has 59",
        ),
        (row(id="b", meta={"n_frames": "many"}), ":2: meta.n_frames: wanted a whole number"),
        (row(id="b", meta={"n_frames": True}), ":2: meta.n_frames: wanted a whole number"),
        (row(id="b", meta={"n_frames": 0}), ":2: meta.n_frames: wanted a whole number"),
        (row(id="b", video="/etc/passwd"), ":2: video: wanted a path inside"),
        (row(id="b", video="../a.mp4"), ":2: video: wanted a path inside"),
        (row(id="b", video="videos/../../a.mp4"), ":2: video: wanted a path inside"),
        (row(id="b", video="..\\a.mp4"), ":2: video: wanted a path inside"),
        (row(id="b", video="C:\\a.mp4"), ":2: video: wanted a path inside"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str | dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(manifest(tmp_path, row(), line))


def test_a_link_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside.mp4").touch()
    inside = tmp_path / "data"
    inside.mkdir()
    (inside / "a.mp4").symlink_to(tmp_path / "outside.mp4")
    with pytest.raises(DataError, match="is a link that leaves"):
        read(manifest(inside, row(video="a.mp4")))


def test_an_empty_or_binary_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no line"):
        read(manifest(tmp_path, ""))
    (tmp_path / "manifest.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read as UTF-8"):
        read(tmp_path)
