"""`vlmkit calibrate`, and the options that use what it made."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer.testing

from tests import calibrated
from tests.calibrated import folder, saved, tone_rows
from vlmkit.cli import app
from vlmkit.types import Sample

Run = Callable[..., Any]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line with the two tasks that can be calibrated."""
    calibrated.register(monkeypatch)

    def invoke(*arguments: object) -> Any:
        return typer.testing.CliRunner().invoke(app, [str(argument) for argument in arguments])

    return invoke


@pytest.fixture
def model(run: Run, tmp_path: Path) -> Path:
    return saved("tones", tmp_path / "head", [Sample("old", text="1 of old")])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return folder(tmp_path / "data", [{**row, "bright": 100 + index % 50} for index, row in enumerate(tone_rows(120))])


def test_it_prints_a_table_and_writes_the_files(run: Run, model: Path, data: Path) -> None:
    result = run("calibrate", "tones", "--data", data, "--model", model, "--device", "cpu")
    assert result.exit_code in (0, 1), result.stderr
    table = result.stdout.splitlines()
    assert table[0] == "tones: calibration 'full' on 120 samples of data"
    assert table[2].split()[:4] == ["name", "n", "positives", "map"]
    assert [line.split()[0] for line in table[4:6]] == ["reads", "sees"]
    assert "T = " in table[4]
    assert "ece" not in result.stdout  # for people, no JSON
    assert (model / "calibration_full.json").is_file()
    assert f"calibration 'full' is in {model}" in result.stderr


def test_warnings_make_the_exit_code_1(run: Run, model: Path, tmp_path: Path) -> None:
    few = folder(tmp_path / "few", tone_rows(20))
    result = run("calibrate", "tones", "--data", few, "--model", model, "--mode", "pilot", "--method", "platt")
    assert result.exit_code == 1
    assert "warning: reads: only 20 samples (fewer than 30)" in result.stdout
    assert "Platt " in result.stdout
    assert (model / "calibration_pilot.json").is_file()


def test_a_leak_is_refused_by_name_and_can_be_left_out(run: Run, model: Path, tmp_path: Path) -> None:
    leaking = folder(tmp_path / "leak", [*tone_rows(60), {"id": "old", "text": "2", "truth": "1"}])
    result = run("calibrate", "tones", "--data", leaking, "--model", model)
    assert result.exit_code == 3
    assert "1 by id (old)" in result.stderr
    assert result.stdout == ""
    again = run("calibrate", "tones", "--data", leaking, "--model", model, "--without-learned")
    assert "1 of 61 samples could not be used: learned_from × 1" in again.stdout


@pytest.mark.parametrize("rule", ["f2", "recall", "recall=", "recall=2", "precision=0", "recall=nan", "accuracy=0.5"])
def test_a_rule_that_is_none_is_wrong_usage(run: Run, model: Path, data: Path, rule: str) -> None:
    result = run("calibrate", "tones", "--data", data, "--model", model, "--threshold", rule)
    assert result.exit_code == 2
    assert "--threshold is f1, macro-f1, recall=R or precision=P" in result.stderr


def test_a_rule_is_kept_with_the_calibration(run: Run, model: Path, data: Path) -> None:
    assert run("calibrate", "tones", "--data", data, "--model", model, "--threshold", "recall=0.9").exit_code in (0, 1)
    kept = json.loads((model / "vlmkit.json").read_text(encoding="utf-8"))["calibration"]["full"]
    assert kept["threshold"] == "recall=0.9"
    assert kept["checked_against_training"] is True


def test_predict_applies_it_unless_told_otherwise(run: Run, model: Path, data: Path) -> None:
    run("calibrate", "tones", "--data", data, "--model", model)
    asked = ("predict", "tones", "--text", "3", "--model", model, "--format", "record")
    found, plain = (json.loads(run(*asked, *more).stdout) for more in ((), ("--calibration", "none")))
    assert found["uncalibrated"] == plain["confidence"]
    assert found["confidence"]["reply"] < plain["confidence"]["reply"]
    assert plain["uncalibrated"] == {}
    missing = run(*asked, "--calibration", "pilot")
    assert missing.exit_code == 3
    assert "it has: full" in missing.stderr


def test_predict_abstains_below_a_limit(run: Run, model: Path) -> None:
    asked = ("predict", "tones", "--text", "0.1", "--model", model, "--format", "record", "--abstain-below")
    result = run(*asked, "0.9")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["value"] is None
    assert "abstained: the answer is withheld: its confidence is 0.525, below 0.9" in result.stderr
    assert run(*asked, "0.5").exit_code == 0
    for limit in ("0", "1.5", "nan"):
        assert run(*asked, limit).exit_code == 2
