"""A run that was killed goes on: really killed, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

import vlmkit
from tests.training import toy
from vlmkit.errors import CheckpointError, VlmkitError
from vlmkit.training.callbacks import Moments
from vlmkit.training.loop import run_stage
from vlmkit.training.resume import Progress, finish, finished, last_checkpoint

ROOT = Path(__file__).parents[2]


def _train(data: Path, out: Path, *more: str, kill: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.training.toy", "train", "toys", "--data", str(data), "-o", str(out), *more]
    environment = {**os.environ, "VLMKIT_CACHE": str(out.parent / "cache"), "OMP_NUM_THREADS": "1"}
    if kill is not None:
        environment["TOY_KILL"] = kill
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def _losses(out: Path) -> dict[str, Any]:
    (run,) = json.loads((out / "vlmkit.json").read_text())["training"]
    return {stage["name"]: (stage["losses"], stage["validation"], stage["kept_step"]) for stage in run["stages"]}


def _ended_alike(whole: Path, broken: Path) -> None:
    assert sorted(path.name for path in broken.iterdir()) == sorted(path.name for path in whole.iterdir())
    one, other = _losses(whole), _losses(broken)
    assert one.keys() == other.keys()
    for name, (losses, validation, kept) in one.items():
        assert other[name][0] == [[step, pytest.approx(loss, rel=1e-4)] for step, loss in losses]
        assert [entry["loss"] for entry in other[name][1]] == pytest.approx([e["loss"] for e in validation], rel=1e-4)
        assert other[name][2] == kept
    for file in ("adapter_model.safetensors", "base/projector.safetensors", "base/aligner.safetensors"):
        first, second = load_file(whole / file), load_file(broken / file)
        assert all(second[name].allclose(value, rtol=1e-3, atol=1e-5) for name, value in first.items())


@pytest.mark.slow
def test_a_killed_run_ends_like_one_that_was_not(tmp_path: Path) -> None:
    data = toy.folder(tmp_path / "data", 40)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    done = _train(data, whole, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{whole}\n"
    # Killed in the first stage, then in the second one, then left alone.
    for moment, part in (("align:3", "0-align"), ("say:3", "1-say")):
        killed = _train(data, broken, "--device", "cpu", kill=moment)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert last_checkpoint(broken / "progress" / part) is not None
        assert not (broken / "vlmkit.json").exists()
    done = _train(data, broken, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert "stage align: was done already" in done.stderr
    assert "stage say: goes on after step" in done.stderr
    _ended_alike(whole, broken)
    assert _train(data, whole, "--device", "cpu").stderr.endswith("is not empty; name a new folder\n")


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    toy.register(monkeypatch)


def _interrupted(out: Path, data: Path, **options: Any) -> None:
    """A run that fails in its second stage."""
    with pytest.MonkeyPatch.context() as patch:

        def stops(model: Any, rows: Any, stage: Any, *more: Any, **keywords: Any) -> Any:
            if stage.name == "say":
                raise KeyboardInterrupt
            return run_stage(model, rows, stage, *more, **keywords)

        patch.setattr("vlmkit.training.run.run_stage", stops)
        with pytest.raises(KeyboardInterrupt):
            vlmkit.train("toys", data=data, out=out, device="cpu", max_steps=2, **options)


def test_a_run_that_was_stopped_in_the_middle_ends_like_one_that_was_not(
    toys: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    data, cache = toy.folder(tmp_path / "data", 40), tmp_path / "cache"
    whole = vlmkit.train("toys", data=data, out=tmp_path / "whole", device="cpu", cache=cache)
    with pytest.MonkeyPatch.context() as patch:
        saves = Moments.on_step_end

        def stops(self: Any, args: Any, state: Any, control: Any, **more: Any) -> None:
            if args.output_dir.endswith("1-say") and state.global_step == 13:
                raise KeyboardInterrupt
            saves(self, args, state, control, **more)

        patch.setattr(Moments, "on_step_end", stops)
        with pytest.raises(KeyboardInterrupt):
            vlmkit.train("toys", data=data, out=tmp_path / "broken", device="cpu", cache=cache)
    assert not (tmp_path / "broken" / "vlmkit.json").exists()
    with caplog.at_level("INFO", "vlmkit"):
        broken = vlmkit.train("toys", data=data, out=tmp_path / "broken", device="cpu", cache=cache)
    assert {"stage align: was done already", "stage say: goes on after step 12"} <= set(caplog.messages)
    _ended_alike(whole, broken)


def test_other_arguments_are_refused_with_what_differs(toys: None, tmp_path: Path) -> None:
    data, out = toy.folder(tmp_path / "data", 12), tmp_path / "out"
    _interrupted(out, data)
    with pytest.raises(CheckpointError, match=r"progress of another run \(seed: 0 there, 1 given\)"):
        vlmkit.train("toys", data=data, out=out, device="cpu", max_steps=2, seed=1)
    with pytest.raises(CheckpointError, match=r"\(max_steps: 2 there, 3 given\)"):
        vlmkit.train("toys", data=data, out=out, device="cpu", max_steps=3)
    (data / "toys.json").write_text(json.dumps({"n": 12, "seed": 5}))
    with pytest.raises(CheckpointError, match="truth_sha256"):
        vlmkit.train("toys", data=data, out=out, device="cpu", max_steps=2)
    (data / "toys.json").write_text(json.dumps({"n": 12, "seed": 0}))
    assert vlmkit.train("toys", data=data, out=out, device="cpu", max_steps=2) == out
    assert not (out / "progress").exists()
    assert vlmkit.load(out, device="cpu").task.name == "toys"


def test_a_folder_with_something_else_is_refused(toys: None, tmp_path: Path) -> None:
    data, out = toy.folder(tmp_path / "data", 12), tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("keep me")
    with pytest.raises(CheckpointError, match="not empty"):
        vlmkit.train("toys", data=data, out=out, device="cpu", max_steps=1)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


def test_a_stop_while_the_head_is_moved_is_survived(tmp_path: Path) -> None:
    progress = Progress.open(tmp_path / "out", {"seed": 0})
    head = progress.head()
    (head / "base").mkdir(parents=True)
    (head / "base" / "weights").write_text("new")
    (head / "vlmkit.json").write_text("new")
    (progress.out / "base").mkdir()  # moved by the process that was stopped
    (progress.out / "base" / "old").write_text("old")
    progress.publish()
    assert sorted(path.name for path in progress.out.rglob("*")) == ["base", "vlmkit.json", "weights"]


def test_half_a_checkpoint_is_not_gone_on_from(tmp_path: Path) -> None:
    for step, state in ((5, '{"global_step": 5}'), (10, '{"global_st'), (15, None)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if state is not None:
            (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(state)
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-5"
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-5"]


def test_damaged_weights_of_a_stage_are_refused(tmp_path: Path) -> None:
    finish(tmp_path / "0-a", {"name": "a"}, {})
    assert finished(tmp_path / "0-a") == ({"name": "a"}, {})
    assert finished(tmp_path / "1-b") is None
    (tmp_path / "0-a" / "done.safetensors").write_bytes(b"half")
    with pytest.raises(CheckpointError, match="damaged"):
        finished(tmp_path / "0-a")


def test_validation_data_are_given_or_held_out(toys: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, val = toy.folder(tmp_path / "data", 20), toy.folder(tmp_path / "val", 6, seed=9)
    with pytest.raises(VlmkitError, match="6 samples are in data and in val, the first is 's000'"):
        vlmkit.train("toys", data=data, val=val, out=tmp_path / "a", device="cpu", max_steps=1)
    (val / "toys.json").write_text(json.dumps({"n": 6, "seed": 9, "start": 100}))
    out = vlmkit.train("toys", data=data, val=val, out=tmp_path / "b", device="cpu", max_steps=1)
    assert [vlmkit.load(out).provenance["training"][0]["data"][name] for name in ("samples", "val_samples")] == [20, 6]
    out = vlmkit.train("toys", data=data, val_share=0.3, out=tmp_path / "c", device="cpu", max_steps=1)
    (run,) = vlmkit.load(out).provenance["training"]
    assert run["data"]["samples"] + run["data"]["val_samples"] == 20
    assert run["data"]["val_samples"] > 2
    monkeypatch.setattr(toy, "STAGES", (toy.SEE,))
    with pytest.raises(VlmkitError, match="no stage of this preset validates"):
        vlmkit.train("toys", data=data, val=val, out=tmp_path / "d", device="cpu", max_steps=1)


def test_alignment_needs_no_truth_and_answers_do(toys: None, tmp_path: Path) -> None:
    data = toy.folder(tmp_path / "data", 20, truth=False)
    out = vlmkit.train("toys", data=data, out=tmp_path / "a", stage="align", device="cpu", max_steps=1)
    assert (out / "base" / "aligner.safetensors").is_file()
    with pytest.raises(VlmkitError, match="20 samples have no truth to learn from"):
        vlmkit.train("toys", data=data, out=tmp_path / "b", device="cpu", max_steps=1)
