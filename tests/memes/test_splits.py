from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.memes.photos import jpeg, photo, save
from vlmkit.errors import DataError, MediaError, MissingExtraError
from vlmkit.types import Image, Sample
from vlmkit_plugins.memes.fingerprints import NEAR_BITS, fingerprint, near
from vlmkit_plugins.memes.schema import Labels, truth
from vlmkit_plugins.memes.splits import leaks, plan, split_name

HALVES = {"train": 0.5, "val": 0.5}


def meme(
    key: str, picture: bytes | Path | None, text: str = "words", label: Literal[0, 1] | None = 0, **meta: Any
) -> Sample:
    media: dict[Any, Any] = {} if picture is None else {"image": Image(picture)}
    return Sample(key, media, text=text, truth=truth(Labels(abuse_hate=label)), meta=meta)


def label_of(sample: Sample) -> int:
    assert sample.truth is not None
    return int(sample.truth.label)


def resaved(number: int, quality: int, scale: float = 1.0) -> bytes:
    picture = Pillow.open(io.BytesIO(jpeg(number, 95)))
    size_px = round(picture.width * scale), round(picture.height * scale)
    out = io.BytesIO()
    picture.resize(size_px, Pillow.Resampling.BICUBIC).save(out, "JPEG", quality=quality)
    return out.getvalue()


@pytest.fixture(scope="module")
def hundred() -> list[Sample]:
    """Pictures each with two captions, one of them hateful; a third of the pictures stand twice, saved again."""
    made = []
    for k in range(36):
        picture = resaved(k - 24, 40) if k >= 24 else jpeg(k, 95)
        made += [meme(f"{k}a", picture, "kind words", 0), meme(f"{k}b", picture, "unkind words", 1)]
    return made


def test_a_picture_saved_again_across_splits_is_caught() -> None:
    by_split = {
        "train": [meme("a", jpeg(1, 95)), meme("b", jpeg(2, 95))],
        "val": [meme("c", resaved(1, 30)), meme("d", jpeg(3))],
        "test": [meme("e", resaved(2, 80, scale=0.5)), meme("f", jpeg(4))],
    }
    assert [(leak.what, leak.first, leak.second) for leak in leaks(by_split)] == [
        ("near_picture", "a", "c"),
        ("near_picture", "b", "e"),
    ]
    assert str(leaks(by_split)[0]) == "same near_picture: 'a' (train) and 'c' (val)"


def test_what_splits_share_is_named_once() -> None:
    same = jpeg(1)
    by_split = {
        "train": [meme("a", same, "kind"), meme("b", same, "other"), meme("t", None, "Just words")],
        "val": [meme("c", same, "unkind"), meme("u", None, "just  WORDS"), meme("a", jpeg(2))],
        "test": [meme("g", jpeg(3), group="x"), meme("h", jpeg(4), "words")],
        "more": [meme("i", jpeg(5), group="x"), meme("j", jpeg(6), "words")],
    }
    found = {(leak.what, leak.first, leak.second) for leak in leaks(by_split)}
    assert found == {("id", "a", "a"), ("picture", "a", "c"), ("text", "t", "u"), ("group", "g", "i")}


def test_a_picture_that_cannot_be_read_cannot_be_compared() -> None:
    with pytest.raises(MediaError, match="not_media"):
        leaks({"train": [meme("a", b"no picture")], "val": [meme("b", jpeg(1))]})


def test_benign_confounders_and_copies_land_on_one_side(hundred: list[Sample]) -> None:
    for seed in range(3):
        split = plan(hundred, HALVES, seed)
        assert list(split) == [sample.id for sample in hundred]
        for k in range(24):
            assert split[f"{k}a"] == split[f"{k}b"]
        for k in range(12):
            assert split[f"{k}a"] == split[f"{k + 24}a"]
        by_split = {name: [one for one in hundred if split[one.id] == name] for name in HALVES}
        assert leaks(by_split) == ()


def test_shares_and_labels_are_kept(hundred: list[Sample]) -> None:
    split = plan(hundred, {"train": 0.6, "val": 0.2, "test": 0.2}, 5)
    sizes = Counter(split.values())
    assert abs(sizes["train"] - 43) <= 4
    assert abs(sizes["val"] - 14) <= 4
    for name in sizes:
        labels = [label_of(sample) for sample in hundred if split[sample.id] == name]
        assert sum(labels) * 2 == len(labels)


