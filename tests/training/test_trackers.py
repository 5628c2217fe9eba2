"""Trackers that somebody can open afterwards: local stores, nothing sent anywhere."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import vlmkit
from tests.training import toy
from vlmkit.errors import MissingExtraError, UnknownNameError, VlmkitError
from vlmkit.training import trackers
from vlmkit.training.trackers import Trackers, flattened


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    toy.register(monkeypatch)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return toy.folder(tmp_path / "data", 30)


def _train(data: Path, out: Path, *names: str) -> dict[str, Any]:
    vlmkit.train("toys", data=data, out=out, device="cpu", max_steps=4, report_to=names)
    (run,) = json.loads((out / "vlmkit.json").read_text())["training"]
    return dict(run["trackers"])


def test_an_unknown_tracker_and_one_that_is_not_installed_are_refused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnknownNameError, match="unknown tracker 'mlfow'; did you mean 'mlflow'"):
        _train(data, tmp_path / "out", "mlfow")
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"'wandb' is not installed; type: pip install 'vlmkit\[wandb\]'"):
        _train(data, tmp_path / "out", "wandb")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """MLflow's client on a database file of its own."""
    mlflow = pytest.importorskip("mlflow")
    kept = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "toys of mine")
    yield mlflow.MlflowClient()
    mlflow.set_tracking_uri(kept)


# MLflow 3.17's own use of SQLAlchemy 2.1.
mlflow_warns = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")


@mlflow_warns
def test_mlflow_and_the_checkpoint_name_each_other(data: Path, tmp_path: Path, store: Any) -> None:
    out = tmp_path / "out"
    ids = _train(data, out, "mlflow")["mlflow"]
    assert ids["experiment"] == "toys of mine"
    parent = store.get_run(ids["run_id"])
    digest = hashlib.sha256((out / "vlmkit.json").read_bytes()).hexdigest()
    for run in (parent, *map(store.get_run, ids["stages"].values())):
        assert run.info.status == "FINISHED"
        assert run.data.tags["vlmkit.checkpoint"] == str(out.resolve())
    assert parent.data.tags["vlmkit.checkpoint_sha256"] == digest
    assert parent.data.params["task"] == "toys"
    assert parent.data.params["samples.samples"] == "28"
    assert len(parent.data.params["samples.truth_sha256"]) == 64
    assert int(parent.data.params["parameters.llm"]) > int(parent.data.params["parameters.lora"]) > 0
    assert {"align/val_R_at_1", "align/val_loss", "say/loss", "say/val_loss"} <= set(parent.data.metrics)
    assert list(ids["stages"]) == ["align", "say"]
    align, say = (store.get_run(ids["stages"][name]) for name in ("align", "say"))
    assert align.data.tags["mlflow.parentRunId"] == say.data.tags["mlflow.parentRunId"] == ids["run_id"]
    assert (align.data.params["rates.aligner"], say.data.params["rates.projector"]) == ("0.01", "0.001")
    assert [point.step for point in store.get_metric_history(say.info.run_id, "loss")] == [1, 2, 3, 4]
    assert {"val/loss", "val/audio-to-text/R_at_1", "val/audio-to-text/chance_MRR"} <= set(align.data.metrics)


@mlflow_warns
def test_a_resumed_run_is_the_same_run_and_a_failed_one_says_so(
    data: Path, tmp_path: Path, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr("vlmkit.training.run.trained", lambda model, stage: 1 / 0)  # at the end of the first stage
        with pytest.raises(ZeroDivisionError):
            _train(data, out, "mlflow")
    ids = json.loads((out / "progress" / "trackers.json").read_text())["mlflow"]
    assert store.get_run(ids["run_id"]).info.status == "FAILED"
    again = _train(data, out, "mlflow")["mlflow"]
    assert again["run_id"] == ids["run_id"]
    assert again["stages"]["align"] == ids["stages"]["align"]
    assert store.get_run(ids["run_id"]).info.status == "FINISHED"
    assert len(store.search_runs([store.get_run(ids["run_id"]).info.experiment_id])) == 3


def test_tensorboard_files_lie_beside_the_checkpoint(data: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out = tmp_path / "out"
    ids = _train(data, out, "tensorboard")
    assert ids == {"tensorboard": {"folder": "out-tensorboard"}}
    stage = EventAccumulator(str(tmp_path / "out-tensorboard" / "say"))
    stage.Reload()
    assert [point.step for point in stage.Scalars("loss")] == [1, 2, 3, 4]
    assert {"learning_rate/lora", "learning_rate/projector", "val/loss"} <= set(stage.Tags()["scalars"])
    assert vlmkit.load(out, device="cpu").task.name == "toys"  # nothing of it is in the checkpoint


def test_wandb_offline_sends_nothing_and_keeps_everything(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    ids = _train(data, tmp_path / "out", "wandb")["wandb"]
    assert ids["project"] == "vlmkit"
    wandb.teardown()  # its own process writes, and is waited for
    (record,) = (tmp_path / "wandb").glob(f"offline-run-*-{ids['run_id']}/run-{ids['run_id']}.wandb")
    written = record.read_bytes()
    for text in (
        b"say/val/loss",
        b"align/val/audio-to-text/R@1",
        b"vlmkit.checkpoint_sha256",
        b"say.rates.lora",
        b"say/kept/val_loss",
    ):
        assert text in written


def test_a_service_that_does_not_answer_costs_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Deaf:
        """Hears nothing."""

        def log(self, step: int, values: dict[str, float]) -> None:
            assert values == {"loss": 1.0}  # what is no finite number is not sent
            raise ConnectionError("nobody there")

        def over(self, name: str, values: dict[str, float]) -> None:
            raise ConnectionError("nobody there")

        def end(self, error: BaseException | None, facts: dict[str, str]) -> None:
            raise ConnectionError("nobody there")

    every = Trackers((), tmp_path, {})
    every._all["deaf"] = Deaf()  # type: ignore[assignment]
    with caplog.at_level(logging.WARNING):
        every.log(3, {"loss": 1.0, "bad": float("nan"), "text": "x"})
        every.over("say", {"loss": 1.0})
        every.end()
    assert caplog.messages == [
        "deaf does not take the figures of step 3: nobody there",
        "deaf does not take what stage say came to: nobody there",
        "deaf was not told that the run is over: nobody there",
    ]


def test_nested_facts_become_names() -> None:
    assert flattened({"a": {"b": 1, "c": {"d": None}}, "e": (1, 2)}) == {"a.b": "1", "a.c.d": "None", "e": "(1, 2)"}


def test_a_service_that_goes_down_between_stages_costs_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Down:
        def begin(self, title: str, facts: Mapping[str, Any]) -> None:
            raise ConnectionError("no route")

        def stage(self, name: str, facts: Mapping[str, Any], step: int) -> None:
            raise ConnectionError("no route")

    every = trackers.Trackers((), tmp_path, {})
    every._all["mlflow"] = Down()  # type: ignore[assignment]
    with caplog.at_level("WARNING", "vlmkit"):
        every.stage("align", {}, 0)
    assert "mlflow does not take stage align: no route" in caplog.text
    with pytest.raises(VlmkitError, match="mlflow does not take this run: no route; leave --report-to mlflow out"):
        every.begin("x", {})
