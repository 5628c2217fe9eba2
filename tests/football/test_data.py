from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from vlmkit.errors import DataError, MediaError
from vlmkit_plugins.football.data import read, write_manifest

GOAL = {"description": "Player #9 in red scores.", "start_time": "0:0:3", "end_time": "0:0:8", "event": "Goal"}


def row(**changes: Any) -> dict[str, Any]:
    return {"id": "a", "video": "videos/a.mp4", "truth": [GOAL], **changes}


def manifest(folder: Path, *lines: str | dict[str, Any]) -> Path:
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    (folder / "manifest.jsonl").write_text(text, encoding="utf-8")
    return folder


def test_rows_become_samples_in_their_order(tmp_path: Path) -> None:
    meta = {"timeline": [["Goal", 3.1, 7.9]], "offset_s": 600.0}
    manifest(tmp_path, row(id="b", source="match 7", meta=meta), "", {"id": "a", "video": "x.mp4"})
    first, second = read(tmp_path)
    assert (first.id, second.id) == ("b", "a")
    assert first.media["video"].source == tmp_path / "videos" / "a.mp4"
    assert first.truth is not None
    assert first.truth.model_dump() == (GOAL,)
    assert first.meta == {**meta, "source": "match 7"}
    assert second.truth is None


def test_a_clip_without_events_has_a_truth(tmp_path: Path) -> None:
    (sample,) = read(manifest(tmp_path, row(truth=[])))
    assert sample.truth is not None
    assert len(sample.truth) == 0


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert write_manifest(tmp_path, [row()]) == tmp_path / "manifest.jsonl"
    assert [sample.id for sample in read(tmp_path)] == ["a"]
    assert os.listdir(tmp_path) == ["manifest.jsonl"]


def test_an_event_may_end_in_the_clips_last_second(tmp_path: Path) -> None:
    (sample,) = read(manifest(tmp_path, row(meta={"video_s": 7.2})))
    assert sample.truth is not None
    assert sample.truth[0].end_s == 8.0


def test_a_film_that_is_missing_gives_its_sample_all_the_same(tmp_path: Path) -> None:
    (sample,) = read(manifest(tmp_path, row(video="videos/gone.mp4")))
    assert sample.media["video"].source == tmp_path / "videos" / "gone.mp4"


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
        ({"video": "a.mp4"}, ":2: id: "),
        ({"id": "b"}, ":2: video: "),
        ({"id": "a", "video": "b.mp4"}, ":2: id 'a' already stands in line 1"),
        (row(id="b", label="Goal"), r":2: unknown keys \['label'\]"),
        (row(id="b", meta=[1]), ":2: meta: "),
        (row(id="b", truth="Goal"), ":2: truth: wanted an array of events; given str"),
        (row(id="b", truth=[GOAL, {**GOAL, "event": "Nap"}]), ":2: truth: event 1: event: .*given 'Nap'"),
        (row(id="b", truth=[{**GOAL, "start_time": "HT"}]), ":2: truth: event 0: start_time: .*given 'HT'"),
        (row(id="b", truth=[{**GOAL, "end_time": "0:0:3"}]), ":2: truth: event 0: it does not start before it ends"),
        (row(id="b", meta={"video_s": 6.9}), r":2: truth: event 0 \(Goal, .*\) ends after the film, which lasts 6.9"),
        (row(id="b", meta={"video_s": "long"}), r":2: meta\.video_s: wanted seconds"),
        (row(id="b", meta={"offset_s": -1}), r":2: meta\.offset_s: wanted seconds"),
        (row(id="b", source=3), ":2: source: "),
        (row(id="b", source="x", meta={"source": "y"}), ":2: source is 'x', and meta.source 'y'"),
        (row(id="b", video="../a.mp4"), ":2: video: wanted a path inside"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str | dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(manifest(tmp_path, row(), line))


def test_an_empty_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no line"):
        read(manifest(tmp_path, ""))
