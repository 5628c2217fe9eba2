from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.memes.photos import manifest, record, save
from vlmkit.errors import DataError, MediaError
from vlmkit.types import Image, Sample
from vlmkit_plugins.memes.data import read
from vlmkit_plugins.memes.schema import Verdict
from vlmkit_plugins.memes.splits import write_plan


def only(folder: Path) -> Sample:
    (sample,) = read(folder)
    return sample


def test_records_become_samples_with_truth(tmp_path: Path) -> None:
    save(tmp_path, "img/1.jpg", 1)
    rows = [
        record("hateful_memes_dev_1.jpg", split="dev", image_path="img/1.jpg", labels_raw=1),
        record("mami_train_2", dataset="mami", labels_raw={"misogynous": "0"}, image_path="img/1.jpg", text_raw=""),
        record("hateful_memes_test_3", split="test", labels_raw=None),
    ]
    first, second, third = read(manifest(tmp_path, rows))
    assert first.id == "hateful_memes_dev_1.jpg"
    assert first.media["image"] == Image(tmp_path / "img/1.jpg")
    assert first.text == "words of hateful_memes_dev_1.jpg"
    assert isinstance(first.truth, Verdict)
    assert (first.truth.label, first.truth.model) == (1, "truth")
    assert first.meta["split"] == "val"
    assert first.meta["dataset"] == "hateful_memes"
    assert first.meta["labels"]["aux"] == {"dataset": "hateful_memes", "labels_raw": 1}
    assert first.meta["group"] == second.meta["group"]
    assert (second.text, second.truth.label) == (None, 0)  # type: ignore[union-attr]
    assert third.truth is None
    assert third.meta["labels"]["abuse_hate"] is None
    assert "group" not in third.meta


def test_plain_rows_with_labels_of_the_taxonomy(tmp_path: Path) -> None:
    save(tmp_path, "a.jpg", 1)
    rows: list[dict[str, Any]] = [
        {"id": "a", "image": "a.jpg", "text": "look", "truth": {"abuse_hate": 1, "target_group": ["race"]}},
        {"id": "b", "text": "שלום 😂", "meta": {"lang": "he", "group": "g1", "split": "dev"}},
    ]
    first, second = read(manifest(tmp_path, rows))
    assert first.truth is not None
    assert first.truth.label == 1
    assert first.meta["labels"]["target_group"] == ["race"]
    assert (second.text, second.truth) == ("שלום 😂", None)
    assert second.meta == {"lang": "he", "group": "g1", "split": "val"}


def test_blank_words_are_none_and_the_picture_stays(tmp_path: Path) -> None:
    save(tmp_path, "a.jpg", 1)
    sample = only(manifest(tmp_path, [record("a", image_path="a.jpg", text_raw="\u200b \n")]))
    assert sample.text is None
    assert sample.modalities == {"image"}


def test_a_long_text_comes_whole(tmp_path: Path) -> None:
    sample = only(manifest(tmp_path, [record("a", text_raw="word " * 20_000)]))
    assert len(sample.text or "") == 100_000


def test_an_absolute_path_is_taken_inside_the_folder_only(tmp_path: Path) -> None:
    path = save(tmp_path / "data", "img/1.jpg", 1)
    sample = only(manifest(tmp_path / "data", [record("a", image_path=str(path))]))
    assert sample.media["image"] == Image(tmp_path / "data/img/1.jpg")
    outside = save(tmp_path, "1.jpg", 1)
    for name in (str(outside), "../1.jpg"):
        with pytest.raises(DataError, match=r"manifest\.jsonl:1: image_path"):
            read(manifest(tmp_path / "data", [record("a", image_path=name)]))


def test_a_picture_that_is_missing_comes_like_any_other(tmp_path: Path) -> None:
    sample = only(manifest(tmp_path, [record("a", image_path="gone.jpg")]))
    assert sample.media["image"] == Image(tmp_path / "gone.jpg")
    assert "group" not in sample.meta


def test_duplicate_ids_are_all_named(tmp_path: Path) -> None:
    rows = [record("a"), record("b"), record("a"), record("c"), record("b"), record("a")]
    with pytest.raises(DataError, match=r"2 ids come more than once: 'a' \(lines 1, 3, 6\), 'b' \(lines 2, 5\)"):
        read(manifest(tmp_path, rows))


