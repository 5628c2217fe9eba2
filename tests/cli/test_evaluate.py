"""`vlmkit evaluate`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from vlmkit.testing.fakes import Colour, FakeHead
from vlmkit.types import Problem


@pytest.fixture
def data(head: FakeHead, tmp_path: Path) -> Path:
    """Thirty samples with truth."""
    folder = tmp_path / "data"
    head.task.synth(folder, 30, 0, 1)
    return folder


def answers(head: FakeHead, data: Path, file: Path, *, wrong: int) -> Path:
    """A file of answers, the first few of them wrong."""
    lines = []
    for index, sample in enumerate(head.task.read(data)):
        assert sample.truth is not None
        frame = sample.truth.frame + (50 if index < wrong else 0)
        lines.append(json.dumps({"id": sample.id, "colour": sample.truth.name, "frame": frame}) + "\n")
    file.write_text("".join(lines), encoding="utf-8")
    return file


def test_a_head_is_scored_and_the_report_written(run: Run, head: FakeHead, data: Path, tmp_path: Path) -> None:
    head.enqueue(*(sample.truth for sample in head.task.read(data)))
    result = run("evaluate", "colours", "--data", data, "--preset", "tiny", "-o", tmp_path / "report")
    assert result.exit_code == 0, result.stderr
    assert "majority" in result.stdout
    saved = json.loads((tmp_path / "report" / "metrics.json").read_text(encoding="utf-8"))
    assert saved["metrics"]["accuracy"] == 1.0
    assert (saved["model"], saved["data"], saved["n"]) == ("preset tiny", str(data), 30)
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [
        "errors.csv",
        "metrics.json",
        "predictions.jsonl",
    ]


def test_samples_with_problems_give_code_1_and_nothing_else_code_3(
    run: Run, head: FakeHead, data: Path, tmp_path: Path
) -> None:
    refused = Problem("refused", "would not", fatal=True)
    head.enqueue(refused, *[Colour("red", 1)] * 29)
    assert run("evaluate", "colours", "--data", data, "-o", tmp_path / "r").exit_code == 1
    head.enqueue(*[refused] * 30)
    assert run("evaluate", "colours", "--data", data, "-o", tmp_path / "r").exit_code == 3


def test_answers_from_a_file_need_no_head(
    run: Run, head: FakeHead, data: Path, tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    file = answers(head, data, tmp_path / "mine.jsonl", wrong=3)
    result = run("evaluate", "colours", "--data", data, "--predictions", file, "-o", tmp_path / "r")
    assert result.exit_code == 0, result.stderr
    assert calls == []
    assert json.loads((tmp_path / "r" / "metrics.json").read_text(encoding="utf-8"))["metrics"]["accuracy"] == 1.0


@pytest.mark.parametrize("kind", ["same", "copy", "equal"])
def test_the_truth_is_refused_as_predictions(run: Run, head: FakeHead, data: Path, tmp_path: Path, kind: str) -> None:
    if kind == "equal":
        file = answers(head, data, tmp_path / "mine.jsonl", wrong=0)
    else:
        file = data / "manifest.jsonl"
    if kind == "copy":
        file = Path(shutil.copy(file, tmp_path / "mine.jsonl"))
    result = run("evaluate", "colours", "--data", data, "--predictions", file, "-o", tmp_path / "r")
    assert result.exit_code == 3
    assert "--model DIR" in result.stderr
    assert not (tmp_path / "r").exists()


def test_a_file_and_a_head_together_are_wrong_usage(run: Run, data: Path, tmp_path: Path) -> None:
    both = ["--predictions", tmp_path / "x.jsonl", "--model", "runs/x"]
    assert run("evaluate", "colours", "--data", data, *both, "-o", tmp_path / "r").exit_code == 2
