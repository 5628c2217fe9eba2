"""The two files of a calibration, in both variants, and what is wrong with a damaged one."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from vlmkit.calibration import Calibration, Isotonic, Map, Platt, Temperature
from vlmkit.calibration.files import modes, read
from vlmkit.errors import CheckpointError

# As earlier systems wrote them.
TEMPERATURES = {"text_expert": 0.406, "vision_expert": 1.648, "mm_fusion": 0.736}
THRESHOLDS = {"text_expert": {"abuse_hate": 0.35, "best_f1": 0.2}, "vision_expert": {"abuse_hate": 0.5}}


def write(folder: Path, **files: Any) -> Path:
    for name, data in files.items():
        (folder / f"{name}.json").write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return folder


def test_the_plain_files_are_read_with_and_without_best_f1(tmp_path: Path) -> None:
    found = read(write(tmp_path, calibration_pilot=TEMPERATURES, thresholds_pilot=THRESHOLDS), "pilot")
    assert found is not None
    assert found.map("mm_fusion") == Temperature(0.736)
    assert found.threshold("text_expert") == found.threshold("text_expert", "abuse_hate") == 0.35
    assert found.threshold("vision_expert") == 0.5
    assert read(tmp_path, "full") is None
    assert modes(tmp_path) == ("pilot",)


def test_what_is_not_there_changes_nothing(tmp_path: Path) -> None:
    found = Calibration({}, {})
    assert found.map("mm_fusion") == Temperature(1.0)
    assert found.threshold("mm_fusion") == 0.5
    assert found.threshold("mm_fusion", "offensive") == 0.5


def test_temperatures_stay_a_flat_file(tmp_path: Path) -> None:
    paths = Calibration({"a": Temperature(0.5)}, {"a": {"hate": 0.25, "best_f1": 1.0}}, "pilot").write(tmp_path)
    assert [path.name for path in paths] == ["calibration_pilot.json", "thresholds_pilot.json"]
    assert json.loads(paths[0].read_text(encoding="utf-8")) == {"a": 0.5}
    assert json.loads(paths[1].read_text(encoding="utf-8")) == {"a": {"hate": 0.25, "best_f1": 1.0}}


def test_every_kind_of_map_comes_back(tmp_path: Path) -> None:
    maps: dict[str, Map] = {
        "a": Temperature(2.0),
        "b.c": Platt((1.5,), (-0.2,)),
        "reply": Isotonic(((0.1, 0.9),), ((0.0, 1.0),)),
    }
    given = Calibration(maps)
    assert [path.name for path in given.write(tmp_path)] == ["calibration_full.json"]
    assert read(tmp_path) == given


def test_a_missing_file_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "vlmkit"):
        found = read(write(tmp_path, thresholds_full=THRESHOLDS))
    assert found is not None
    assert found.map("text_expert") == Temperature(1.0)
    assert "calibration_full.json is missing" in caplog.text


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"calibration_full": "{"}, "not JSON"),
        ({"calibration_full": "[]"}, "wanted an object"),
        ({"calibration_full": {"mm_fusion": -0.4}}, "mm_fusion: a temperature is a number above 0"),
        ({"calibration_full": '{"mm_fusion": NaN}'}, "mm_fusion: a temperature"),
        ({"thresholds_full": {"mm_fusion": 0.5}, "calibration_full": {}}, "mm_fusion: wanted {label: threshold}"),
        ({"thresholds_full": {"mm_fusion": {"hate": 1.5}}, "calibration_full": {}}, "mm_fusion.hate: wanted a number"),
    ],
)
def test_a_damaged_file_is_named_with_its_entry(tmp_path: Path, files: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        read(write(tmp_path, **files))


def test_two_labels_have_to_be_told_apart() -> None:
    found = Calibration({}, {"mm_fusion": {"hate": 0.2, "offensive": 0.7}})
    assert found.threshold("mm_fusion", "offensive") == 0.7
    with pytest.raises(CheckpointError, match="hate, offensive"):
        found.threshold("mm_fusion")
