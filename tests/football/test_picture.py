"""The picture of truth beside answers."""

from __future__ import annotations

import itertools
from pathlib import Path

import matplotlib.text
import numpy as np
import pytest
from PIL import Image

from vlmkit.types import Clip, Prediction, Problem, Sample
from vlmkit_plugins.football.picture import COLOURS, MOST_LINES, draw
from vlmkit_plugins.football.schema import CLASSES, Event, EventClass, Events, events_of

Drawn = list[str]


def seen(event: EventClass, start: int, end: int, words: str = "Player #7 in red is there.") -> Event:
    """An event in the first hour."""
    clock = [f"0:{second // 60}:{second % 60}" for second in (start, end)]
    return Event(description=words, start_time=clock[0], end_time=clock[1], event=event)


def film(shade: int, seconds: int = 20) -> Clip:
    """A film of one colour, in memory."""
    return Clip(np.full((seconds, 32, 48, 3), shade, np.uint8), fps=1.0)


TRUTH = events_of([seen("Goal", 2, 7), seen("Offside", 11, 15)])


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """All words that are put on a picture."""
    words: Drawn = []
    plain = matplotlib.text.Text.__init__

    def listen(self: matplotlib.text.Text, x: float = 0, y: float = 0, text: str = "", **options: object) -> None:
        words.append(text)
        plain(self, x, y, text, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(matplotlib.text.Text, "__init__", listen)
    return words


def pixels(path: Path) -> set[tuple[int, ...]]:
    """Every colour of the picture."""
    found = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
    return {tuple(int(part) for part in colour) for colour in np.unique(found, axis=0)}


def colour_of(event: EventClass) -> tuple[int, ...]:
    """As the picture paints it."""
    return tuple(bytes.fromhex(COLOURS[event][1:]))


def one(truth: Events | None, answer: Events, path: Path) -> None:
    """A picture of one clip."""
    sample = Sample("a", {"video": film(77)}, truth=truth)
    draw([(sample, Prediction("a", answer, provenance={"preset": "tiny", "synthetic": True}))], path)


def test_every_class_has_a_colour_of_its_own() -> None:
    assert set(COLOURS) == set(CLASSES)
    for first, second in itertools.combinations(CLASSES, 2):
        assert np.linalg.norm(np.subtract(colour_of(first), colour_of(second))) > 25, (first, second)


def test_frames_and_both_answers_are_in_it(tmp_path: Path, told: Drawn) -> None:
    answer = events_of([seen("Goal", 2, 7), seen("Throw In", 16, 19)])
    one(TRUTH, answer, tmp_path / "p.png")
    found = pixels(tmp_path / "p.png")
    assert (77, 77, 77) in found
    assert {colour_of("Goal"), colour_of("Offside"), colour_of("Throw In")} <= found
    assert colour_of("Red Card") not in found
    lines = [text for text in told if "Player" in text]
    assert lines == [
        "2–7 s Goal: Player #7 in red is there.",
        "missed: 11–15 s Offside: Player #7 in red is there.",
        "false: 16–19 s Throw In: Player #7 in red is there.",
    ]
    assert any("trained on synthetic data only" in text for text in told)


def test_other_words_about_an_event_that_is_found_are_marked(tmp_path: Path, told: Drawn) -> None:
    one(TRUTH, events_of([seen("Goal", 3, 7, "Player #8 in red is there."), TRUTH[1]]), tmp_path / "p.png")
    assert "3–7 s Goal: Player #8 in red is there. ✗" in told
    assert sum("✗" in text for text in told) == 1


def test_no_event_is_said(tmp_path: Path, told: Drawn) -> None:
    one(events_of([]), events_of([]), tmp_path / "p.png")
    assert "no event" in told


def test_a_long_match_has_a_clock_and_only_its_first_lines(tmp_path: Path, told: Drawn) -> None:
    events = events_of([seen("Corner Kick", 300 * k, 300 * k + 6) for k in range(1, 9)])
    sample = Sample("a", {"video": film(9, 2600)}, truth=events)
    draw([(sample, Prediction("a", events))], tmp_path / "p.png")
    assert sum("Corner Kick" in text for text in told) == MOST_LINES - 1
    assert "and 4 more" in told
    assert {"0:5:0–0:5:6 Corner Kick: Player #7 in red is there.", "0:0:0"} <= set(told)


def test_a_row_a_clip(tmp_path: Path) -> None:
    heights = []
    for n in (1, 2, 3):
        pairs = [(Sample(f"s{i}", {"video": film(9)}, truth=TRUTH), Prediction(f"s{i}", TRUTH)) for i in range(n)]
        draw(pairs, tmp_path / "p.png")
        with Image.open(tmp_path / "p.png") as picture:
            heights.append(picture.height)
    assert heights[2] - heights[1] == pytest.approx(heights[1] - heights[0], abs=2)
    assert heights[1] > heights[0]


def test_a_clip_without_film_answer_or_truth_is_drawn_all_the_same(tmp_path: Path, told: Drawn) -> None:
    gone = Prediction[Events]("a", None, (Problem("media_missing", "no such file", fatal=True),))
    pairs = [
        (Sample("a", {"video": Clip(tmp_path / "none.mp4")}, truth=TRUTH), gone),
        (Sample("b", {"video": film(9)}), Prediction("b", events_of([seen("Free Kick", 1, 4)]))),
        (Sample("c", {}, truth=TRUTH), Prediction("c", TRUTH)),
    ]
    draw(pairs, tmp_path / "p.png")
    assert colour_of("Free Kick") in pixels(tmp_path / "p.png")
    assert "no answer: media_missing" in told


def test_no_clip_is_an_empty_picture(tmp_path: Path) -> None:
    draw([], tmp_path / "p.png")
    assert pixels(tmp_path / "p.png") == {(255, 255, 255)}
