from __future__ import annotations

import io
import json
import sys
import tarfile
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.memes.photos import jpeg, photo
from vlmkit.errors import DataError, MediaError, MissingExtraError
from vlmkit.types import Image, Sample
from vlmkit_plugins.memes.data import read
from vlmkit_plugins.memes.gates import Gates
from vlmkit_plugins.memes.schema import Labels, truth
from vlmkit_plugins.memes.shards import SIDE_PX, safe_key, write_shards
from vlmkit_plugins.memes.unpacking import read_shards
from vlmkit_plugins.memes.wording import combined, reading

OPEN = Gates(failure_rate=1.0, balance=1.0)
build = partial(write_shards, side_px=32)  # small, to be fast


def meme(
    number: int, split: str = "train", label: Literal[0, 1] | None = None, key: str | None = None, **meta: Any
) -> Sample:
    labels = Labels(abuse_hate=number % 2 if label is None else label)  # type: ignore[arg-type]
    made = {"dataset": "mami", "split": split, "labels": json.loads(labels.model_dump_json()), **meta}
    name = key or f"mami_{split}_{number}.jpg"
    return Sample(name, {"image": Image(jpeg(number))}, text=f"words {number}", truth=truth(labels), meta=made)


def some() -> list[Sample]:
    return [meme(k, split) for split, ks in (("train", range(8)), ("val", range(8, 12))) for k in ks]


def test_samples_come_back_with_ids_that_hold_dots(tmp_path: Path) -> None:
    words = Sample(
        "olid_train_1", text="only words 😂 שלום", meta={"dataset": "olid", "split": "train", "labels": None}
    )
    given = [*some(), words, Sample("a/b.c", {"image": Image(jpeg(50))}, meta={"split": "val", "caption": "x"})]
    stats = build(given, tmp_path / "out", gates=OPEN)
    found = {sample.id: sample for sample in read(tmp_path / "out")}
    assert set(found) == {sample.id for sample in given}
    for sample in given:
        back = found[sample.id]
        assert (back.text, back.truth, back.modalities) == (sample.text, sample.truth, sample.modalities)
        assert {k: v for k, v in sample.meta.items() if v is not None} == dict(back.meta)
        assert reading(back) == reading(sample)
    assert stats["split_packed"] == {"train": 9, "val": 5}
    assert stats["dataset_packed"] == {"mami": 12, "olid": 1, "None": 1}
    assert json.loads((tmp_path / "out/stats.json").read_text()) == stats
    assert json.loads((tmp_path / "out/splits.json").read_text())["a/b.c"] == "val"


def test_the_files_are_those_of_the_facts(tmp_path: Path) -> None:
    stats = write_shards(some(), tmp_path / "out", shard_samples=3)
    assert sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")) == [
        *(f"shards/train/shard-00000{k}.tar" for k in range(3)),
        *(f"shards/val/shard-00000{k}.tar" for k in range(2)),
        "splits.json",
        "stats.json",
    ]
    key = safe_key("mami_train_0.jpg")
    with tarfile.open(tmp_path / "out/shards/train/shard-000000.tar") as tar:
        assert tar.getnames()[:3] == [f"{key}.{ending}" for ending in ("json", "png", "txt")]
        picture = Pillow.open(io.BytesIO(tar.extractfile(f"{key}.png").read()))  # type: ignore[union-attr]
        about = json.loads(tar.extractfile(f"{key}.json").read())  # type: ignore[union-attr]
    assert picture.size == (SIDE_PX, SIDE_PX)
    assert (about["id"], about["dataset"], about["split"]) == ("mami_train_0.jpg", "mami", "train")
    assert about["labels"]["abuse_hate"] == 0
    assert {name: stats[name] for name in ("total_manifest_records", "packed_examples", "failed_examples")} == {
        "total_manifest_records": 12, "packed_examples": 12, "failed_examples": 0,
    }  # fmt: skip
    assert stats["failure_rate"] == 0.0
    assert stats["split_counts"] == {"train": 8, "val": 4}
    assert stats["elapsed_seconds"] > 0


@pytest.mark.parametrize(("fit", "size_px"), [("squash", (64, 64)), ("pad", (64, 64)), ("keep", (96, 48))])
def test_pictures_are_fitted_as_asked(tmp_path: Path, fit: Any, size_px: tuple[int, int]) -> None:
    original = np.asarray(photo(3, (96, 48)))
    sample = Sample("a", {"image": Image(original)}, meta={"split": "train"})
    stats = build([sample], tmp_path / "out", fit=fit, side_px=64)
    picture = next(read_shards(tmp_path / "out")).media["image"]
    assert isinstance(picture.source, bytes)
    pixels = np.asarray(Pillow.open(io.BytesIO(picture.source)))
    assert pixels.shape[1::-1] == size_px
    assert stats["fit"] == fit
    if fit == "keep":
        assert np.array_equal(pixels, original)
    if fit == "pad":
        assert not pixels[:15].any()
        assert not pixels[-15:].any()
        assert pixels[17:47].mean() > 60


