"""`vlmkit evaluate`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from vlmkit.testing.fakes import COLOURS, Colour, FakeHead
from vlmkit.types import Prediction, Problem, Sample


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
        "report.html",
    ]


def test_the_report_says_who_answered(run: Run, head: FakeHead, data: Path, tmp_path: Path) -> None:
    head.enqueue(*[Colour("red", 1)] * 30)
    run("evaluate", "colours", "--data", data, "-o", tmp_path / "r", "--adapter", "lora", "--engine", "vllm")
    saved = json.loads((tmp_path / "r" / "metrics.json").read_text(encoding="utf-8"))
    assert saved["model"] == "preset huge + lora, engine vllm"


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


def saved(folder: Path) -> Any:
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def test_a_folder_with_other_things_is_left_alone(
    run: Run, data: Path, tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years", encoding="utf-8")
    result = run("evaluate", "colours", "--data", data, "-o", tmp_path / "mine")
    assert result.exit_code == 3
    assert "holds other things than a report, and is left as it is" in result.stderr
    assert calls == []  # known before a head is loaded
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_no_truth_at_all_is_known_before_a_head_is_loaded(
    run: Run, data: Path, tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    rows = [json.loads(line) for line in (data / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    lines = [json.dumps({key: value for key, value in row.items() if key != "truth"}) + "\n" for row in rows]
    (data / "manifest.jsonl").write_text("".join(lines), encoding="utf-8")
    result = run("evaluate", "colours", "--data", data, "-o", tmp_path / "r")
    assert result.exit_code == 3
    assert "30 samples and no truth to compare with" in result.stderr
    assert calls == []


def test_two_files_of_answers_are_compared(run: Run, head: FakeHead, data: Path, tmp_path: Path) -> None:
    good = answers(head, data, tmp_path / "good.jsonl", wrong=2)
    poor = answers(head, data, tmp_path / "poor.jsonl", wrong=20)
    run("evaluate", "colours", "--data", data, "--predictions", poor, "-o", tmp_path / "poor")
    both = ["--predictions", good, "--against", tmp_path / "poor"]
    result = run("evaluate", "colours", "--data", data, *both, "-o", tmp_path / "r")
    assert result.exit_code == 0, result.stderr
    (found,) = saved(tmp_path / "r")["comparisons"]
    assert (found["first"], found["second"], found["n"]) == (str(good), str(tmp_path / "poor"), 30)
    near = found["differences"]["near"]
    assert near["first"] > near["second"]
    assert near["interval"][0] > 0
    assert near["better"] == 1.0
    assert "30 samples, 1000 paired resamples" in result.stdout
    copy = ["--predictions", good, "--against", data / "manifest.jsonl"]
    assert run("evaluate", "colours", "--data", data, *copy, "-o", tmp_path / "r").exit_code == 3


@pytest.fixture
def seeing(head: FakeHead, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A head that reads the colour from the bytes of the film, and is wrong about every tenth."""

    def look(samples: Iterable[Sample], batch_size: int = 8) -> Iterator[Prediction[Colour]]:
        for sample in samples:
            words = Path(str(sample.media["video"].source)).read_text(encoding="utf-8").split()
            yield Prediction(sample.id, Colour(words[0], int(words[1])))

    for place, sample in enumerate(head.task.read(data)):
        film, truth = Path(str(sample.media["video"].source)), sample.truth
        assert isinstance(truth, Colour)
        name = truth.name if place % 10 else COLOURS[COLOURS.index(truth.name) - 1]
        film.write_bytes(f"{name} {truth.frame:02d} ".encode().ljust(40, b"."))
    monkeypatch.setattr(head, "predict_many", look)


