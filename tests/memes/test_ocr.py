from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from vlmkit.errors import MediaError, MissingExtraError
from vlmkit.types import Image, Sample
from vlmkit_plugins.memes import ocr
from vlmkit_plugins.memes.lines import Line, kept
from vlmkit_plugins.memes.ocr import Figures, read_words, with_ocr

PLACES = {"WHEN YOU SEE IT": (30, 20), "you cannot unsee it": (60, 220)}


def meme(words: dict[str, tuple[int, int]]) -> Image:
    picture = Pillow.new("RGB", (520, 300), "white")
    drawn = ImageDraw.Draw(picture)
    for text, place in words.items():
        drawn.text(place, text, font=ImageFont.load_default(size=36), fill="black")
    out = io.BytesIO()
    picture.save(out, "PNG")
    return Image(out.getvalue())


def test_drawn_words_are_read_back_where_they_are() -> None:
    words = read_words(meme(PLACES))
    assert words.text == "WHEN YOU SEE IT you cannot unsee it"
    assert words.mean_conf is not None
    assert words.mean_conf > 0.8
    for line in words.lines:
        left, top = PLACES[line.text]
        assert line.bbox is not None
        assert abs(line.bbox[0] - left) < 15
        assert line.bbox[1] < top + 30 < line.bbox[3]
        assert line.bbox[2] > left + 200


def test_samples_without_words_get_those_of_their_picture() -> None:
    given = [
        Sample("drawn", {"image": meme(PLACES)}, meta={"split": "val"}),
        Sample("told", {"image": meme(PLACES)}, text="a better transcript"),
        Sample("bare", {"image": Image(np.full((80, 120, 3), 200, np.uint8))}),
        Sample("broken", {"image": Image(b"junk")}),
        Sample("words", text="x"),
    ]
    found, figures = with_ocr(given)
    assert [sample.text for sample in found] == [
        "WHEN YOU SEE IT you cannot unsee it", "a better transcript", None, None, "x",
    ]  # fmt: skip
    assert found[0].meta["split"] == "val"
    assert found[0].meta["ocr_about"]["source"].startswith("rapidocr 3.")
    assert found[0].meta["ocr_about"]["lines"] == 2
    assert found[2].meta["ocr_about"]["lines"] == 0
    assert found[1] is given[1]
    assert "ocr_about" not in found[3].meta
    assert (figures.n, figures.without_text, list(figures.failures)) == (2, 1, ["broken"])
    assert figures.warnings == (
        "no words were found in 1 of 2 pictures, wanted fewer than 10%", "1 pictures could not be opened",
    )  # fmt: skip


def test_unsure_lines_are_dropped_and_counted() -> None:
    words = kept([Line("a", 0.29, None), Line("b", 0.3, None), Line("  ", 0.9, None)])
    assert (words.text, words.dropped) == ("b", 2)
    assert kept([]).mean_conf is None


def test_a_poor_reading_is_told() -> None:
    assert Figures(10, 0, 0.9, {}).warnings == ()
    assert "mean confidence of lines is 0.65, below 0.70" in Figures(10, 0, 0.65, {}).warnings[0]
    assert Figures(0, 0, None, {}).warnings == ()


def test_a_picture_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(MediaError, match="not_media"):
        read_words(Image(b"junk"))


def test_rapidocr_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    ocr._reader.cache_clear()
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(MissingExtraError, match=r"vlmkit\[ocr\]"):
        read_words(meme({}))
    with pytest.raises(MissingExtraError, match=r"vlmkit\[ocr\]"):
        with_ocr([])