def test_the_same_samples_give_the_same_shards(tmp_path: Path) -> None:
    for name in "ab":
        build(some(), tmp_path / name)
    shard = "shards/train/shard-000000.tar"
    assert (tmp_path / "a" / shard).read_bytes() == (tmp_path / "b" / shard).read_bytes()


def test_keys_are_safe_and_stay_apart() -> None:
    assert safe_key("hateful_memes_train_1") == "hateful_memes_train_1"
    names = ("a.b", "a/b", "a b", "../a", "ä", "a_b")
    assert len({safe_key(name) for name in names}) == len(names)
    assert all(not set("./ ") & set(safe_key(name)) for name in names)


def test_a_plan_says_the_split_and_counts_when_read(tmp_path: Path) -> None:
    given = some()
    splits = {sample.id: "test" if k < 4 else "train" for k, sample in enumerate(given)}
    build(given, tmp_path / "out", splits=splits)
    assert {sample.id: sample.meta["split"] for sample in read(tmp_path / "out")} == splits
    assert [sample.id for sample in read(tmp_path / "out/test")] == [sample.id for sample in given[:4]]
    assert [sample.id for sample in read(tmp_path / "out/shards/test")] == [sample.id for sample in given[:4]]
    moved = {**splits, given[0].id: "dev"}
    (tmp_path / "out/splits.json").write_text(json.dumps(moved))
    assert [sample.id for sample in read(tmp_path / "out/val")] == [given[0].id]


def failing(n: int, bad: int) -> list[Sample]:
    broken = Image(b"\x89PNG\r\n\x1a\n junk")
    return [
        Sample(f"s{k}", {"image": broken} if k < bad else {}, text=str(k), meta={"split": "train"}) for k in range(n)
    ]


def test_too_many_failures_stop_the_build_with_their_names(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"2 of 400 samples failed, wanted fewer than 0\.5%: 's0': corrupt") as caught:
        build(failing(400, 2), tmp_path / "out")
    assert "'s1'" in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    stats = build(failing(400, 1), tmp_path / "out")
    assert stats["failed_examples"] == 1
    assert stats["failure_rate"] == 0.0025
    assert list(stats["failures"]) == ["s0"]
    assert len(list(read(tmp_path / "out"))) == 399


def test_splits_of_another_balance_stop_the_build(tmp_path: Path) -> None:
    lopsided = [*some(), *(meme(k, "test", label=1) for k in range(20, 24))]
    with pytest.raises(DataError, match=r"100\.0% of split 'test' are hateful and 62\.5% of all"):
        build(lopsided, tmp_path / "out")
    unknown = Sample("x", text="x", meta={"split": "test"})
    build([*some(), unknown], tmp_path / "out")  # nothing is known of it, so nothing is off


def test_duplicates_across_splits_stop_the_build(tmp_path: Path) -> None:
    again = Sample("copy", {"image": Image(jpeg(1, 40))}, text="other words", meta={"split": "val"})
    with pytest.raises(
        DataError, match=r"1 duplicates across splits: same near_picture: 'mami_train_1\.jpg' \(train\)"
    ):
        build([*some(), again], tmp_path / "out", gates=Gates(balance=1.0))
    build([*some(), again], tmp_path / "out", gates=Gates(balance=1.0, duplicates=True))


def test_every_shut_gate_is_told_at_once(tmp_path: Path) -> None:
    bad = [
        *some(),
        *failing(1, 1),
        meme(1, "val", label=1, key="copy"),
        *(meme(k, "test", label=1) for k in range(30, 34)),
    ]
    with pytest.raises(DataError) as caught:
        build(bad, tmp_path / "out")
    assert all(what in str(caught.value) for what in ("samples failed", "are hateful", "duplicates across splits"))


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/x").write_text("x")
    for given, named, folder in (
        ([], "no sample was given", "out"),
        ([*some(), some()[0]], r"1 ids come more than once: 'mami_train_0\.jpg'", "out"),
        ([Sample("a", text="x")], "1 samples have no split: 'a'", "out"),
        ([Sample("a", text="x", meta={"split": "../up"})], "1 samples have no split", "out"),
        (some(), "already holds files", "full"),
    ):
        with pytest.raises(DataError, match=named):
            build(given, tmp_path / folder)
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