@pytest.mark.usefixtures("seeing")
def test_sanity_passes_an_honest_head_and_stops_a_leak(run: Run, head: FakeHead, data: Path, tmp_path: Path) -> None:
    # The colours were drawn by seed 0, and so would those of the baseline that guesses.
    result = run("evaluate", "colours", "--data", data, "--sanity", "--seed", 1, "-o", tmp_path / "r")
    checks = {one["name"]: one for one in saved(tmp_path / "r")["sanity"]}
    assert checks["hidden truth"]["detail"].startswith("30 samples were asked again")
    assert [one["detail"] for one in checks.values() if not one["passed"]] == []
    assert result.exit_code == 0, result.stderr

    def cheat(samples: Iterable[Sample], batch_size: int = 8) -> Iterator[Prediction[Colour]]:
        yield from (Prediction(sample.id, sample.truth or Colour("red", 1)) for sample in samples)

    head.predict_many = cheat  # type: ignore[method-assign]
    result = run("evaluate", "colours", "--data", data, "--sanity", "-o", tmp_path / "r")
    assert result.exit_code == 1
    assert "THE CHECK 'hidden truth' FAILED" in result.stdout
    assert saved(tmp_path / "r")["warnings"][0].startswith("the check 'hidden truth' failed: ")


@pytest.mark.usefixtures("seeing")
def test_robustness_is_written_and_needs_a_head(run: Run, head: FakeHead, data: Path, tmp_path: Path) -> None:
    result = run("evaluate", "colours", "--data", data, "--robustness", "-o", tmp_path / "r")
    assert result.exit_code == 0, result.stderr
    rows = saved(tmp_path / "r")["robustness"]
    assert {row["disturbance"]: row["left_out"] for row in rows}["without video"] == {"video is required": 30}
    file = answers(head, data, tmp_path / "mine.jsonl", wrong=3)
    result = run("evaluate", "colours", "--data", data, "--predictions", file, "--robustness", "-o", tmp_path / "s")
    assert result.exit_code == 2


def test_samples_that_the_head_knows_are_said(run: Run, head: FakeHead, data: Path, tmp_path: Path) -> None:
    head.known = ("the head has learned from 3 of these 30 samples",)
    head.enqueue(*(sample.truth for sample in head.task.read(data)))
    result = run("evaluate", "colours", "--data", data, "-o", tmp_path / "report")
    assert "warning: the head has learned from 3 of these 30 samples" in result.stdout
    saved = json.loads((tmp_path / "report" / "metrics.json").read_text(encoding="utf-8"))
    assert saved["warnings"][0] == head.known[0]


def test_problems_of_samples_are_said_by_name(run: Run, head: FakeHead, data: Path, tmp_path: Path) -> None:
    first, *rest = [sample.truth for sample in head.task.read(data)]
    head.enqueue(first, Problem("missing", "there is no such file", "video", fatal=True), *rest[1:])
    result = run("evaluate", "colours", "--data", data, "-o", tmp_path / "r")
    name = [sample.id for sample in head.task.read(data)][1]
    said = [line for line in result.stderr.splitlines() if line.startswith("vlmkit: ")]
    assert said == [
        f"vlmkit: {name}: missing: there is no such file",
        f"vlmkit: report in {tmp_path / 'r'}",
    ]


def test_of_many_problems_some_are_said_and_the_file_with_the_others(
    run: Run, head: FakeHead, data: Path, tmp_path: Path
) -> None:
    truths = [sample.truth for sample in head.task.read(data)]
    head.enqueue(*[Problem("missing", "there is no such file", fatal=True)] * 25, *truths[25:])
    result = run("evaluate", "colours", "--data", data, "-o", tmp_path / "r")
    assert result.stderr.count(": missing: there is no such file\n") == 20
    assert f"vlmkit: and 5 more: see {tmp_path / 'r' / 'errors.csv'}\n" in result.stderr
    listed = (tmp_path / "r" / "errors.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert len([line for line in listed if ",missing," in line]) == 25


def test_problems_of_answers_that_are_right_are_not_promised_in_a_file(
    run: Run, head: FakeHead, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def notes(samples: Iterable[Sample], batch_size: int = 8) -> Iterator[Prediction[Any]]:
        yield from (Prediction(one.id, one.truth, problems=(Problem("dark", "hard to see"),)) for one in samples)

    monkeypatch.setattr(head, "predict_many", notes)
    result = run("evaluate", "colours", "--data", data, "-o", tmp_path / "r")
    assert "vlmkit: and 10 more: see " in result.stderr
    assert "(all but 10 samples, of which vlmkit predict tells)" in result.stderr
