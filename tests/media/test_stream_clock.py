"""Streams whose sound begins long before their pictures: nothing of it is lost without a word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.media.films import written
from tests.media.sounds import noise, sounding_film
from tests.media.watched import HEARD, codes, sound, spans, windows
from vlmkit.media import open_audio


def test_sound_from_before_the_first_picture_is_said(tmp_path: Path) -> None:
    path = written(tmp_path, sounding_film(50, samples=noise(5 * 16_000), picture_s=3))
    found = windows(path, 1)
    assert spans(found) == [(0, 1), (1, 2)]
    assert [codes(window) for window in found] == [["sound_before_pictures"], []]
    (note,) = found[0][1]
    assert (note.where, note.fatal) == ("audio", False) and "3.000 s of sound" in note.message
    little = written(tmp_path, sounding_film(50, samples=noise(2 * 16_000), picture_s=0.08), "little.mkv")
    assert [codes(window) for window in windows(little, 1)] == [[], []]


def test_all_sound_is_heard_where_pictures_come_late(tmp_path: Path) -> None:
    """More blocks of it than may wait for a picture: the clock starts with the first of them."""
    samples = noise(25 * 48_000)
    film = sounding_film(250, samples=samples, rate_hz=48_000, codec="mp2", picture_s=15)
    found = windows(written(tmp_path, film), 1)
    assert spans(found)[:25] == [(i, i + 1) for i in range(25)]
    heard = [open_audio(sound(window), replace(HEARD, rate_hz=48_000)) for window in found[:25]]
    heard_s = sum(one.duration_s for one in heard)
    assert heard_s == pytest.approx(25, abs=0.05)
    assert next(sample.meta["start_s"] for sample, _ in found if "video" in sample.media) == 15
    assert not {code for window in found for code in codes(window)} - {"window_partial"}
