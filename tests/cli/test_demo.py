"""`vlmkit demo`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from vlmkit.testing.colours import colours
from vlmkit.testing.fakes import Colour, FakeHead
from vlmkit.types import Prediction, Problem, Sample


def truths(head: FakeHead, folder: Path, n: int = 6, seed: int = 20_250) -> list[Colour]:
    """What the demo is going to make."""
    head.task.synth(folder, n, seed, 1)
    return [sample.truth for sample in head.task.read(folder) if sample.truth is not None]


def test_truth_stands_beside_the_prediction(run: Run, head: FakeHead, tmp_path: Path) -> None:
    right = truths(head, tmp_path / "same")
    head.enqueue(Colour("red", 99), *right[1:])
    result = run("demo", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["id", "truth", "prediction", "accuracy", "near"]
    assert f"{right[0].name} · {right[0].frame}" in lines[2]
    assert "red · 99" in lines[2]
    assert lines[3].split()[-2:] == ["✓", "✓"]
    assert len(lines) == 2 + 6
    assert "synthetic data only" in result.stderr
    assert str(tmp_path / "out") in result.stderr


def test_the_engine_is_the_one_that_was_asked_for(
    run: Run, head: FakeHead, tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    head.enqueue(Colour("red", 1))
    run("demo", "-o", tmp_path / "out", "-n", 1, "--engine", "openai", "--server", "http://127.0.0.1:1/v1")
    assert (calls[0]["engine"], calls[0]["server"]) == ("openai", "http://127.0.0.1:1/v1")


def test_a_second_run_uses_the_same_samples(run: Run, head: FakeHead, tmp_path: Path) -> None:
    for _ in range(2):
        head.enqueue(*truths(head, tmp_path / f"same{_}", n=2))
        assert run("demo", "-o", tmp_path / "out", "-n", 2).exit_code == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["colours-2-seed-20250"]


def test_a_bad_sample_is_shown_without_an_answer(run: Run, head: FakeHead, tmp_path: Path) -> None:
    head.enqueue(Problem("refused", "would not", fatal=True), Colour("red", 1))
    result = run("demo", "-o", tmp_path / "out", "-n", 2)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[2].split()[-3:] == ["–", "✗", "✗"]


def test_the_tasks_own_picture_is_drawn(
    run: Run, head: FakeHead, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []

    def picture(pairs: Any, path: Path) -> None:
        drawn.append([(sample, prediction) for sample, prediction in pairs])
        path.write_bytes(b"a picture")

    task = dataclasses.replace(colours(), picture=picture)
    monkeypatch.setattr("vlmkit.testing.colours.colours", lambda: task)
    head.enqueue(Colour("red", 1), Colour("red", 2))
    result = run("demo", "-o", tmp_path / "out", "-n", 2)
    assert f"picture: {tmp_path}/out/demo.png" in result.stderr
    assert (tmp_path / "out" / "demo.png").is_file()
    sample, prediction = drawn[0][1]
    assert isinstance(sample, Sample)
    assert isinstance(prediction, Prediction)
    assert prediction.value == Colour("red", 2)


def test_an_unknown_preset_fails_before_anything_is_made(run: Run, tmp_path: Path) -> None:
    assert run("demo", "--preset", "tny", "-o", tmp_path / "out").exit_code == 2
    assert not (tmp_path / "out").exists()
