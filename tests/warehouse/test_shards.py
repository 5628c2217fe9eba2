from __future__ import annotations

import json
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from vlmkit.errors import DataError, MediaError, MissingExtraError
from vlmkit.types import Clip, Sample
from vlmkit_plugins.warehouse.schema import OperationSpan
from vlmkit_plugins.warehouse.shards import JPEG_SIDE_PX, read_shards, safe_key, write_shards
from vlmkit_plugins.warehouse.synth import tell


def samples(n: int, size: int = 1000) -> list[Sample]:
    stories = [tell(0, index) for index in range(n)]
    return [
        Sample(f"U01_S{k}", {"video": Clip(bytes([k]) * size)}, truth=s.truth, meta={"timeline": s.timeline})
        for k, s in enumerate(stories)
    ]


def test_films_come_back_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"film")
    given = [*samples(3), Sample("from file", {"video": Clip(tmp_path / "a.mp4")})]
    paths = write_shards(given, tmp_path / "100%s", shard_bytes=10_000)
    assert [path.name for path in paths] == ["shard-000000.tar"]
    found = list(read_shards(tmp_path / "100%s"))
    assert [(s.id, s.truth, s.meta) for s in found] == [(s.id, s.truth, s.meta) for s in given]
    assert all(isinstance(s.truth, OperationSpan) for s in found[:3])
    assert [s.media["video"].source for s in found] == [*(s.media["video"].source for s in given[:3]), b"film"]


def test_shards_are_closed_by_size(tmp_path: Path) -> None:
    paths = write_shards(samples(10), tmp_path, shard_bytes=3000)
    counts = []
    for path in paths:
        with tarfile.open(path) as tar:
            counts.append(sum(name.endswith(".json") for name in tar.getnames()))
    assert sum(counts) == 10
    assert set(counts[:-1]) == {3}
    assert [s.id for s in read_shards(tmp_path)] == [s.id for s in samples(10)]


def test_the_same_samples_give_the_same_bytes(tmp_path: Path) -> None:
    one, two = (write_shards(samples(4), tmp_path / name) for name in "ab")
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_frames_are_stored_as_jpeg(tmp_path: Path) -> None:
    def frames(sample: Sample) -> tuple[Iterable[np.ndarray], float]:
        return (np.full((60, 80, 3), 10 * k, np.uint8) for k in range(12)), 2.0

    write_shards(samples(2), tmp_path, frames=frames)
    first, _ = read_shards(tmp_path)
    clip = first.media["video"]
    assert isinstance(clip, Clip)
    assert clip.fps == 2.0
    assert isinstance(clip.source, np.ndarray)
    assert clip.source.shape == (12, JPEG_SIDE_PX, JPEG_SIDE_PX, 3)
    assert [round(float(frame.mean()), -1) for frame in clip.source] == [10.0 * k for k in range(12)]


def test_keys_are_safe_and_stay_apart(tmp_path: Path) -> None:
    assert safe_key("U0108_S0500_t0035") == "U0108_S0500_t0035"
    assert len({safe_key(name) for name in ("a.b", "a/b", "a b", "../a", "ä")}) == 5
    assert all("." not in safe_key(name) and "/" not in safe_key(name) for name in ("a.b", "../../a", "x.tar"))
    odd = [Sample(name, {"video": Clip(b"1")}) for name in ("a.b", "a/b", "箱 1")]
    write_shards(odd, tmp_path)
    assert [s.id for s in read_shards(tmp_path)] == ["a.b", "a/b", "箱 1"]


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    def refused(match: str, *given: Sample) -> None:
        with pytest.raises((DataError, MediaError), match=match):
            write_shards(given, tmp_path / str(len(list(tmp_path.iterdir()))))

    refused("no sample was given")
    refused("have the same key", *samples(1), *samples(1))
    refused("has none", Sample("a"))
    refused("give frames=", Sample("a", {"video": Clip(b"1", start_s=1.0)}))
    refused("give frames=", Sample("a", {"video": Clip(np.zeros((1, 2, 2, 3), np.uint8))}))
    refused(r"gone\.mp4: missing", Sample("a", {"video": Clip(tmp_path / "gone.mp4")}))
    refused("unreadable", Sample("a", {"video": Clip(tmp_path)}))
    write_shards(samples(1), tmp_path / "done")
    with pytest.raises(DataError, match="already holds shards"):
        write_shards(samples(1), tmp_path / "done")


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no shard"):
        list(read_shards(tmp_path))
    (path,) = write_shards(samples(2, size=20_000), tmp_path)
    whole = path.read_bytes()
    for damaged in (b"no tar at all" * 100, whole[:15_000]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"shard-000000\.tar"):
            list(read_shards(tmp_path))


def test_a_shard_cut_between_two_samples_is_refused(tmp_path: Path) -> None:
    (path,) = write_shards(samples(4), tmp_path)
    whole = path.read_bytes()
    with tarfile.open(path) as tar:
        third = tar.getmembers()[4].offset  # two members a sample
        end = tar.getmembers()[-1].offset_data + 1024  # 1000 bytes of film, filled up to a block
    for cut in (third, end, end + 512, 0):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"shard-000000\.tar: the tar file is damaged or cut off"):
            next(read_shards(tmp_path))
    path.write_bytes(whole[:third] + bytes(1024))  # a whole tar, of half the samples
    with pytest.raises(DataError, match=r"holds 2 samples, and shards\.json says 4"):
        list(read_shards(tmp_path))


@pytest.mark.parametrize("lost", [0, 1, 3])
def test_a_shard_that_is_gone_is_named_before_the_first_sample(tmp_path: Path, lost: int) -> None:
    paths = write_shards(samples(10), tmp_path, shard_bytes=3000)
    assert len(paths) == 4
    paths[lost].unlink()
    with pytest.raises(DataError, match=rf"shards missing: shard-00000{lost}\.tar"):
        next(read_shards(tmp_path))


def test_the_index_says_what_was_written(tmp_path: Path) -> None:
    paths = write_shards(samples(4), tmp_path, shard_bytes=3000)
    index = tmp_path / "shards.json"
    assert json.loads(index.read_text()) == {"shard-000000.tar": 3, "shard-000001.tar": 1}
    (tmp_path / "shard-000002.tar").write_bytes(paths[0].read_bytes())
    with pytest.raises(DataError, match=r"shards not in shards\.json: shard-000002\.tar"):
        next(read_shards(tmp_path))
    for text in ("{", "[]", '{"shard-000000.tar": "3"}'):
        index.write_text(text)
        with pytest.raises(DataError, match=r"shards\.json: (not readable|wanted)"):
            next(read_shards(tmp_path))
    index.unlink()
    with pytest.raises(DataError, match=r"shards\.json: missing"):
        next(read_shards(tmp_path))


def test_an_interrupted_folder_has_no_index(tmp_path: Path) -> None:
    (path,) = write_shards(samples(1), tmp_path)
    path.unlink()
    with pytest.raises(DataError, match="has none"):
        write_shards([*samples(1), Sample("a")], tmp_path)
    with pytest.raises(DataError, match=r"shards\.json: missing"):
        next(read_shards(tmp_path))


def test_without_webdataset_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "webdataset", None)
    with pytest.raises(MissingExtraError, match=r"vlmkit\[data\]"):
        write_shards(samples(1), tmp_path)