def test_unknown_values_are_counted_and_nothing_is_read(tmp_path: Path) -> None:
    rows = [record("a", labels_raw=3), record("b", labels_raw=3), record("c"), record("d", split="hidden")]
    with pytest.raises(DataError, match=r"unknown values: hateful_memes\.label '3' x2, split 'hidden' x1"):
        read(manifest(tmp_path, rows))


@pytest.mark.parametrize(
    ("row", "named"),
    [
        (record(""), r":1: id: wanted a non-empty string"),
        ({"dataset": "mami"}, r":1: id: wanted"),
        (record("a", dataset="mamy"), r":1: unknown data set 'mamy'; did you mean 'mami'"),
        (record("a", text_raw=None), r":1: nothing to look at"),
        (record("a", text_raw="\u200b"), r":1: nothing to look at"),
        (record("a", text_raw=3), r":1: text_raw: wanted a string or null; given int"),
        (record("a", image_path=3), r":1: image_path: wanted a non-empty string"),
        (record("a\ud800"), r":1: id: holds half a character"),
        (record("a", labels_raw={"labl": 1}), r":1: labels_raw: has 'labl'"),
        (record("a", meta=[]), r":1: meta: wanted an object"),
        (record("a", meta="x"), r":1: meta: wanted an object"),
        (record("a", meta={"lang": "english"}), r":1: meta\.lang: wanted a code"),
        (record("a", meta={"caption": 1}), r":1: meta\.caption"),
        (record("a", label=1), r":1: unknown keys \['label'\]"),
        ({"id": "a", "text": "x", "truth": {"label": 1}}, r":1: truth: wanted labels"),
        ({"id": "a", "text": "x", "truth": 1}, r":1: truth"),
        ({"id": "a", "text": "x", "split": "train"}, r":1: unknown keys \['split'\]"),
    ],
)
def test_a_bad_row_is_named_by_line(tmp_path: Path, row: dict[str, Any], named: str) -> None:
    folder = manifest(tmp_path, [row])
    with pytest.raises(DataError, match=named):
        read(folder)


def ocr_row(key: str, *lines: tuple[str, float, list[float] | None]) -> dict[str, Any]:
    made = [{"text": text, "conf": conf, "bbox": box} for text, conf, box in lines]
    return {"id": key, "dataset": "x", "split": "train", "image_path": "x", "ocr": {"lines": made}}


def test_words_of_pictures_fill_what_is_missing_with_boxes_in_the_original(tmp_path: Path) -> None:
    save(tmp_path, "a.jpg", 1, size_px=(2048, 512))
    save(tmp_path, "b.jpg", 2, size_px=(640, 480))
    rows = [record("a", image_path="a.jpg", text_raw=""), record("b", image_path="b.jpg")]
    lines = ("TOP", 0.9, [10.0, 20.0, 110.0, 40.0]), ("dirt", 0.29, None), ("end", 0.5, [0.0, 200.0, 1024.0, 256.0])
    manifest(tmp_path, [ocr_row("a", *lines), ocr_row("b", *lines)], "ocr.jsonl")
    first, second = read(manifest(tmp_path, rows))
    assert first.text == "TOP end"
    assert second.text == "words of b"  # a transcript is better than a reading
    assert [line["bbox"] for line in first.meta["ocr"]] == [(20.0, 40.0, 220.0, 80.0), (0.0, 400.0, 2048.0, 512.0)]
    assert [line["bbox"] for line in second.meta["ocr"]] == [(10.0, 20.0, 110.0, 40.0), (0.0, 200.0, 1024.0, 256.0)]
    assert first.meta["ocr_about"] == {"source": "ocr.jsonl", "mean_conf": 0.7, "lines": 2, "dropped": 1}


def test_a_post_beside_a_picture_is_its_caption(tmp_path: Path) -> None:
    rows = [
        record("a", dataset="mmhs150k", labels_raw=[1, 1, 0], text_raw="my tweet"),
        record("b", dataset="mmhs150k", labels_raw=[1, 1, 0], text_raw="my tweet"),
    ]
    manifest(tmp_path, [ocr_row("a", ("IN THE PICTURE", 0.9, None))], "ocr.jsonl")
    first, second = read(manifest(tmp_path, rows))
    assert (first.text, first.meta["caption"]) == ("IN THE PICTURE", "my tweet")
    assert (second.text, second.meta.get("caption")) == ("my tweet", None)


