"""A calibrated checkpoint: what is kept and what is dropped, and files that are not what was written."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import vlmkit
from tests import calibrated
from tests.calibrated import folder, saved, tone_rows
from vlmkit.calibrating import calibrate
from vlmkit.calibration import Calibration, Temperature
from vlmkit.errors import CheckpointError
from vlmkit.types import Sample


@pytest.fixture(autouse=True)
def tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    calibrated.register(monkeypatch)


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    return saved("tones", tmp_path / "head", [Sample("old", text="1.0 of old")])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return folder(tmp_path / "data", tone_rows(600))


def test_a_calibrated_head_saves_its_calibration(tones: Path, data: Path, tmp_path: Path) -> None:
    calibrate("tones", data=data, model=tones)
    head = vlmkit.load("tones", model=tones)
    head.save_pretrained(tmp_path / "again")
    again = vlmkit.load("tones", model=tmp_path / "again")
    assert again.predict(text="2.0").confidence == head.predict(text="2.0").confidence
    assert again.beside.record == head.beside.record
    assert again.beside.seen is not None
    assert "Calibrated (full) on 600 samples of data" in (tmp_path / "again" / "README.md").read_text()


def test_weights_that_change_drop_it(tones: Path, data: Path, caplog: pytest.LogCaptureFixture) -> None:
    calibrate("tones", data=data, model=tones)
    head = vlmkit.load("tones", model=tones)
    with caplog.at_level(logging.WARNING, "vlmkit"):
        head.drop_calibration("the merged weights")
    assert "does not hold for the merged weights" in caplog.text
    assert head.predict(text="2.0").uncalibrated == {}
    assert head.provenance["calibration"] is None


def test_an_edited_file_is_refused_and_can_be_made_again(tones: Path, data: Path) -> None:
    calibrate("tones", data=data, model=tones)
    (tones / "calibration_full.json").write_text('{"reads": 0.1}')
    with pytest.raises(CheckpointError, match=r"calibration_full.json is not as vlmkit calibrate wrote it"):
        vlmkit.load("tones", model=tones)
    assert vlmkit.load("tones", model=tones, calibration="none").beside.calibration is None
    calibrate("tones", data=data, model=tones)
    assert vlmkit.load("tones", model=tones).beside.calibration is not None


def test_a_file_of_someone_else_is_refused(tones: Path) -> None:
    Calibration({"reads": Temperature(0.4)}, {}, "pilot").write(tones)
    with pytest.raises(CheckpointError, match=r"calibration_pilot\.json is not as"):
        vlmkit.load("tones", model=tones)


def test_other_edits_are_refused_without_a_calibration_too(tones: Path, data: Path) -> None:
    calibrate("tones", data=data, model=tones)
    (tones / "seen.dat").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"seen.dat was changed"):
        vlmkit.load("tones", model=tones, calibration="none")
