"""What a report writes and shows."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from vlmkit.evaluate import Report, evaluate, read_predictions
from vlmkit.evaluate.table import text_table
from vlmkit.testing.fakes import Colour, colours
from vlmkit.types import Prediction, Problem, Sample

TASK = colours()


@pytest.fixture
def samples() -> list[Sample]:
    return [Sample(f"s{i}", truth=Colour("黄色" if i % 3 else "red", 1 + i)) for i in range(40)]


@pytest.fixture
def predictions(samples: list[Sample]) -> list[Prediction[Colour]]:
    answers: list[Prediction[Colour]] = [Prediction(sample.id, sample.truth) for sample in samples[2:]]
    wrong = Prediction("s0", Colour("green", 90), (Problem("truncated", "cut"),))
    return [wrong, Prediction[Colour]("s1", None, (Problem("media_empty", "no frame", fatal=True),)), *answers]


@pytest.fixture
def report(samples: list[Sample], predictions: list[Prediction[Colour]]) -> Report:
    return evaluate(TASK, samples, predictions, model="runs/mine", data="data/test")


def test_metrics_json_keeps_the_contract(report: Report, tmp_path: Path) -> None:
    saved = json.loads((report.save(tmp_path / "deep" / "report") / "metrics.json").read_text(encoding="utf-8"))
    assert list(saved)[:7] == ["task", "n", "metrics", "intervals", "baselines", "model", "data"]
    assert saved["task"] == "colours"
    assert saved["n"] == 40
    assert saved["metrics"]["accuracy"] == pytest.approx(38 / 40)
    low, high = saved["intervals"]["accuracy"]
    assert low <= 38 / 40 <= high
    assert set(saved["baselines"]["majority"]) == {"accuracy", "near", "score"}
    assert (saved["model"], saved["data"]) == ("runs/mine", "data/test")
    assert saved["failures"] == {"truncated": 1, "media_empty": 1}


def test_undefined_figures_are_null(tmp_path: Path) -> None:
    samples = [Sample("a", truth=Colour("red", 0)), Sample("b", truth=Colour("green", 0))]
    report = evaluate(TASK, samples, [Prediction("a", Colour("red", 0))])
    text = (report.save(tmp_path) / "metrics.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    assert json.loads(text)["metrics"] == {"accuracy": 0.5, "near": 0.0, "score": 0.25}
    report = evaluate(TASK, samples, [Prediction(s.id, s.truth) for s in samples])
    saved = json.loads((report.save(tmp_path) / "metrics.json").read_text(encoding="utf-8"))
    assert saved["metrics"]["near"] is None
    assert saved["intervals"]["near"] == [None, None]


def test_predictions_are_written_as_the_task_writes_them_and_score_the_same_again(
    report: Report, samples: list[Sample], tmp_path: Path
) -> None:
    file = report.save(tmp_path) / "predictions.jsonl"
    text = file.read_text(encoding="utf-8")
    assert json.loads(text.splitlines()[0]) == {"id": "s0", "colour": "green", "frame": 90}
    assert "黄色" in text
    again = evaluate(TASK, samples, read_predictions(TASK, file))
    assert again.metrics == report.metrics
    assert again.intervals == report.intervals


def test_errors_csv_names_truth_answer_and_problem(report: Report, tmp_path: Path) -> None:
    with (report.save(tmp_path) / "errors.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"id": "s0", "truth": "red", "answer": "green", "problems": "truncated", "accuracy": "0", "near": "0"},
        {"id": "s1", "truth": "黄色", "answer": "", "problems": "media_empty", "accuracy": "0", "near": "0"},
    ]


def test_an_id_that_is_no_text_is_written_all_the_same(tmp_path: Path) -> None:
    """Names of files may hold bytes that are no UTF-8; Python carries them as lone surrogates."""
    samples = [Sample("\udcff", truth=Colour("red", 1))]
    evaluate(TASK, samples, [Prediction("\udcff", Colour("green", 1))]).save(tmp_path)
    (line,) = (tmp_path / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["id"] == "\udcff"


def test_the_table_holds_baselines_beside_every_figure(report: Report) -> None:
    lines = str(report).splitlines()
    header = next(line for line in lines if line.startswith("metric"))
    assert header.split() == [
        "metric",
        "value",
        "95",
        "%",
        "interval",
        "n",
        "constant",
        "majority",
        "chance",
        "shuffled",
    ]
    accuracy = next(line for line in lines if line.startswith("accuracy"))
    assert "0.950" in accuracy
    assert " 40 " in accuracy
    assert "truncated × 1" in str(report)
    assert "runs/mine" in lines[0]


def test_html_is_escaped() -> None:
    report = Report("t", 1, {"<b>": 1.0}, {}, {}, warnings=("a < b",))
    html = report._repr_html_()
    assert "&lt;b&gt;" in html
    assert "a &lt; b" in html


def test_wide_letters_keep_columns_in_line() -> None:
    lines = text_table(["label", "n"], [["黄色", "1"], ["red", "10"]]).splitlines()
    assert lines == ["label   n", "─────  ──", "黄色    1", "red    10"]