def test_boxes_are_unknown_where_the_picture_cannot_be_asked(tmp_path: Path) -> None:
    manifest(tmp_path, [ocr_row("a", ("TOP", 0.9, [1.0, 2.0, 3.0, 4.0]))], "ocr.jsonl")
    sample = only(manifest(tmp_path, [record("a", image_path="gone.jpg", text_raw="")]))
    assert sample.meta["ocr"] == [{"text": "TOP", "conf": 0.9, "bbox": None}]


@pytest.mark.parametrize(
    ("row", "named"),
    [
        (ocr_row("z", ("x", 0.9, None)), r"ocr\.jsonl:1: words of pictures that .* has no row for"),
        (ocr_row("a", ("x", 1.9, None)), r"ocr\.jsonl:1: ocr\.lines\[0\]: conf"),
        (ocr_row("a", ("x", 0.9, [1.0, 2.0])), r"ocr\.jsonl:1: ocr\.lines\[0\]: bbox"),
        (ocr_row("a", ("x", 0.9, [5.0, 2.0, 1.0, 9.0])), r"ocr\.jsonl:1: ocr\.lines\[0\]: bbox"),
        ({"id": "a", "ocr": []}, r"ocr\.jsonl:1: ocr\.lines: wanted a list"),
        ({"id": "a", "ocr": {"lines": ["x"]}}, r"ocr\.jsonl:1: ocr\.lines\[0\]: wanted an object"),
        ({"ocr": {"lines": []}}, r"ocr\.jsonl:1: id"),
    ],
)
def test_a_bad_row_of_words_is_named(tmp_path: Path, row: dict[str, Any], named: str) -> None:
    manifest(tmp_path, [row], "ocr.jsonl")
    with pytest.raises(DataError, match=named):
        read(manifest(tmp_path, [record("a")]))


def test_one_split_can_be_read_by_its_name(tmp_path: Path) -> None:
    manifest(tmp_path, [record("a"), record("b", split="dev"), record("c", split="test")])
    assert [sample.id for sample in read(tmp_path / "val")] == ["b"]
    assert [sample.id for sample in read(tmp_path / "dev")] == ["b"]
    with pytest.raises(DataError, match=r"none of 3 samples of .* is of split 'unsplit'; there are .*\"train\": 1"):
        read(tmp_path / "unsplit")
    with pytest.raises(MediaError, match="no such folder"):
        read(tmp_path / "elsewhere")


def test_a_plan_beside_the_manifest_counts(tmp_path: Path) -> None:
    manifest(tmp_path, [record("a"), record("b", split="unsplit")])
    plan = write_plan({"a": "test", "b": "dev"}, tmp_path)
    assert {sample.id: sample.meta["split"] for sample in read(tmp_path)} == {"a": "test", "b": "val"}
    assert [sample.id for sample in read(tmp_path / "test")] == ["a"]
    for wrong, named in (
        ({"a": "test"}, "1 ids without a split: 'b'"),
        ({"a": "test", "b": "test", "c": "test"}, "1 ids that no row is about: 'c'"),
        ({"a": "test", "b": "later"}, "unknown splits: 'later'"),
        (["a"], "wanted an object"),
    ):
        plan.write_text(json.dumps(wrong))
        with pytest.raises(DataError, match=rf"splits\.json: {named}"):
            read(tmp_path)


def test_plain_pictures_have_no_truth(tmp_path: Path) -> None:
    save(tmp_path, "a.jpg", 1)
    save(tmp_path, "b.jpg", 2)
    save(tmp_path, "b.jpeg", 3)
    (tmp_path / "notes.txt").write_text("x")
    found = list(read(tmp_path))
    assert [sample.id for sample in found] == ["a", "b.jpeg", "b.jpg"]
    assert all(sample.truth is None and sample.media for sample in found)


def test_what_is_no_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="neither manifest"):
        read(tmp_path)
    with pytest.raises(MediaError, match="no such folder"):
        read(tmp_path / "gone")
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(MediaError, match="a data folder was wanted"):
        read(tmp_path / "x.txt")
    (tmp_path / "manifest.jsonl").write_text("\n")
    with pytest.raises(DataError, match="holds no line"):
        read(tmp_path)
    (tmp_path / "manifest.jsonl").write_text("[]\n")
    with pytest.raises(DataError, match=r"manifest\.jsonl:1: wanted an object"):
        read(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_picture_that_may_not_be_read_has_no_group(tmp_path: Path) -> None:
    save(tmp_path, "a.jpg", 1).chmod(0)
    assert "group" not in only(manifest(tmp_path, [record("a", image_path="a.jpg")])).meta
