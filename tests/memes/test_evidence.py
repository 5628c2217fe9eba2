"""Evidence by occlusion: effects that can be worked out, and parts that are not there."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vlmkit
from tests.memes.rules import IMAGE_BIAS, REDNESS, RuleHead, redness, scene, sigmoid, text_margin
from vlmkit.errors import VlmkitError
from vlmkit.types import Image, Problem, Sample
from vlmkit_plugins.memes import evidence
from vlmkit_plugins.memes.evidence import boxes_of, explain, words_of
from vlmkit_plugins.memes.schema import Verdict

TEXT = "these Zoggs are vermin, love"


def told(sample: Sample, head: RuleHead | None = None) -> dict[str, Any]:
    """What is explained, as it comes back from a file."""
    found = explain(head or RuleHead(), sample)  # type: ignore[arg-type]
    again: dict[str, Any] = json.loads(json.dumps(found, allow_nan=False))
    return again


def meme(text: str | None = TEXT, **meta: Any) -> Sample:
    """Words over a picture with a red block."""
    return Sample("m", {"image": Image(scene())}, text, meta=meta)


def test_a_words_effect_is_the_answer_with_it_less_the_answer_without_it() -> None:
    found = told(meme())
    image = IMAGE_BIAS + REDNESS * redness(scene())
    whole = sigmoid(text_margin(TEXT) + image)
    assert found["answer"]["prob_hate"] == pytest.approx(whole)
    assert [(row["index"], row["n"], row["text"]) for row in found["words"]] == [
        (0, 1, "these"),
        (1, 1, "Zoggs"),
        (2, 1, "are"),
        (3, 1, "vermin,"),
        (4, 1, "love"),
    ]
    for row, margin in zip(found["words"], (0.0, 1.0, 0.0, 2.0, -1.5), strict=True):
        assert row["prob_hate"] == pytest.approx(sigmoid(text_margin(TEXT) + image - margin), abs=1e-6)
        assert row["effect"] == pytest.approx(whole - row["prob_hate"], abs=2e-6)
        assert row["margin_effect"] == pytest.approx(margin, abs=1e-6)
        assert row["model"] == "mm_fusion"
        assert row["label"] == int(row["prob_hate"] >= 0.5)


def test_regions_cover_the_picture_and_the_red_block_matters_most() -> None:
    found = told(meme())["regions"]
    assert found["size_px"] == [140, 70]
    assert found["colour"] == np.rint(scene().mean(axis=(0, 1))).astype(int).tolist()
    effects = {tuple(row["box_px"]): row["effect"] for row in found["items"]}
    assert len(effects) == found["grid"] ** 2 == 36
    strongest = max(effects, key=lambda box: effects[box])
    assert strongest == (80, 20, 120, 40)  # exactly the block
    left = [effect for (_, _, right, _), effect in effects.items() if right <= 80]
    assert left
    assert all(effect == 0 for effect in left)
    covered = scene()
    covered[20:40, 80:120] = found["colour"]
    margin = text_margin(TEXT) + IMAGE_BIAS
    assert effects[strongest] == pytest.approx(
        sigmoid(margin + REDNESS * redness(scene())) - sigmoid(margin + REDNESS * redness(covered)), abs=2e-6
    )


def test_a_modality_taken_out_as_a_whole_is_answered_by_the_other_expert() -> None:
    found = told(meme())
    assert {name: row and row["model"] for name, row in found["removed"].items()} == {
        "text": "vision_expert",
        "image": "text_expert",
        "caption": None,
    }
    assert found["removed"]["image"]["prob_hate"] == pytest.approx(sigmoid(text_margin(TEXT)), abs=1e-6)
    assert found["removed"]["image"]["margin_effect"] is None  # of another member: not to be compared
    assert found["reasons"]["removed.caption"] == "no caption was given"


def test_a_caption_is_taken_out_too() -> None:
    head = RuleHead()
    found = told(meme(caption="a red block", lang="en"), head)
    assert found["removed"]["caption"]["effect"] == 0  # this head does not read it
    without = [sample.meta for sample in head.asked if "caption" not in sample.meta]
    assert without == [{"lang": "en"}]


@pytest.mark.parametrize(
    ("sample", "null", "why"),
    [
        (Sample("t", {}, TEXT), "regions", "no picture was given"),
        (Sample("i", {"image": Image(scene())}), "words", "no text was given"),
        (Sample("i", {"image": Image(scene())}, " \u200b "), "words", "the text could not be used: blank"),
        (
            Sample("g", {"image": Image("gone.png")}, TEXT),
            "regions",
            "the picture could not be used: there is no such file",
        ),
        (
            Sample("c", {"image": Image(np.full((40, 40, 3), 7, np.uint8))}, TEXT),
            "regions",
            "the picture is of one colour, and covering a part of it changes nothing",
        ),
        (Sample("w", {}, "vermin"), "words", "there is one word only, and without it nothing is left"),
    ],
)
def test_what_is_not_there_is_null_with_its_reason(sample: Sample, null: str, why: str) -> None:
    found = told(sample)
    assert found[null] is None
    assert found["reasons"][null] == why
    other = {"words": "regions", "regions": "words"}[null]
    assert (found[other] is None) == (sample.id == "w")


def test_alone_a_modality_cannot_be_taken_out() -> None:
    found = told(Sample("t", {}, TEXT))
    assert found["removed"] == {"text": None, "image": None, "caption": None}
    assert "nothing is left" in found["reasons"]["removed.text"]
    assert found["disagreement"] == {"flag": None, "mm_fusion": None, "text_expert": 1, "vision_expert": None}


def test_the_last_word_beside_a_picture_can_be_taken_out() -> None:
    [row] = told(meme("vermin"))["words"]
    assert (row["model"], row["margin_effect"]) == ("vision_expert", None)


def test_members_that_give_different_labels_are_flagged() -> None:
    found = told(Sample("m", {"image": Image(np.full((30, 30, 3), (0, 0, 9), np.uint8))}, "vermin"))
    assert found["disagreement"] == {"flag": True, "mm_fusion": 0, "text_expert": 1, "vision_expert": 0}
    same = {"experts": {"mm_fusion": 0.9, "text_expert": 0.45}, "thresholds": {"mm_fusion": 0.5, "text_expert": 0.4}}
    verdict = Verdict(prob_hate=0.9, label=1, model="mm_fusion", threshold=0.5, logits=(0, 1), **same)
    assert not verdict.disagree
    assert Verdict.model_validate(verdict.model_dump()) == verdict  # what is computed is not read back


def test_all_parts_are_asked_about_in_one_stream() -> None:
    head = RuleHead()
    told(meme(), head)
    assert len(head.batch_sizes) == 2  # the answer itself, then everything else
    assert len(head.asked) == 1 + 2 + 5 + 36
    assert head.batch_sizes[1] == 8


def test_large_pictures_wait_in_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    head = RuleHead()
    monkeypatch.setattr(evidence, "_WAITING_PX", 4 * 140 * 70)
    told(meme(), head)
    assert head.batch_sizes[1] == 2


def test_a_part_without_which_there_is_no_answer_says_so() -> None:
    found = told(meme("zoggs a b"), RefusesShort())
    assert found["words"][0]["effect"] is None
    assert found["words"][0]["why"] == ["refused"]
    assert found["words"][1]["effect"] == 0


def test_words_that_the_head_could_not_read_are_not_taken_out() -> None:
    found = told(meme("zoggs a b"), ReadsNothing())
    assert found["words"] is None
    assert found["reasons"]["words"] == "the text could not be used: none of its signs is known"
    assert found["removed"]["text"] is None
    assert len(found["regions"]["items"]) == 36


class ReadsNothing(RuleHead):
    """Has no letter of any text in its vocabulary."""

    def _answer(self, sample: Sample) -> Any:
        found = super()._answer(replace(sample, text=None))
        note = Problem("text_unknown", "none of its signs is known", "text")
        return replace(found, problems=(*found.problems, note))


class RefusesShort(RuleHead):
    """Has no answer where words are given and one of them is missing."""

    def _answer(self, sample: Sample) -> Any:
        self.refuses = "" if "zoggs" in (sample.text or "zoggs") else "a"
        return super()._answer(sample)


def test_no_answer_is_not_explained() -> None:
    with pytest.raises(VlmkitError, match=r"m: there is no answer to explain: would not"):
        explain(RuleHead(refuses="vermin"), meme())  # type: ignore[arg-type]


def test_long_texts_are_taken_out_in_runs() -> None:
    text = " ".join(f"w{number}" for number in range(150))
    found = words_of(text)
    assert len(found) == 50
    assert all(word.n == 3 for word in found)
    assert [word.index for word in found] == list(range(0, 150, 3))
    assert text[found[1].start : found[1].end] == "w3 w4 w5"
    assert len(words_of("a " * 100_000)) <= 60


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("  a\n b\t", ["a", "b"]),
        ("猫が hate 好き!", ["猫", "が", "hate", "好", "き", "!"]),
        ("שלום \u200f עולם", ["שלום", "עולם"]),
        ("🙂 x\u200by", ["🙂", "x\u200by"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert [text[word.start : word.end] for word in words_of(text)] == words


@pytest.mark.parametrize(("width", "height"), [(140, 70), (7, 7), (5, 40), (1, 1), (2, 3), (641, 479)])
def test_windows_cover_every_pixel_and_are_never_empty(width: int, height: int) -> None:
    seen = np.zeros((height, width), int)
    for left, top, right, bottom in boxes_of(width, height):
        assert left < right
        assert top < bottom
        seen[top:bottom, left:right] += 1
    assert seen.min() >= 1
    assert seen.max() <= 4


def test_neighbouring_windows_overlap_by_half() -> None:
    row = [box for box in boxes_of(140, 70) if box[1] == 0]
    assert [(a[2] - b[0], a[2] - a[0]) for a, b in itertools.pairwise(row)] == [(20, 40)] * 5


def test_the_picture_is_refused_before_the_head_is_asked(tmp_path: Path) -> None:
    head = RuleHead()
    with pytest.raises(VlmkitError, match=r"why\.txt: a picture's name ends with one of"):
        explain(head, meme(), tmp_path / "why.txt")  # type: ignore[arg-type]
    assert not head.asked


def test_effects_are_those_of_asking_one_at_a_time() -> None:
    head: Any = vlmkit.load("memes", preset="tiny")
    sample = Sample("m", {"image": Image(scene())}, "some quillet is awful")
    found = explain(head, sample)
    whole = head.predict(image=Image(scene()), text=sample.text).value
    without = head.predict(image=Image(scene()), text="some quillet is").value
    assert found["answer"]["prob_hate"] == pytest.approx(whole.prob_hate, abs=1e-4)
    assert found["words"][3]["effect"] == pytest.approx(whole.prob_hate - without.prob_hate, abs=1e-4)
    row = found["regions"]["items"][10]
    left, top, right, bottom = row["box_px"]
    covered = scene()
    covered[top:bottom, left:right] = found["regions"]["colour"]
    alone = head.predict(image=Image(covered), text=sample.text).value
    assert row["prob_hate"] == pytest.approx(alone.prob_hate, abs=1e-4)
    assert found["removed"]["text"]["prob_hate"] == pytest.approx(whole.experts["vision_expert"], abs=1e-4)
