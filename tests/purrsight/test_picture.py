"""The picture of truth beside answers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray
from PIL import Image as Pillow

from tests.purrsight.reports import ALARMED, BLANK, report
from vlmkit.errors import MissingExtraError
from vlmkit.types import Clip, Image, Media, Modality, Prediction, Problem, Sample, Sound
from vlmkit_plugins.purrsight.exhibits import spectrogram
from vlmkit_plugins.purrsight.film import write_film
from vlmkit_plugins.purrsight.head import task
from vlmkit_plugins.purrsight.picture import RIGHT, RISKS, UNSEEN, WRONG, Pairs, draw, verdict
from vlmkit_plugins.purrsight.schema import CatReport

RATE_HZ = 16_000


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Pairs], list[str]]:
    """Draws, and gives every text in the picture."""
    kept: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, path: Path) -> None:
        kept.append(figure)
        save(figure, path)

    monkeypatch.setattr(Figure, "savefig", keep)

    def run(pairs: Pairs) -> list[str]:
        draw(pairs, tmp_path / "p.png")
        return [text.get_text() for text in kept[-1].findobj(Text) if isinstance(text, Text)]

    return run


def picture(shade: int) -> Image:
    """One colour, in memory."""
    return Image(np.full((48, 64, 3), shade, np.uint8))


def tone(hz: float, seconds: float = 0.5) -> NDArray[np.float32]:
    """A sine at full scale."""
    at_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.sin(2 * np.pi * hz * at_s).astype(np.float32)


def film(path: Path, *, heard: bool) -> Clip:
    """A second of grey, with or without a sound track."""
    frames = [np.full((64, 64, 3), 90, np.uint8)] * 12
    write_film(path, frames, 12, tone(500, 1.0) * np.float32(0.5) if heard else None)
    return Clip(path)


def pixels(path: Path) -> set[object]:
    """Every colour of the picture."""
    with Pillow.open(path) as drawn:
        found = drawn.convert("RGB").getcolors(maxcolors=1 << 24) or []
    return {colour for _, colour in found}


def colour_of(code: str) -> tuple[int, ...]:
    """As pixels have it."""
    return tuple(bytes.fromhex(code[1:]))


def test_the_task_draws_with_it() -> None:
    assert task().picture is draw


@pytest.mark.parametrize(
    ("truth", "answer", "text", "colour"),
    [
        ("puffed", "puffed", "✓ puffed", RIGHT),
        ("puffed", "upright", "✗ upright", WRONG),
        (4, 5, "✗ 5", WRONG),
        ("puffed", "not_observed", "✗ not_observed: missed", WRONG),
        ("not_observed", "puffed", "✗ puffed: invented", WRONG),
        ("not_observed", "not_observed", "✓ not_observed", UNSEEN),
    ],
)
def test_words_say_what_the_colour_says(truth: str | int, answer: str | int, text: str, colour: str) -> None:
    assert verdict(truth, answer) == (text, colour)


def test_without_truth_nothing_is_called_right_or_wrong() -> None:
    text, colour = verdict(None, "puffed")
    assert text == "puffed"
    assert colour not in (RIGHT, WRONG)


def test_all_eight_fields_stand_beside_the_truth(said: Callable[[Pairs], list[str]]) -> None:
    truth, answer = report(ALARMED), report(ALARMED, tail="upright")
    sure = {"diagnostic.physical_markers.tail": 0.61, "diagnostic.classification.arousal_level": 0.93}
    prediction = Prediction("a", answer, (Problem("clipped", "too loud", "audio"),), sure, ("audio", "image"))
    found = said([(Sample("a", {"image": picture(77)}, truth=truth), prediction)])
    for name, value in truth.fields.items():
        assert name.replace("_", " ") in found
        assert str(value) in found
        given = answer.fields[name]
        assert (f"✓ {given}" if given == value else f"✗ {given}") in found
    assert {"0.61", "0.93", "clipped (audio)", "seen: audio, image"} <= set(found)


def test_what_was_given_is_shown(tmp_path: Path, said: Callable[[Pairs], list[str]]) -> None:
    sample = Sample(
        "a",
        {"image": picture(77), "audio": Sound(tone(2_000)[None], rate_hz=RATE_HZ)},
        text="It purrs.",
        truth=report(),
    )
    found = said([(sample, Prediction("a", report()))])
    assert (77, 77, 77) in pixels(tmp_path / "p.png")
    assert "It purrs." in found
    assert "0.4 s" in found  # the axis of the sound


@pytest.mark.parametrize("heard", [True, False])
def test_a_sound_track_is_shown_where_there_is_one(
    tmp_path: Path, said: Callable[[Pairs], list[str]], heard: bool
) -> None:
    sample = Sample("a", {"video": film(tmp_path / "f.mp4", heard=heard)}, truth=report())
    found = said([(sample, Prediction("a", report()))])
    assert "0.0 s" in found  # of the first frame
    assert ("7 kHz" in found) == heard


def test_the_bar_of_risk_is_as_long_as_the_rating(tmp_path: Path) -> None:
    counts = {}
    for rating in (4, 5):
        answer = report(ALARMED, risk_rating=rating)
        draw([(Sample("a", text="x"), Prediction("a", answer))], tmp_path / "p.png")
        image = np.asarray(Pillow.open(tmp_path / "p.png").convert("RGB"))
        counts[rating] = int((image == colour_of(RISKS[rating])).all(-1).sum())
    assert counts[5] / counts[4] == pytest.approx(5 / 4, rel=0.1)
    assert colour_of(RISKS[5]) not in pixels_of_blank(tmp_path)


def pixels_of_blank(folder: Path) -> set[object]:
    """Of an answer that could rate nothing."""
    draw([(Sample("a", text="x"), Prediction("a", report(BLANK)))], folder / "q.png")
    return pixels(folder / "q.png")


def test_what_cannot_be_opened_says_why(tmp_path: Path, said: Callable[[Pairs], list[str]]) -> None:
    silent = Sound(np.zeros((1, RATE_HZ), np.float32), rate_hz=RATE_HZ)
    gone = Prediction[CatReport]("a", None, (Problem("media_missing", "no such file", "image", fatal=True),))
    nothing = tmp_path / "none"
    media: dict[Modality, Media] = {"image": Image(nothing), "video": Clip(nothing), "audio": silent}
    found = said([(Sample("a", media, truth=report()), gone)])
    assert any(text.startswith("picture: missing") for text in found)
    assert any(text.startswith("film: missing") for text in found)
    assert any(text.startswith("sound: silent") for text in found)
    assert "✗ no answer" in found
    assert "media_missing (image): no such file" in found


def test_neither_chinese_nor_formulas_break_it(said: Callable[[Pairs], list[str]]) -> None:
    sample = Sample("$x$ 猫", text="It costs $5 and $6_{ 猫\n\tin two lines", truth=report())
    fault = Problem("odd", "a $broken_{ formula$ 猫", "text")
    found = said([(sample, Prediction("$x$ 猫", report(), (fault,)))])  # a warning would be an error here
    assert "It costs $5 and $6_{ \u25af in two lines" in found
    assert not any(letter in "".join(found) for letter in report().human_actionable_insight[:4])


def test_nothing_to_show_is_drawn_all_the_same(said: Callable[[Pairs], list[str]]) -> None:
    found = said([(Sample("a"), Prediction("a", report(BLANK), provenance={"preset": "tiny", "synthetic": True}))])
    assert "a  ·  nothing" in found
    assert "what was given · preset tiny, trained on synthetic data only" in found


def test_a_row_a_sample(tmp_path: Path) -> None:
    heights = []
    for n in (1, 2, 3):
        pairs = [(Sample(f"s{i}", text="x", truth=report()), Prediction(f"s{i}", report())) for i in range(n)]
        draw(pairs, tmp_path / "p.png")
        with Pillow.open(tmp_path / "p.png") as drawn:
            heights.append(drawn.height)
    assert heights[2] - heights[1] == pytest.approx(heights[1] - heights[0], abs=2)
    assert heights[1] > heights[0]


def test_without_matplotlib_it_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match="plot"):
        draw([], tmp_path / "p.png")


def test_a_tone_lights_its_own_band() -> None:
    decibels = spectrogram(tone(1_000), RATE_HZ)
    loudest = decibels.mean(axis=1)
    assert loudest.max() == pytest.approx(0.0, abs=1.0)
    assert 32 <= int(loudest.argmax()) <= 34  # 1 kHz lies at 1000 of 2840 mel, which are 96 bands
    assert loudest[80] < -60
    assert spectrogram(np.zeros(RATE_HZ, np.float32), RATE_HZ).max() == pytest.approx(-120)