def test_damage_is_named(tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(some(), out, shard_samples=3)
    shard = out / "shards/train/shard-000001.tar"
    whole = shard.read_bytes()
    with tarfile.open(shard) as tar:
        second = tar.getmembers()[3].offset  # three members a sample
    for cut in (0, 700, second, len(whole.rstrip(b"\0"))):
        shard.write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"shard-000001\.tar: the tar file is damaged or cut off"):
            list(read(out))
    shard.unlink()
    with pytest.raises(DataError, match=r"train: holds 5 samples, 5 of them different, and stats\.json says 8"):
        list(read(out))
    shard.write_bytes((out / "shards/train/shard-000000.tar").read_bytes())
    with pytest.raises(DataError, match=r"holds 8 samples, 5 of them different"):
        list(read(out))
    for path in (out / "shards/train").iterdir():
        path.unlink()
    with pytest.raises(MediaError, match=r"train: missing: no shard"):
        list(read(out))


def test_files_beside_the_shards_are_needed(tmp_path: Path) -> None:
    build(some(), tmp_path)
    splits = tmp_path / "splits.json"
    known = json.loads(splits.read_text())
    splits.write_text(json.dumps({key: split for key, split in known.items() if key != "mami_train_3.jpg"}))
    with pytest.raises(DataError, match=r"id 'mami_train_3\.jpg' is not in splits\.json"):
        list(read(tmp_path))
    splits.unlink()
    with pytest.raises(DataError, match=r"splits\.json: missing"):
        list(read(tmp_path))
    splits.write_text("{")
    with pytest.raises(DataError, match=r"splits\.json: not readable as JSON"):
        list(read(tmp_path))


def test_shards_of_others_hold_the_combined_text(tmp_path: Path) -> None:
    import webdataset

    folder = tmp_path / "shards/train"
    folder.mkdir(parents=True)
    with webdataset.ShardWriter(f"{folder}/shard-%06d.tar", verbose=0, encoder=False) as writer:
        about = {
            "id": "hateful_memes_train_1",
            "dataset": "hateful_memes",
            "split": "train",
            "labels": {"abuse_hate": 1},
        }
        text = combined("look at this", "a cat", "en").encode()
        writer.write({"__key__": "hateful_memes_train_1", "txt": text, "json": json.dumps(about).encode()})
    (tmp_path / "splits.json").write_text('{"hateful_memes_train_1": "train"}')
    (tmp_path / "stats.json").write_text('{"split_packed": {"train": 1}}')
    (sample,) = read(tmp_path)
    assert (sample.text, sample.meta["caption"], sample.meta["lang"]) == ("look at this", "a cat", "en")
    assert sample.truth is not None
    assert sample.truth.label == 1
    assert reading(sample) == text.decode()


def test_webdataset_is_asked_for_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "webdataset", None)
    with pytest.raises(MissingExtraError, match=r"vlmkit\[data\]"):
        build(some(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("fit", "wanted"), [("squash", [4, 8, 16, 24]), ("pad", [4, 12, 16, 20]), ("keep", [10, 10, 40, 30])]
)
def test_boxes_of_words_are_moved_with_the_picture(tmp_path: Path, fit: Any, wanted: list[float]) -> None:
    """They are outlined in evidence pictures: in pixels of the original they would stand elsewhere."""
    lines = [
        {"text": "hi", "conf": 0.9, "bbox": (10.0, 10.0, 40.0, 30.0)},
        {"text": "there", "conf": 0.9, "bbox": None},
    ]
    given = Sample(
        "a", {"image": Image(np.zeros((40, 80, 3), np.uint8))}, "hi there", meta={"split": "train", "ocr": lines}
    )
    build([given], tmp_path / "out", fit=fit)
    (back,) = read(tmp_path / "out")
    assert [line["bbox"] for line in back.meta["ocr"]] == [wanted, None]
    assert given.meta["ocr"] is lines
    assert lines[0]["bbox"] == (10.0, 10.0, 40.0, 30.0)


@pytest.mark.parametrize("odd", [{"fit": "crop"}, {"side_px": 0}, {"shard_samples": 0}])
def test_figures_outside_their_range_are_refused(tmp_path: Path, odd: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="wanted side_px and shard_samples from 1 on, fit one of squash, pad, keep"):
        write_shards(some(), tmp_path / "out", **odd)
    assert not (tmp_path / "out").exists()


def test_a_text_that_no_file_can_hold_is_a_failure(tmp_path: Path) -> None:
    half = Sample("half", text="a \ud800", meta={"split": "train"})
    assert build([*some(), half], tmp_path / "out", gates=OPEN)["failures"] == {
        "half": "text: holds halves of characters"
    }
