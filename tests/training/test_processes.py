"""Two CPU processes give what one gives: the same losses, and one head."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.training import toy
from vlmkit.errors import DataError, VlmkitError
from vlmkit.training import processes
from vlmkit.training.align import AlignLearner
from vlmkit.training.data import prepare
from vlmkit.training.features import join
from vlmkit.training.objectives import SftLearner

ROOT = Path(__file__).parents[2]


def _train(launcher: list[str], data: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [*launcher, "-m", "tests.training.toy", "train", "toys", "--data", str(data), "-o", str(out)]
    command += ["--device", "cpu"]
    environment = {**os.environ, "VLMKIT_CACHE": str(out.parent / f"{out.name}-cache"), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def _told(out: Path) -> list[dict[str, Any]]:
    (run,) = json.loads((out / "vlmkit.json").read_text())["training"]
    return list(run["stages"])


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one(tmp_path: Path) -> None:
    data = toy.folder(tmp_path / "data", 41)
    alone, together = tmp_path / "alone", tmp_path / "together"
    # With --cpu accelerate starts one process, unless MPI is there; --multi_gpu starts two, whatever they compute on.
    accelerate = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    accelerate += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    accelerate += ["--main_process_port", "0"]
    for launcher, out in (([sys.executable], alone), (accelerate, together)):
        done = _train(launcher, data, out)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count(f"{out}\n") == 1  # one of them speaks
        assert done.stderr.count("features: ") == 1
    assert sorted(path.name for path in alone.iterdir()) == sorted(path.name for path in together.iterdir())
    for one, other in zip(_told(alone), _told(together), strict=True):
        assert other["losses"] == [[step, pytest.approx(loss, rel=1e-4)] for step, loss in one["losses"]]
        assert other["kept_step"] == one["kept_step"]
        for a, b in zip(one["validation"], other["validation"], strict=True):
            assert b == pytest.approx(a, rel=1e-4)
    for file in ("adapter_model.safetensors", "base/projector.safetensors", "base/aligner.safetensors"):
        first, second = load_file(alone / file), load_file(together / file)
        assert all(second[name].allclose(value, rtol=1e-3, atol=1e-5) for name, value in first.items())


@pytest.mark.parametrize("objective", ["align", "sft"])
def test_gradients_of_shares_are_those_of_the_batch(objective: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The same without processes: what each of two would compute, averaged as distributed training does.
    def made() -> Any:
        model = toy.model()
        if objective == "align":
            model.train_roles(("aligner",))
            return AlignLearner(model, toy.ALIGN, ())
        stage = replace(toy.SAY, roles=("projector",))
        model.train_roles(stage.roles)
        return SftLearner(model, stage, ())

    rows, _ = prepare(toy.model(), toy.samples(8), [toy.ALIGN])
    items = rows.items
    whole = made()
    loss = whole([row.prepared for row in items], join([row.kept for row in items]))["loss"]
    loss.backward()
    shares, losses = [], []
    halves = (items[:4], items[4:])
    sums = {4: _tokens(made(), halves)} if objective == "sft" else {}
    for number in (0, 1):
        learner = made()
        _pretend(monkeypatch, learner, number, halves, sums)
        part = learner([row.prepared for row in halves[number]], join([row.kept for row in halves[number]]))["loss"]
        part.backward()
        losses.append(part.item())
        shares.append({name: p.grad for name, p in learner.named_parameters() if p.grad is not None})
        monkeypatch.undo()
    assert sum(losses) / 2 == pytest.approx(loss.item(), rel=1e-5)
    for name, parameter in whole.named_parameters():
        if parameter.grad is not None:
            mean = sum(share.get(name, torch.zeros_like(parameter)) for share in shares) / 2
            assert torch.allclose(mean, parameter.grad, rtol=1e-3, atol=1e-6), name


def _tokens(learner: Any, halves: Any) -> int:
    return sum(learner.scored([row.prepared for row in half], join([row.kept for row in half])).n for half in halves)


def _pretend(patch: pytest.MonkeyPatch, learner: Any, number: int, halves: Any, sums: dict[int, int]) -> None:
    """Be one of two processes; the other's rows are computed here, without gradient."""
    patch.setattr(processes, "count", lambda: 2)
    patch.setattr(processes, "number", lambda: number)
    patch.setattr(processes, "total", lambda n, device: sums[4])
    other = halves[1 - number]
    found: dict[str, list[torch.Tensor]] = {}
    if isinstance(learner, AlignLearner):
        with torch.no_grad():
            kept: list[torch.Tensor] = []
            patch.setattr(processes, "stacked", lambda rows: kept.append(rows) or rows)  # type: ignore[func-returns-value]
            learner._vectors([row.prepared for row in other], join([row.kept for row in other]))
        found["others"] = kept

    def stacked(rows: torch.Tensor) -> torch.Tensor:
        own = rows.detach() + 2 * (rows - rows.detach()) if rows.requires_grad else rows
        theirs = found["others"].pop(0)
        return torch.cat([own, theirs] if number == 0 else [theirs, own])

    patch.setattr(processes, "stacked", stacked)


def test_alone_every_call_is_free() -> None:
    rows = torch.randn(3, 2, requires_grad=True)
    assert processes.stacked(rows) is rows
    assert (processes.count(), processes.number(), processes.first()) == (1, 0, True)
    assert processes.collected([1, 2]) == [1, 2]
    assert processes.told("x") == "x"
    assert processes.by_first(lambda: 3) == 3
    assert processes.join("auto") == "auto"
    processes.leave()


def test_a_failure_of_the_first_is_everybodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "count", lambda: 2)
    said: list[Any] = []
    monkeypatch.setattr(processes, "told", lambda value: said.append(value) or value)  # type: ignore[func-returns-value]
    monkeypatch.setattr(processes, "number", lambda: 0)

    def fails() -> None:
        raise DataError("no samples")

    with pytest.raises(DataError, match="no samples"):
        processes.by_first(fails)
    assert said == ["no samples"]
    monkeypatch.setattr(processes, "number", lambda: 1)
    monkeypatch.setattr(processes, "told", lambda value: "no samples")
    with pytest.raises(VlmkitError, match="no samples"):
        processes.by_first(fails)


def test_slurm_hands_the_cpus_on_to_its_step(tmp_path: Path) -> None:
    # Since Slurm 22.05 srun takes --cpus-per-task from its own line only, and a step without it has one CPU.
    said = tmp_path / "said"
    for name, does in (("srun", f'printf "%s\\n" "$@" > "{said}"'), ("scontrol", "echo node1")):
        stub = tmp_path / name
        stub.write_text(f"#!/usr/bin/env bash\n{does}\n")
        stub.chmod(0o755)
    slurm = {"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "node1", "SLURM_CPUS_PER_TASK": "12"}
    environment = {**os.environ, **slurm, "SLURM_SUBMIT_DIR": str(tmp_path)}
    environment["PATH"] = f"{tmp_path}{os.pathsep}{environment['PATH']}"
    subprocess.run(["bash", str(ROOT / "examples/slurm/train.sbatch"), "toys"], env=environment, check=True)
    line = said.read_text().splitlines()
    assert "--cpus-per-task=12" in line[: line.index("bash")]