def test_data_sets_and_labels_are_each_spread() -> None:
    samples = [
        meme(f"{dataset}{k}", None, f"{dataset} {k}", 1 if k % 5 == 0 else 0, dataset=dataset)
        for dataset, n in (("big", 300), ("small", 60))
        for k in range(n)
    ]
    split = plan(samples, {"train": 0.8, "val": 0.1, "test": 0.1})
    for dataset, n in (("big", 300), ("small", 60)):
        for name, share in (("train", 0.8), ("val", 0.1), ("test", 0.1)):
            here = [label_of(one) for one in samples if one.meta["dataset"] == dataset and split[one.id] == name]
            assert abs(len(here) - share * n) <= 1
            assert abs(sum(here) - share * n / 5) <= 1


def test_the_plan_is_drawn_from_seed_and_ids(hundred: list[Sample]) -> None:
    assert plan(hundred, HALVES, 1) == plan(hundred, HALVES, 1) == plan(hundred[::-1], HALVES, 1)
    assert plan(hundred, HALVES, 1) != plan(hundred, HALVES, 2)


def test_equal_words_alone_do_not_tie_pictures_but_tie_posts() -> None:
    samples = [meme(f"p{k}", jpeg(k), "the same words") for k in range(8)]
    assert len(set(plan(samples, HALVES).values())) == 2
    posts = [meme("a", None, "Same words"), meme("b", None, "same\u200b words "), meme("c", None, "others")]
    split = plan(posts, HALVES)
    assert split["a"] == split["b"] != split["c"]


def test_a_broken_picture_does_not_stop_the_plan(tmp_path: Path) -> None:
    samples = [meme("a", b"junk"), meme("b", tmp_path / "gone.jpg"), meme("c", save(tmp_path, "c.jpg", 1))]
    assert set(plan(samples, HALVES)) == {"a", "b", "c"}


@pytest.mark.parametrize("shares", [{}, {"train": 0.5}, {"train": 1.5, "val": -0.5}, {"train": 1.0, "val": 0.0}])
def test_shares_sum_to_one(shares: dict[str, float]) -> None:
    with pytest.raises(DataError, match="shares: wanted positive shares that sum to 1"):
        plan([meme("a", None)], shares)


def test_what_cannot_be_split_is_refused() -> None:
    with pytest.raises(DataError, match="1 ids come more than once: 'a'"):
        plan([meme("a", None), meme("a", None)], HALVES)
    with pytest.raises(DataError, match="val: no sample is left for it: 3 samples in 1 groups, the largest of 3"):
        plan([meme(str(k), jpeg(1), str(k)) for k in range(3)], HALVES)


def test_near_finds_every_pair_and_no_other() -> None:
    rng = np.random.default_rng(0)
    hashes = [int(value) for value in rng.integers(0, 2**63, 60)]
    for k in range(60):
        flipped = hashes[k]
        for bit in rng.choice(64, k % 8, replace=False):
            flipped ^= 1 << int(bit)
        hashes.append(flipped)
    wanted = {
        (i, j): (hashes[i] ^ hashes[j]).bit_count()
        for i in range(120)
        for j in range(i + 1, 120)
        if (hashes[i] ^ hashes[j]).bit_count() <= NEAR_BITS
    }
    assert len(wanted) > 30
    assert {(i, j): bits for i, j, bits in near(hashes)} == wanted


@pytest.mark.parametrize("quality", [20, 50, 75])
def test_saving_again_moves_few_bits(quality: int) -> None:
    apart = []
    for k in range(20):
        first, second = fingerprint(meme("a", jpeg(k, 95))), fingerprint(meme("b", resaved(k, quality)))
        assert first is not None
        assert second is not None
        assert first.sha256 != second.sha256
        apart.append((first.phash ^ second.phash).bit_count())
    assert max(apart) <= NEAR_BITS


def test_an_array_and_the_lack_of_a_picture() -> None:
    assert fingerprint(meme("a", None)) is None
    seen = fingerprint(Sample("a", {"image": Image(np.asarray(photo(1)))}))
    assert seen is not None
    assert len(seen.sha256) == 64


def test_imagehash_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "imagehash", None)
    with pytest.raises(MissingExtraError, match=r"vlmkit\[data\]"):
        fingerprint(meme("a", jpeg(1)))


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("dev", "val"), ("Dev_Seen", "val"), ("validation", "val"), ("test_unseen", "test"), ("all", "all"), ("x", None)],
)
def test_dev_is_val(given: str, wanted: str | None) -> None:
    assert split_name(given) == wanted
    assert split_name(None) is None
