"""Calibrating a head: what is found, what is refused, and that loading applies just what was written."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import vlmkit
from tests import calibrated
from tests.calibrated import SHARPNESS, folder, guess_rows, saved, tone_rows
from vlmkit.calibrating import calibrate
from vlmkit.calibration import Platt, Temperature
from vlmkit.checkpoint import Beside, open_checkpoint
from vlmkit.errors import CheckpointError, DataError, UnknownNameError, VlmkitError
from vlmkit.seen import Seen
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


def test_a_temperature_is_found_written_and_applied(tones: Path, data: Path) -> None:
    plain = vlmkit.load("tones", model=tones, calibration="none").predict(text="3.0")
    outcome = calibrate("tones", data=data, model=tones)
    assert isinstance(outcome.calibration.map("reads"), Temperature)
    assert outcome.calibration.map("reads").t == pytest.approx(SHARPNESS, rel=0.15)  # type: ignore[union-attr]
    figures = outcome.record.names["reads"]
    assert figures.ece.before is not None
    assert figures.ece.after is not None
    assert figures.ece.before > 0.1
    assert figures.ece.after < 0.06
    assert figures.log_loss.after < figures.log_loss.before  # type: ignore[operator]
    assert outcome.record.checked_against_training
    assert outcome.warnings == ("sees is asked about none of these samples, and not calibrated",)
    head = vlmkit.load("tones", model=tones)
    assert (head.beside.calibration, head.beside.record) == (outcome.calibration, outcome.record)
    found = head.predict(text="3.0")
    t = outcome.calibration.map("reads").t  # type: ignore[union-attr]
    assert found.confidence["reply"] == pytest.approx(1 / (1 + math.exp(-3.0 / t)))
    assert found.uncalibrated == plain.confidence
    assert plain.uncalibrated == {}
    assert found.provenance["calibration"] == "full"


def test_the_threshold_is_chosen_on_calibrated_probabilities_by_the_rule(tones: Path, data: Path) -> None:
    calibrate("tones", data=data, model=tones, threshold=("recall", 0.95))
    files = json.loads((tones / "thresholds_full.json").read_text(encoding="utf-8"))
    assert set(files["reads"]) == {"abuse_hate", "best_f1"}
    limit = files["reads"]["abuse_hate"]
    head = vlmkit.load("tones", model=tones)
    rows = json.loads((data / "rows.json").read_text())
    found = list(head.predict_many([Sample(row["id"], text=row["text"]) for row in rows]))
    caught = [one.value.label == "1" for one, row in zip(found, rows, strict=True) if row["truth"] == "1"]  # type: ignore[union-attr]
    assert 0.95 <= np.mean(caught) < 1
    assert limit < 0.3
    assert open_checkpoint(tones).about.calibration["full"].threshold == "recall=0.95"


def test_fields_and_the_whole_reply_of_a_head_that_answers_in_words(tmp_path: Path) -> None:
    model = saved("guesses", tmp_path / "head", [])
    outcome = calibrate("guesses", data=folder(tmp_path / "data", guess_rows(400)), model=model)
    assert list(outcome.record.names) == ["colour", "size", "reply"]
    assert all(isinstance(one, Platt) for one in outcome.calibration.maps.values())
    assert all(fitted.ece.after < 0.07 for fitted in outcome.record.names.values())  # type: ignore[operator]
    assert outcome.record.names["size"].ece.before > 0.7  # type: ignore[operator]
    assert not (model / "thresholds_full.json").exists()
    head = vlmkit.load("guesses", model=model)
    one = head.predict(text=guess_rows(1, seed=9)[0]["text"])
    assert set(one.confidence) == {"colour", "size", "reply"}
    assert one.uncalibrated["size"] < 0.06
    assert one.confidence["size"] == pytest.approx(0.8, abs=0.06)
    assert one.confidence["reply"] < one.confidence["colour"]


@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic"])
def test_every_method_is_applied_at_load_as_it_was_fitted(tones: Path, data: Path, method: Any) -> None:
    outcome = calibrate("tones", data=data, model=tones, method=method)
    head = vlmkit.load("tones", model=tones)
    p = outcome.calibration.map("reads").probabilities([[-0.5, 0.5]])[0, 1]
    assert head.predict(text="1.0").value.p == pytest.approx(p)  # type: ignore[union-attr]


def test_the_same_data_give_the_same_files(tones: Path, data: Path) -> None:
    calibrate("tones", data=data, model=tones)
    first = {path.name: path.read_bytes() for path in tones.iterdir() if path.is_file()}
    calibrate("tones", data=data, model=tones)
    assert {path.name: path.read_bytes() for path in tones.iterdir() if path.is_file()} == first


def test_pilot_lies_beside_full_and_is_asked_for_by_name(tones: Path, data: Path, tmp_path: Path) -> None:
    few = folder(tmp_path / "few", tone_rows(20, seed=3))
    outcome = calibrate("tones", data=few, model=tones, mode="pilot")
    assert any("only 20 samples (fewer than 30)" in warning for warning in outcome.warnings)
    with pytest.raises(CheckpointError, match="no calibration 'full'; it has: pilot"):
        vlmkit.load("tones", model=tones)
    assert vlmkit.load("tones", model=tones, calibration="none").beside.calibration is None
    calibrate("tones", data=data, model=tones)
    full, pilot = (vlmkit.load("tones", model=tones, calibration=mode) for mode in ("full", "pilot"))
    assert full.predict(text="2").confidence != pilot.predict(text="2").confidence
    with pytest.raises(UnknownNameError, match="pilot"):
        vlmkit.load("tones", model=tones, calibration="half")  # type: ignore[arg-type]


def test_a_head_without_any_calibration_says_so_where_it_has_thresholds(
    tones: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "vlmkit"):
        vlmkit.load("tones", model=tones)
    assert "is not calibrated: temperature 1, thresholds of .5" in caplog.text
    with pytest.raises(CheckpointError, match="no calibration 'pilot'; it has: none"):
        vlmkit.load("tones", model=tones, calibration="pilot")
    with pytest.raises(CheckpointError, match="come with none"):
        vlmkit.load("tones", weights="random", calibration="pilot")


# Refused, or counted


def test_samples_that_the_head_has_learned_from_are_refused_by_id_and_by_content(tmp_path: Path) -> None:
    rows = tone_rows(40)
    old = [Sample("s0-1", text="nothing else"), Sample("another name", text=rows[2]["text"])]
    model = saved("tones", tmp_path / "head", old)
    with pytest.raises(DataError, match=r"some of these 40 samples: 1 by id \(s0-1\), 1 by content \(s0-2\)"):
        calibrate("tones", data=folder(tmp_path / "data", rows), model=model)
    assert not list(model.glob("calibration_*"))
    outcome = calibrate("tones", data=tmp_path / "data", model=model, without_learned=True)
    assert (outcome.record.n, outcome.record.left_out) == (38, {"learned_from": 2})
    assert outcome.record.checked_against_training
    assert any(warning.startswith("2 of 40 samples could not be used: learned_from") for warning in outcome.warnings)


def test_nothing_is_left_where_all_was_learned_from(tmp_path: Path) -> None:
    rows = tone_rows(40)
    model = saved("tones", tmp_path / "head", [Sample(row["id"], text=row["text"]) for row in rows])
    with pytest.raises(DataError, match="none of these samples"):
        calibrate("tones", data=folder(tmp_path / "data", rows), model=model, without_learned=True)
    assert not list(model.glob("calibration_*"))


def test_a_head_without_a_record_is_calibrated_and_it_is_said(tmp_path: Path, data: Path) -> None:
    outcome = calibrate("tones", data=data, model=saved("tones", tmp_path / "head"))
    assert not outcome.record.checked_against_training
    assert outcome.warnings[0].startswith("cannot be checked")
    assert not open_checkpoint(tmp_path / "head").about.calibration["full"].checked_against_training


def test_a_record_with_gaps_refuses_what_it_knows_and_says_that_it_has_gaps(tmp_path: Path, data: Path) -> None:
    model = saved("tones", tmp_path / "head", [Sample("s0-1", text="x")])
    head = vlmkit.load("tones", model=model)
    head.beside = Beside(seen=head.beside.seen | Seen.unknown())  # type: ignore[operator]
    head.save_pretrained(tmp_path / "gaps")
    with pytest.raises(DataError, match="1 by id"):
        calibrate("tones", data=data, model=tmp_path / "gaps")
    other = folder(tmp_path / "other", tone_rows(60, seed=5))
    assert calibrate("tones", data=other, model=tmp_path / "gaps").warnings[0].startswith("cannot be checked")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{**row, "truth": "1"} for row in tone_rows(40)], "reads is not calibrated: all 40 samples are '1'"),
        (tone_rows(1), "1 samples: nothing can be fitted"),
        (tone_rows(4) + tone_rows(2), r"2 ids come more than once: s0-0, s0-1"),
        ([{**row, "truth": None} for row in tone_rows(4)], "4 samples and no truth"),
        ([*tone_rows(40), {"id": "broken", "text": "nan", "truth": "1"}], "logits of 1 of 41 samples are NaN"),
        ([*tone_rows(40), {"id": "endless", "text": "inf", "truth": "1"}], "logits of 1 of 41 samples are NaN or inf"),
        ([*tone_rows(40), {"id": "odd", "text": "1", "truth": "2"}], "sample 'odd' is of class '2'"),
    ],
)
def test_what_cannot_be_calibrated_with_is_refused(
    tones: Path, tmp_path: Path, rows: list[dict[str, Any]], message: str
) -> None:
    before = (tones / "vlmkit.json").read_bytes()
    with pytest.raises(DataError, match=message):
        calibrate("tones", data=folder(tmp_path / "bad", rows), model=tones)
    assert (tones / "vlmkit.json").read_bytes() == before
    assert not list(tones.glob("calibration_*"))


def test_samples_without_truth_or_answer_are_counted_and_said(tones: Path, tmp_path: Path) -> None:
    rows = tone_rows(60)
    rows[0]["truth"] = None
    rows += [{"id": "gone", "picture": str(tmp_path / "gone.png"), "truth": "1"}, {"id": "mute", "truth": "0"}]
    outcome = calibrate("tones", data=folder(tmp_path / "some", rows), model=tones)
    assert outcome.record.n == 59
    assert outcome.record.left_out["no_truth"] == 1
    assert sum(outcome.record.left_out.values()) == 3
    assert any(warning.startswith("3 of 62 samples could not be used") for warning in outcome.warnings)


def test_few_of_one_class_are_said(tones: Path, tmp_path: Path) -> None:
    rows = [{**row, "truth": str(int(index < 4))} for index, row in enumerate(tone_rows(50))]
    outcome = calibrate("tones", data=folder(tmp_path / "few", rows), model=tones)
    assert any("only 4 of 50 are '1'" in warning for warning in outcome.warnings)


def test_a_field_that_is_always_right_is_left_out_and_said(tmp_path: Path) -> None:
    rows = [{**row, "truth": {**row["truth"], "size": "small"}} for row in guess_rows(60)]
    outcome = calibrate("guesses", data=folder(tmp_path / "d", rows), model=saved("guesses", tmp_path / "m", []))
    assert set(outcome.record.names) == {"colour", "reply"}
    assert any(warning.startswith("size is not calibrated: all 60 samples are") for warning in outcome.warnings)
    head = vlmkit.load("guesses", model=tmp_path / "m")
    found = head.predict(text=rows[0]["text"])
    assert set(found.confidence) == {"colour", "reply"}
    assert set(found.uncalibrated) == {"colour", "size", "reply"}


def test_replies_without_token_probabilities_cannot_be_calibrated(tmp_path: Path) -> None:
    rows = [{**row, "text": json.dumps({"text": '{"colour":"red","size":"small"}'})} for row in guess_rows(8)]
    rows = [{**row, "text": row["text"] + " " * index} for index, row in enumerate(rows)]
    with pytest.raises(DataError, match="nothing to calibrate"):
        calibrate("guesses", data=folder(tmp_path / "d", rows), model=saved("guesses", tmp_path / "m", []))


def test_what_has_no_meaning_for_a_head_is_refused(tmp_path: Path, tones: Path, data: Path) -> None:
    model = saved("guesses", tmp_path / "m", [])
    guesses = folder(tmp_path / "g", guess_rows(20))
    with pytest.raises(VlmkitError, match="no threshold to choose"):
        calibrate("guesses", data=guesses, model=model, threshold="f1")
    with pytest.raises(UnknownNameError, match="isotonic"):
        calibrate("tones", data=data, model=tones, method="beta")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="pilot"):
        calibrate("tones", data=data, model=tones, mode="none")  # type: ignore[arg-type]


def test_a_precision_that_no_threshold_reaches_is_said_and_one_half_stays(tones: Path, tmp_path: Path) -> None:
    rows = [{**row, "truth": "1" if row["text"].startswith("-") else "0"} for row in tone_rows(80)]  # turned round
    outcome = calibrate("tones", data=folder(tmp_path / "odd", rows), model=tones, threshold=("precision", 1.0))
    assert outcome.record.names["reads"].threshold is None
    assert any("no threshold reaches a precision of 1" in warning for warning in outcome.warnings)
    assert vlmkit.load("tones", model=tones).predict(text="0.0").value.label == "1"  # type: ignore[union-attr]


def test_a_task_that_does_not_say_what_is_right_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = saved("guesses", tmp_path / "m", [])
    mute = calibrated.guesses()
    mute = replace(mute, scoring=replace(mute.scoring, fields=None, right=None))
    monkeypatch.setattr(calibrated, "guesses", lambda: mute)
    with pytest.raises(VlmkitError, match="Scoring `fields` or `right`"):
        calibrate("guesses", data=folder(tmp_path / "g", guess_rows(20)), model=model)


def test_members_are_calibrated_each_by_itself(tones: Path, tmp_path: Path) -> None:
    rows = [{**row, "bright": 125 + 5 * (index % 20)} for index, row in enumerate(tone_rows(200))]
    outcome = calibrate("tones", data=folder(tmp_path / "both", rows), model=tones)
    assert list(outcome.record.names) == ["reads", "sees"]
    maps = outcome.calibration.maps
    assert maps["reads"] != maps["sees"]
    head = vlmkit.load("tones", model=tones)
    with torch.inference_mode():
        found = head.predict(image=rows[3]["bright"] and calibrated._sample("tones", rows[3]).media["image"])  # type: ignore[arg-type]
    assert found.value is not None
    assert found.value.member == "sees"
    assert str(outcome).count("T = ") == 2


def test_a_field_that_is_right_less_often_the_surer_it_is_gets_no_map(tmp_path: Path) -> None:
    rows = guess_rows(400)
    for row in rows:
        row["truth"]["colour"] = "red" if json.loads(row["text"])["p"] < 0.75 else "blue"  # it says red
    model = saved("guesses", tmp_path / "m", [])
    outcome = calibrate("guesses", data=folder(tmp_path / "d", rows), model=model)
    assert "colour" not in outcome.calibration.maps
    assert any(one.startswith("colour is not calibrated: its slope would be -") for one in outcome.warnings)
    assert "colour" not in vlmkit.load("guesses", model=model).predict(text=rows[0]["text"]).confidence


def test_thresholds_are_chosen_by_macro_f1_if_nothing_else_is_said(tones: Path, data: Path) -> None:
    outcome = calibrate("tones", data=data, model=tones)
    told = {}
    for rule in ("macro-f1", "f1"):
        told[rule] = calibrate("tones", data=data, model=tones, threshold=rule).calibration.thresholds
    assert outcome.record.threshold == "macro-f1"
    assert outcome.calibration.thresholds == told["macro-f1"] != told["f1"]
