"""Stages whose layers are thrown away: samples without their labels are trained without them, and it is said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import vlmkit
from tests.training import toy
from vlmkit.errors import CheckpointError, DataError
from vlmkit.training.auxiliary import teachable
from vlmkit.training.data import Rows, prepare
from vlmkit.training.loop import run_stage
from vlmkit.training.stage import Stage

BLIND = replace(toy.SEE, labels=lambda sample: {"image": {}}, label_names=("picture", "tone"))
STILL = replace(toy.SEE, name="look", objective="probe", labels=None, label_at=lambda sample, time_s: None)
STAGES = (BLIND, toy.ALIGN, replace(toy.SAY, lora=toy.LORA))


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> Sequence[Stage]:
    toy.register(monkeypatch)
    monkeypatch.setattr(toy, "STAGES", STAGES)
    return STAGES


def _train(data: Path, out: Path, **options: Any) -> Path:
    return vlmkit.train("toys", data=data, out=out, device="cpu", max_steps=2, cache=data.parent / "cache", **options)


def _warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]


def test_a_stage_without_labels_is_left_out_of_the_whole_plan_and_said_once(
    stages: Sequence[Stage], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = _train(toy.folder(tmp_path / "data", 20), tmp_path / "out")
    (said,) = _warned(caplog)
    assert said.startswith(
        "stage see: left out: none of the 18 samples has the labels that it learns from (meta 'picture', 'tone')."
    )
    (run,) = json.loads((out / "vlmkit.json").read_text())["training"]
    assert [stage["name"] for stage in run["stages"]] == ["align", "say"]
    assert list(run["data"]["stages_left_out"]) == ["see"]
    assert vlmkit.load(out, device="cpu").task.name == "toys"


def test_a_stage_with_labels_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.register(monkeypatch)
    monkeypatch.setattr(toy, "STAGES", (toy.SEE, *STAGES[1:]))
    out = _train(toy.folder(tmp_path / "data", 20), tmp_path / "out")
    (run,) = json.loads((out / "vlmkit.json").read_text())["training"]
    assert [stage["name"] for stage in run["stages"]] == ["see", "align", "say"]
    assert "stages_left_out" not in run["data"]


@pytest.mark.parametrize("asked", ["see", "attributes"])
def test_asked_for_by_name_it_is_an_error_that_says_which_labels_are_missing(
    stages: Sequence[Stage], tmp_path: Path, asked: str
) -> None:
    with pytest.raises(DataError, match=r"'see': none of the 20 samples has .* \(meta 'picture', 'tone'\); bring") as e:
        _train(toy.folder(tmp_path / "data", 20), tmp_path / "out", stage=asked)
    assert "--stage" in str(e.value)
    assert not (tmp_path / "out").exists()  # and nothing is in the way of the next try
    _train(tmp_path / "data", tmp_path / "out")


def test_a_plan_of_nothing_else_is_an_error() -> None:
    rows, _ = prepare(toy.model(), toy.samples(4), [BLIND])
    with pytest.raises(DataError, match="none of the 4 samples"):
        teachable([BLIND, STILL], rows, asked=False)


def test_a_probe_without_a_timeline_is_left_out_too() -> None:
    rows: Rows = prepare(toy.model(), toy.samples(4), [toy.ALIGN])[0]
    kept, reasons = teachable([STILL, toy.ALIGN], rows, asked=False)
    assert [stage.name for stage in kept] == ["align"]
    assert reasons == {"look": "none of the 4 samples has the labels that it learns from"}


def test_a_run_whose_stage_was_left_out_goes_on(
    stages: Sequence[Stage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    data, out = toy.folder(tmp_path / "data", 20), tmp_path / "out"
    with monkeypatch.context() as patch:

        def stops(model: Any, rows: Any, stage: Any, *more: Any, **keywords: Any) -> Any:
            if stage.name == "say":
                raise KeyboardInterrupt
            return run_stage(model, rows, stage, *more, **keywords)

        patch.setattr("vlmkit.training.run.run_stage", stops)
        with pytest.raises(KeyboardInterrupt):
            _train(data, out)
    assert (out / "progress").is_dir()  # a stage is over: that is worth keeping
    with pytest.raises(CheckpointError, match="progress of another run"):
        _train(data, out, seed=1)
    assert (out / "progress").is_dir()
    with caplog.at_level("INFO", "vlmkit"):
        _train(data, out)
    assert "stage align: was done already" in caplog.messages
    (run,) = json.loads((out / "vlmkit.json").read_text())["training"]
    assert [stage["name"] for stage in run["stages"]] == ["align", "say"]
    assert list(run["data"]["stages_left_out"]) == ["see"]


def test_a_run_that_fails_before_its_first_step_is_not_in_the_way(
    stages: Sequence[Stage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = toy.folder(tmp_path / "data", 20), tmp_path / "out"
    out.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr("vlmkit.training.learner.MeanLearner.forward", _fails)
        patch.setattr("vlmkit.training.align.AlignLearner.forward", _fails)
        with pytest.raises(DataError, match="nothing to learn from in a batch"):
            _train(data, out)
    assert list(out.iterdir()) == []  # the folder was the user's own
    _train(data, out, seed=1)


def _fails(*arguments: Any, **keywords: Any) -> Any:
    raise DataError("nothing to learn from in a batch")
