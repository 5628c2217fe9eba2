"""Media on a page: small, whole, or the reason why they are not there."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow

from tests.evaluate.full_report import full_report
from vlmkit.evaluate.page import gallery
from vlmkit.evaluate.page.cases import cards, films
from vlmkit.evaluate.page.gallery import Exhibit, Still, exhibits, film_s, within
from vlmkit.media import AudioSpec, open_audio
from vlmkit.types import Clip, Image, Sample, Sound

PICTURE = np.full((300, 600, 3), (200, 30, 30), np.uint8)


def data(uri: str) -> bytes:
    """What a data URI holds."""
    return base64.b64decode(uri.partition(",")[2])


def test_a_picture_becomes_a_thumbnail_that_keeps_its_shape_and_colours() -> None:
    (shown,) = exhibits(Sample("a", {"image": Image(PICTURE)}))
    (still,) = shown.stills
    assert still.uri.startswith("data:image/jpeg;base64,")
    thumbnail = pillow.open(io.BytesIO(data(still.uri)))
    assert thumbnail.size == (still.width_px, still.height_px)
    assert thumbnail.width == pytest.approx(2 * thumbnail.height, abs=2)
    assert thumbnail.width * thumbnail.height <= 256 * 256
    assert np.asarray(thumbnail).reshape(-1, 3).mean(axis=0) == pytest.approx([200, 30, 30], abs=6)
    assert still.caption == "600 × 300"


def test_a_film_becomes_a_few_frames_with_their_times() -> None:
    film = Clip(np.repeat(PICTURE[None, ::4, ::4], 40, axis=0), fps=10.0)
    (shown,) = exhibits(Sample("a", {"video": film}))
    assert 4 <= len(shown.stills) <= 6
    assert shown.stills[0].caption == "0.00 s"
    assert "of 40 frames, 4.00 s" in shown.note
    assert film_s(film) == pytest.approx(4.0)


def test_a_sound_can_be_seen_and_heard() -> None:
    wave = (0.5 * np.sin(np.arange(48_000) * 2 * np.pi * 440 / 16_000)).astype(np.float32)[None]
    (shown,) = exhibits(Sample("a", {"audio": Sound(wave, rate_hz=16_000)}))
    assert "peak at 0.50 of full scale" in shown.wave
    heard = open_audio(Sound(data(shown.sound)), AudioSpec(rate_hz=16_000))
    assert heard.duration_s == pytest.approx(3.0, abs=0.1)
    spectrum = np.abs(np.fft.rfft(heard.samples))
    assert np.argmax(spectrum) * 16_000 / len(heard.samples) == pytest.approx(440, abs=5)
    assert shown.note == "3.00 s"


def test_a_long_sound_is_cut_and_small() -> None:
    rng = np.random.default_rng(0)
    wave = rng.uniform(-0.5, 0.5, (1, 30 * 16_000)).astype(np.float32)
    (shown,) = exhibits(Sample("a", {"audio": Sound(wave, rate_hz=16_000)}))
    assert shown.note == "the first 10 s"
    assert len(shown.sound) < 60_000


def test_without_an_encoder_a_sound_is_still_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "_playable", lambda wave: "")
    wave = np.linspace(-0.5, 0.5, 16_000, dtype=np.float32)[None]
    (shown,) = exhibits(Sample("a", {"audio": Sound(wave, rate_hz=16_000)}))
    assert shown.wave
    assert shown.sound == ""


def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    torn = tmp_path / "torn.png"
    torn.write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 40)
    media = Sample("a", {"image": Image(torn), "audio": Sound("gone.wav"), "video": Clip(b"")})
    notes = [shown.note for shown in exhibits(media)]
    assert notes[0].startswith("corrupt: ")
    assert notes[1].startswith("missing: ")
    assert notes[2].startswith("empty: ")
    assert film_s(Clip("gone.mp4")) is None


def test_a_huge_file_is_not_opened_for_a_thumbnail(tmp_path: Path) -> None:
    huge = tmp_path / "huge.mp4"
    with huge.open("wb") as file:
        file.truncate(500 * 2**20)  # a hole: it takes no room
    (shown,) = exhibits(Sample("a", {"video": Clip(huge)}))
    assert shown.note == "too_large: its 524,288,000 bytes are not opened for a thumbnail"


def test_a_folder_is_not_told_to_the_readers_of_a_page() -> None:
    (shown,) = exhibits(Sample("a", {"image": Image("/home/someone/private/cat.png")}))
    assert shown.name == "cat.png"


def test_media_beyond_the_budget_say_so() -> None:
    one = Exhibit("image", "a.png", (Still("x" * 60, "", 1, 1),), note="640 × 480")
    first, second = within([one, one], 100)
    assert first is one
    assert second.stills == ()
    assert second.note == "640 × 480; not shown: the page would get too large"


def test_cards_say_what_differs_in_closed_fields_only() -> None:
    found = cards(full_report())
    answered = next(card for card in found if card.answer is not None)
    assert [line.path for line in answered.lines if line.wrong] == ["label"]
    assert [line.path for line in answered.lines] == ["label", "words"]
    assert answered.confidence == "0.750"
    silent = next(card for card in found if card.answer is None)
    assert [problem.code for problem in silent.problems] == ["unread", "note"]
    assert silent.wrong == ()
    assert silent.raw


def test_strips_go_evenly_through_the_ranking() -> None:
    report = full_report()
    section = films(report)
    assert section is not None
    shown = [plot.title for plot in (*section.plots, *section.more)]
    assert len(shown) == 12
    assert shown[0] == report.cases[0].sample.id
    assert shown[-1] == report.cases[-1].sample.id
