"""The picture of truth beside verdicts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from PIL import Image as Pillow

from vlmkit.errors import MissingExtraError
from vlmkit.types import Image, Prediction, Problem, Sample
from vlmkit_plugins.memes.picture import RIGHT, UNKNOWN, WRONG, Pairs, draw, verdict
from vlmkit_plugins.memes.schema import Labels, Member, Verdict, truth

PIXELS = Image(np.full((48, 64, 3), (10, 200, 90), np.uint8))
AT = {"mm_fusion": 0.5, "text_expert": 0.4, "vision_expert": 0.6}
Drawn = Callable[[Pairs], list[str]]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved."""
    figures: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, path: Path) -> None:
        figures.append(figure)
        save(figure, path)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


@pytest.fixture
def said(kept: list[Figure], tmp_path: Path) -> Drawn:
    """Draws, and gives every text in the picture."""

    def run(pairs: Pairs) -> list[str]:
        draw(pairs, tmp_path / "p.png")
        return [text.get_text() for text in kept[-1].findobj(Text) if isinstance(text, Text) and text.get_text()]

    return run


def true(label: int) -> Verdict:
    found = truth(Labels.model_validate({"abuse_hate": label}))
    assert found is not None
    return found


def answer(p: float, model: Member = "mm_fusion", text: float | None = None, vision: float | None = None) -> Verdict:
    experts: dict[str, float | None] = {"text_expert": text, "vision_expert": vision, model: p}
    found = {name: value for name, value in experts.items() if value is not None}
    return Verdict(
        prob_hate=p,
        label=1 if p >= AT[model] else 0,
        model=model,
        threshold=AT[model],
        logits=(0, 1),
        experts=found,
        thresholds={name: AT[name] for name in found},
    )


def meme(label: int | None = 1, words: str | None = "so lovely", *, has_picture: bool = True) -> Sample:
    return Sample("m1", {"image": PIXELS} if has_picture else {}, words, None if label is None else true(label))


def test_a_card_holds_words_truth_verdict_and_every_member(said: Drawn, tmp_path: Path) -> None:
    texts = said([(meme(1), Prediction("m1", answer(0.71, text=0.22, vision=0.33)))])
    assert {"m1", "“so lovely”", "hateful", "✓ hateful", "0.71", "0.22", "0.33"} <= set(texts)
    assert {"both together", "words alone", "picture alone"} <= set(texts)
    assert "⚑ the members disagree" in texts
    with Pillow.open(tmp_path / "p.png") as drawn:
        colours = {colour for _, colour in drawn.convert("RGB").getcolors(1 << 24) or []}
    assert (10, 200, 90) in colours  # the picture itself


def test_agreement_raises_no_flag(said: Drawn) -> None:
    texts = said([(meme(1), Prediction("m1", answer(0.71, text=0.45, vision=0.63)))])
    assert not [text for text in texts if "disagree" in text]


def test_a_bar_is_as_long_as_the_probability_and_the_mark_stands_at_the_threshold(
    said: Drawn, kept: list[Figure]
) -> None:
    said([(meme(0), Prediction("m1", answer(0.25, text=0.1, vision=0.9)))])
    card = kept[-1].axes[1]
    bars = [patch for patch in card.patches if isinstance(patch, Rectangle) and 0.05 < patch.get_height() < 0.2]
    tracks, filled = bars[::2], bars[1::2]
    shares = [bar.get_width() / track.get_width() for bar, track in zip(filled, tracks, strict=True)]
    assert shares == pytest.approx([0.25, 0.1, 0.9])
    assert len({bar.get_facecolor() for bar in filled[:2]}) == 1 != len({bar.get_facecolor() for bar in filled})
    marks = [float(np.asarray(line.get_xdata())[0]) for line in card.lines]
    places = [(x - track.get_x()) / track.get_width() for x, track in zip(marks, tracks, strict=True)]
    assert places == pytest.approx([0.5, 0.4, 0.6])
    assert filled[0].get_height() > filled[1].get_height()  # the one that answers


