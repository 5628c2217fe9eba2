"""What a report writes and shows."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.evaluate.sure import SCORING, Spam, answered, messages, task
from vlmkit.errors import DataError
from vlmkit.evaluate import Report, evaluate, guard_folder, read_predictions
from vlmkit.evaluate.contract import contract
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


def test_a_room_s_own_columns_list_every_sample(tmp_path: Path) -> None:
    def columns(sample: Sample, prediction: Prediction[Spam] | None) -> dict[str, object]:
        said = prediction.value if prediction else None
        return {"index": sample.id, "said": said.label if said else "", **({"p": said.p} if said else {})}

    samples = [*messages(3), Sample("blank")]
    report = evaluate(task(replace(SCORING, columns=columns)), samples, [Prediction("m001", Spam("no", "en", 0.25))])
    with (report.save(tmp_path) / "errors.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["index", "said", "p"],
            ["m000", "", ""],
            ["m001", "no", "0.25"],
            ["m002", "", ""],
            ["blank", "", ""],
        ]


def test_a_record_without_an_id_is_given_one_to_be_read_again(tmp_path: Path) -> None:
    samples = messages(8)
    answers = answered(samples)
    file = evaluate(task(), samples, answers).save(tmp_path) / "predictions.jsonl"
    assert json.loads(file.read_text(encoding="utf-8").splitlines()[0]).keys() == {"id", "label", "tongue", "p"}
    assert [(one.sample_id, one.value) for one in read_predictions(task(), file)] == [
        (one.sample_id, one.value) for one in answers
    ]


def test_everything_is_in_metrics_json_without_nan(tmp_path: Path) -> None:
    samples = messages(40)
    report = evaluate(task(), samples, answered(samples))
    saved = json.loads((report.save(tmp_path) / "metrics.json").read_text(encoding="utf-8"))
    assert [one["name"] for one in saved["fields"]] == ["label", "tongue"]
    assert saved["fields"][0]["rows"][0].keys() >= {"label", "n", "right", "f1", "f1_interval", "recall", "precision"}
    assert [one["name"] for one in saved["reliability"]] == ["reply", "label", "tongue"]
    assert saved["risk"][0]["aurc"] == report.risk[0][1].aurc
    assert saved["thresholds"][0]["name"] == "yes"
    assert {row["slice"] for row in saved["slices"]["tongue"]} == {"en", "de"}
    assert "Brier" in saved["lower_is_better"]
    assert saved["sanity"] == saved["robustness"] == saved["comparisons"] == []


def test_a_long_risk_curve_is_thinned_in_the_file_and_keeps_its_ends() -> None:
    samples = messages(300)
    report = evaluate(task(), samples, answered(samples))
    (saved,) = (one for one in contract(report)["risk"] if one["name"] == "label")
    curve = dict(report.risk)["label"]
    assert len(saved["coverage"]) == len(saved["thresholds"]) == 128
    assert (saved["coverage"][-1], saved["thresholds"][0]) == (1.0, curve.thresholds[0])


def test_an_older_report_is_overwritten_and_nothing_else(report: Report, tmp_path: Path) -> None:
    report.save(tmp_path / "r")
    report.save(tmp_path / "r")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "metrics.json").write_text('{"loss": 1}', encoding="utf-8")
    with pytest.raises(DataError, match="other: holds other things than a report, and is left as it is"):
        report.save(tmp_path / "other")
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["metrics.json"]
    with pytest.raises(DataError, match=r"metrics\.json: a folder for the report was wanted, and this is a file"):
        report.save(tmp_path / "r" / "metrics.json")
    with pytest.raises(DataError, match=r"metrics\.json: a folder for the report was wanted, and this is a file"):
        guard_folder(tmp_path / "r" / "metrics.json" / "new" / "folder")  # before anything is asked


def test_without_jinja_the_page_is_left_out_and_an_old_one_goes(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (report.save(tmp_path) / "report.html").is_file()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    report.save(tmp_path)
    assert not (tmp_path / "report.html").exists()
    saved = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert saved["warnings"][-1].startswith("report.html is left out: 'jinja2' is not installed; type: pip install")


def test_cases_hold_every_sample_the_worst_first(report: Report, samples: list[Sample]) -> None:
    assert len(report.cases) == 40
    assert [case.sample.id for case in report.cases[:2]] == ["s1", "s0"]  # no answer, then a wrong one
    sure = [
        replace(one, confidence={"reply": p}) for p, one in zip((0.6, 0.9, 0.7), answered(messages(3)), strict=True)
    ]
    wrong = [replace(one, value=Spam("no" if one.value and one.value.label == "yes" else "yes")) for one in sure]
    found = evaluate(task(replace(SCORING, probabilities=None)), messages(3), [*wrong[:2], sure[2]])
    order = [case.prediction.confidence["reply"] for case in found.cases if case.prediction]
    right = [one.outcome.metrics["accuracy"] for one in found.cases]
    assert right == sorted(value or 0.0 for value in right)
    assert order[:2] == sorted(order[:2], reverse=right[:2] == [0.0, 0.0])


def test_a_report_says_itself_in_one_line(report: Report) -> None:
    assert repr(report) == "Report('colours', n=40, model='runs/mine', data='data/test')"


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
