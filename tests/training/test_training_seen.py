"""Training writes down what was learned from, adds to what a checkpoint knew, and lets its calibration go."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

import vlmkit
from tests.training import toy
from vlmkit.calibrating import write
from vlmkit.calibration import Calibration, Platt
from vlmkit.calibration.record import Record
from vlmkit.checkpoint import open_checkpoint
from vlmkit.errors import CheckpointError
from vlmkit.seen import truth_sha256

RECORD = Record(
    vlmkit="0",
    data="made",
    truth_sha256="0",
    n=2,
    left_out={},
    threshold=None,
    checked_against_training=True,
    names={},
)


@pytest.fixture(autouse=True)
def _tasks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    toy.register(monkeypatch)
    monkeypatch.setenv("VLMKIT_CACHE", str(tmp_path / "cache"))


def _train(tmp_path: Path, name: str, seed: int, start: int, **options: str) -> Path:
    data = toy.folder(tmp_path / f"{name}-data", 30, seed, start=start)
    out = tmp_path / name
    vlmkit.train("toys", data=data, out=out, device="cpu", max_steps=1, stage="align", **options)  # type: ignore[arg-type]
    return out


def test_what_was_learned_from_is_on_record_and_what_was_held_out_is_not(tmp_path: Path) -> None:
    out = _train(tmp_path, "first", 0, 0)
    checkpoint = open_checkpoint(out)
    seen = checkpoint.seen
    assert seen is not None
    assert seen.complete
    data = checkpoint.about.training[0].data.model_dump()
    samples = toy.samples(30, 0)
    assert data["truth_sha256"] == truth_sha256(samples)
    met = seen.meets(samples)
    assert met.ids == met.contents
    assert len(met.ids) == len(seen.ids) == data["samples"] + len(data["left_out"])
    assert len(met.ids) == 30 - data["val_samples"]
    assert not seen.meets(toy.samples(10, 9, start=500))


def test_training_on_adds_to_the_record_and_drops_the_calibration(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = _train(tmp_path, "first", 0, 0)
    write(first, Calibration({"reply": Platt((1.0,), (0.0,))}), RECORD)
    with caplog.at_level(logging.WARNING, "vlmkit"):
        second = _train(tmp_path, "second", 1, 100, model=str(first))
    with pytest.raises(CheckpointError, match="ColourDecoder takes no calibration"):
        vlmkit.load("toys", model=first, device="cpu")
    assert "will not hold for what is trained from it" in caplog.text
    assert not (second / "calibration_full.json").exists()
    assert open_checkpoint(second).about.calibration == {}
    seen = open_checkpoint(second).seen
    assert seen is not None
    assert seen.complete
    assert len(seen.meets(toy.samples(30, 0)).ids) >= 20
    assert len(seen.meets(toy.samples(30, 1, start=100)).ids) >= 20


def test_a_record_that_was_lost_is_not_complete_again(tmp_path: Path) -> None:
    first = _train(tmp_path, "first", 0, 0)
    (first / "seen.dat").unlink()
    about = json.loads((first / "vlmkit.json").read_text(encoding="utf-8"))
    del about["files"]["seen.dat"]
    (first / "vlmkit.json").write_text(json.dumps(about), encoding="utf-8")
    seen = open_checkpoint(_train(tmp_path, "second", 1, 100, model=str(first))).seen
    assert seen is not None
    assert not seen.complete