def test_a_member_that_could_not_be_asked_is_said_so(said: Drawn) -> None:
    texts = said([(meme(has_picture=False), Prediction("m1", answer(0.8, "text_expert")))])
    assert texts.count("not asked") == 2
    assert "no picture" in texts
    assert "no words" in said([(meme(words=" "), Prediction("m1", answer(0.8, "vision_expert")))])


def test_an_answer_out_of_a_file_shows_its_own_bar(said: Drawn) -> None:
    told = answer(0.8, text=0.1).model_copy(update={"experts": {}, "thresholds": {}})
    texts = said([(meme(), Prediction("m1", told))])
    assert "0.80" in texts
    assert texts.count("not asked") == 2


def test_no_answer_says_why_and_invents_no_bar(said: Drawn, kept: list[Figure]) -> None:
    problem = Problem("abstained", "confidence 0.61 lies below the limit", "label", fatal=True)
    texts = said([(meme(0), Prediction("m1", None, (problem,)))])
    assert "✗ no answer" in texts
    assert any(text.startswith("abstained (label): confidence 0.61") for text in texts)
    assert "both together" not in texts
    assert not kept[-1].axes[1].lines


def test_a_broken_picture_says_why_in_its_place(said: Drawn, tmp_path: Path) -> None:
    sample = Sample("m1", {"image": Image(tmp_path / "gone.jpg")}, "words", true(1))
    problem = Problem("media_missing", "no such file", "image")
    texts = said([(sample, Prediction("m1", answer(0.8, "text_expert"), (problem,)))])
    assert "picture: missing" in texts
    assert "media_missing (image): no such file" in texts


@pytest.mark.parametrize(
    "words",
    [
        "$x$ \\frac{ $",
        "مرحبا بالعالم",
        "party 🎉 at nine",
        "long " * 20_000,
        "W" * 5000,
        "HOW VERY LOUD " * 9,
        "a\n\nb\tc\x07",
    ],
)
def test_any_words_are_drawn_in_their_place(said: Drawn, kept: list[Figure], words: str) -> None:
    problem = Problem("homoglyphs", words[:400], "text")
    said([(replace(meme(words=words), id=words[:90]), Prediction("m1", answer(0.8, text=0.3), (problem,)))])
    figure = kept[-1]
    card = figure.axes[1]
    edge = card.transData.inverted()
    for text in card.texts:
        box = text.get_window_extent().transformed(edge)
        assert box.x0 > 0.06
        assert box.x1 < 5.1
        assert max(box.y0, box.y1) < 2.8
        if text.get_position()[0] < 2:
            assert box.x1 < 2.28  # a caption leaves the panel alone


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7])
def test_cards_stand_in_rows_of_three(said: Drawn, kept: list[Figure], n: int) -> None:
    one = meme(0), Prediction("m1", answer(0.2, text=0.1, vision=0.2))
    said([one] * n)
    assert len(kept[-1].axes) == 1 + n
    assert {round(axes.get_position().y0, 6) for axes in kept[-1].axes[1:]} == {
        round(axes.get_position().y0, 6) for axes in kept[-1].axes[1::3]
    }
    assert kept[-1].get_size_inches()[0] == pytest.approx(5.26 * min(n, 3) + 0.14)


def test_synthetic_weights_are_named(said: Drawn) -> None:
    prediction = Prediction("m1", answer(0.2))
    told = replace(prediction, provenance={"preset": "tiny", "synthetic": True})
    assert "preset tiny, trained on synthetic data only" in said([(meme(), told)])
    assert "memes" in said([(meme(), prediction)])


@pytest.mark.parametrize(
    ("wanted", "given", "found"),
    [
        (1, 0.9, ("✓ hateful", RIGHT)),
        (0, 0.1, ("✓ not hateful", RIGHT)),
        (1, 0.1, ("✗ not hateful", WRONG)),
        (0, 0.9, ("✗ hateful", WRONG)),
        (None, 0.9, ("hateful", UNKNOWN)),
        (1, None, ("✗ no answer", WRONG)),
    ],
)
def test_a_verdict_in_words(wanted: int | None, given: float | None, found: tuple[str, str]) -> None:
    assert verdict(None if wanted is None else true(wanted), None if given is None else answer(given)) == found


def test_it_needs_matplotlib(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match="plot"):
        draw([], tmp_path / "p.png")
