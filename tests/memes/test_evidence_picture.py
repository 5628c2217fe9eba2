"""The picture of evidence."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image as Pillow

from tests.memes.rules import RuleHead, scene
from vlmkit.errors import MissingExtraError, VlmkitError
from vlmkit.types import Image, Sample
from vlmkit_plugins.memes.chips import printed
from vlmkit_plugins.memes.evidence import explain
from vlmkit_plugins.memes.evidence_picture import heat_of, require_drawable, word_boxes

Say = Callable[..., list[str]]


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Draws, and gives every text in the picture."""
    kept: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, path: Path) -> None:
        kept.append(figure)
        save(figure, path)

    monkeypatch.setattr(Figure, "savefig", keep)

    def run(sample: Sample, head: Any = None) -> list[str]:
        chosen: Any = head or RuleHead()
        explain(chosen, sample, tmp_path / "p.png")
        return [text.get_text() for text in kept[-1].findobj(Text) if isinstance(text, Text)]

    return run


def meme(text: str | None, **meta: Any) -> Sample:
    """Words over a picture with a red block."""
    return Sample("m", {"image": Image(scene())}, text, meta=meta)


def test_verdict_words_and_figures_stand_in_it(said: Say) -> None:
    found = said(meme("these zoggs are vermin"), RuleHead(synthetic=True))
    wanted = {"label 1: hateful", "zoggs", "vermin", "mm_fusion, both together", "text_expert, words alone", "0"}
    assert wanted <= set(found)
    assert any(text.startswith("prob_hate 0.") and "≥ threshold 0.500, by mm_fusion" in text for text in found)
    assert "trained on synthetic data only: this says nothing about real memes" in found
    assert "the members agree: all say 1" in found


def test_disagreement_and_a_missing_modality_are_said(said: Say) -> None:
    blue = Image(np.full((30, 60, 3), (0, 0, 9), np.uint8))
    found = said(Sample("m", {"image": blue}, "vermin"))
    assert "the members disagree: both together 0, words alone 1, picture alone 0" in found
    alone = said(meme(None))
    assert "no text was given" in alone
    assert alone.count("not asked") == 2
    assert "one member alone could be asked" in alone


def test_the_red_block_is_marked_where_it_is(tmp_path: Path) -> None:
    explain(RuleHead(), meme("zoggs"), tmp_path / "p.png")  # type: ignore[arg-type]
    with Pillow.open(tmp_path / "p.png") as drawn:
        pixels = np.asarray(drawn.convert("RGB")).astype(int)
    reddish = (pixels[..., 0] - pixels[..., 2] > 40) & (pixels[..., 0] - pixels[..., 2] < 150)
    heat = reddish[60:500, pixels.shape[1] // 3 : 2 * pixels.shape[1] // 3].nonzero()
    assert len(heat[0]) > 500


def test_nothing_in_a_text_breaks_it(said: Say) -> None:
    found = said(meme("$x_{ שלום 猫 🙂 " + "a" * 5000 + "\nvermin"))  # a warning would be an error here
    assert "$x_{" in found
    assert "םולש" in found  # set from left to right, so turned around
    assert "\u25af" in found
    assert f"{'a' * 21}…" in found


def test_long_texts_are_drawn_in_runs(said: Say) -> None:
    found = said(Sample("t", {}, " ".join(["vermin", *("w" for _ in range(400))])))
    assert "words, left out one run at a time: by how much each raises prob_hate" in found
    assert len([text for text in found if text.startswith("w w w w")]) > 50


@pytest.mark.parametrize("size_px", [(30, 600), (600, 30), (1, 1)])
def test_pictures_of_odd_shapes(said: Say, size_px: tuple[int, int]) -> None:
    pixels = np.zeros((*size_px, 3), np.uint8)
    pixels[: max(1, size_px[0] // 2), : max(1, size_px[1] // 2)] = (220, 30, 30)
    assert "zoggs" in said(Sample("m", {"image": Image(pixels)}, "zoggs a"))


def test_a_place_has_the_mean_margin_of_the_windows_over_it() -> None:
    boxes = [[0, 0, 20, 10], [10, 0, 30, 10], [0, 0, 30, 10], [20, 0, 30, 10]]
    margins = [0.4, 0.0, None, -0.2]
    rows = [{"box_px": box, "margin_effect": margin} for box, margin in zip(boxes, margins, strict=True)]
    found = heat_of({"size_px": [70, 20], "items": rows})
    assert found.shape == (7, 7)
    assert found[0] == pytest.approx([0.4, 0.2, -0.1, 0, 0, 0, 0])
    assert found[3, 0] == 0.4
    assert not found[4:].any()


def test_recognised_lines_with_words_that_matter_are_outlined() -> None:
    words = [
        {"text": text, "margin_effect": margin} for text, margin in (("Zoggs", 1.5), ("are", 0.0), ("zoggs", -0.9))
    ]
    lines = [{"text": "zoggs are", "bbox": [0, 0, 9, 9]}, {"text": "ZOGGS", "bbox": [0, 10, 9, 19]}]
    assert word_boxes(words, lines) == [([0, 0, 9, 9], 1.5), ([0, 10, 9, 19], -0.9)]
    assert word_boxes(words, [{"text": "are", "bbox": [1, 1, 2, 2]}]) == []
    assert word_boxes(words, [{"text": "zoggs"}]) == []  # without a box there is nothing to outline
    faint: list[dict[str, Any]] = [{"text": "a", "margin_effect": 0.1}, {"text": "b", "margin_effect": None}]
    assert word_boxes(faint, [{"text": "a b", "bbox": [0, 0, 9, 9]}]) == []


def test_boxes_are_drawn_in_the_pictures_own_pixels(said: Say) -> None:
    line = {"text": "vermin", "conf": 0.9, "bbox": [10, 5, 60, 15]}
    assert "m · outlined: words that matter" in said(meme("a vermin", ocr=[line]))


@pytest.mark.parametrize("name", ["why", "why.docx"])
def test_other_kinds_of_file_are_refused(name: str) -> None:
    with pytest.raises(VlmkitError, match="ends with one of"):
        require_drawable(Path(name))


def test_without_matplotlib_it_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match="plot"):
        require_drawable(Path("why.png"))


def test_long_lines_are_cut() -> None:
    assert printed("a  b\nc", 9) == "a b c"
    assert printed("abcdef", 4) == "abc…"
