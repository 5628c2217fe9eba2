"""`vlmkit evaluate football --predictions`: a run file, a folder of files a film, and lines."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from vlmkit.cli import app
from vlmkit.cli.guard import SOME_PROBLEMS
from vlmkit.errors import DataError
from vlmkit.evaluate import Report, evaluate, read_answers
from vlmkit.evaluate.contract import plain
from vlmkit.evaluate.page.cases import cards
from vlmkit.types import Prediction
from vlmkit_plugins.football.data import write_manifest
from vlmkit_plugins.football.head import task
from vlmkit_plugins.football.schema import parse_events

GOAL = {"description": "Player #7 in blue scores.", "start_time": "0:0:2", "end_time": "0:0:6", "event": "Goal"}
CARD = {**GOAL, "description": "A red card for player #3.", "start_time": "0:0:8", "end_time": "0:0:12"} | {
    "event": "Red Card"
}
LATE = {**GOAL, "start_time": "00:03", "end_time": "6.0 s", "event": "goal"}  # as later programs write


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four clips in two folders; nothing happens in the last one. Films are not opened, as answers are given."""
    folder = tmp_path / "data"
    folder.mkdir()
    truths = {"one/a.mp4": [GOAL], "two/a.mp4": [GOAL, CARD], "one/b.mp4": [CARD], "one/c.mp4": []}
    write_manifest(
        folder,
        (
            {"id": f"clip-{place}", "video": video, "truth": truth}
            for place, (video, truth) in enumerate(truths.items())
        ),
    )
    for video in truths:
        (folder / video).parent.mkdir(exist_ok=True)
        (folder / video).write_bytes(b"")
    return folder


def row(video: str, events: list[dict[str, str]], **more: Any) -> dict[str, Any]:
    model = {"base_model": "base", "lora_adapter": None, "adapter_name": None}
    stamp = {"generation_time": 1.5, "model_info": model, "timestamp": "2025-10-01 12:00:00"}
    return {"video_path": video, "analysis": events, **stamp, **more}


RUN = [
    row("/mnt/one/a.mp4", [LATE]),
    row("/mnt/two/a.mp4", [GOAL]),
    {"video_path": "/mnt/one/b.mp4", "error": "out of memory", "timestamp": "2025-10-01 12:00:00"},
    row("/mnt/one/c.mp4", []),
]


def score(data: Path, predictions: Path) -> Report:
    known = task()
    samples = list(known.read(data))
    answers, told = read_answers(known, predictions, samples)
    report = evaluate(known, samples, answers)
    return replace(report, warnings=(*told, *report.warnings))


def check(report: Report, failed: dict[str, int]) -> None:
    """Two of four events are found, one answer is missing, and the empty clip is known."""
    assert report.metrics["recall@0.5"] == pytest.approx(2 / 4)
    assert report.metrics["precision@0.5"] == 1.0
    assert report.metrics["empty_right"] == 1.0
    assert report.metrics["start_error_s"] == 0.5
    assert (report.n, report.failures) == (4, failed)
    (events,) = (one for one in report.fields if one.elements)
    assert {one.label: (one.n, one.right) for one in events.rows} == {"Goal": (2, 2), "Red Card": (2, 0)}


def test_a_run_file_is_joined_by_file_and_says_so(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "batch_analysis_results.json"
    file.write_text(json.dumps(RUN), encoding="utf-8")
    other = tmp_path / "other"
    other.mkdir()
    (other / "one_analysis.json").write_text(json.dumps(row("two/a.mp4", [GOAL, CARD])), encoding="utf-8")
    given = {"--data": data, "--predictions": file, "--against": other, "-o": tmp_path / "report"}
    said = ["evaluate", "football", *(str(word) for pair in given.items() for word in pair)]
    result = CliRunner().invoke(app, said)
    assert result.exit_code == SOME_PROBLEMS
    assert "clip-2: failed: out of memory" in result.stderr
    for line in ("4 of 4 answers were joined by the name of their file", "2 of 2 answered events have no confidence"):
        assert line in result.stdout
    found = json.loads((tmp_path / "report" / "metrics.json").read_text(encoding="utf-8"))
    check(report := score(data, file), {"failed": 1})
    assert found["metrics"] == plain(report.metrics)
    compared = found["comparisons"][0]
    assert (compared["second"], len(compared["missing_second"])) == (str(other), 3)
    assert compared["differences"]["recall@0.5"]["difference"] == pytest.approx(0.0)  # two of four each
    of_other = [line for line in found["warnings"] if line.startswith(str(other))]
    assert len(of_other) == 2 and "1 of 1 answers were joined" in of_other[0]
    assert "2 of 2 answered events have no confidence" in of_other[1]
    again = score(data, tmp_path / "report" / "predictions.jsonl")  # the report's own answers, which have ids
    assert again.metrics == pytest.approx(report.metrics, nan_ok=True)
    assert not any("joined by" in line for line in again.warnings)


def test_a_folder_of_files_a_film(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    for name, one in zip(("a", "two_a", "b", "c"), RUN, strict=True):
        (folder / f"{name}_analysis.json").write_text(json.dumps(one), encoding="utf-8")
    check(score(data, folder), {"failed": 1})


def test_lines_are_joined_by_id(data: Path, tmp_path: Path) -> None:
    lines = [
        {"id": "clip-3", "events": []},
        {"id": "clip-0", "events": [LATE]},
        {"id": "clip-1", "events": [GOAL], "confidence": {"0.event": 0.9}},
        {"id": "clip-2", "problems": [{"code": "truncated", "message": "the reply was cut"}]},
    ]
    file = tmp_path / "predictions.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    report = score(data, file)
    check(report, {"truncated": 1})
    assert not any("joined by" in line for line in report.warnings)
    assert any("1 of 2 answered events have no confidence" in line for line in report.warnings)


def test_answered_events_that_are_none_are_false_alarms(data: Path, tmp_path: Path) -> None:
    foul = {**GOAL, "event": "Foul"}
    run = [row("one/a.mp4", [GOAL, foul]), row("two/a.mp4", [GOAL, CARD]), row("b.mp4", [CARD]), row("c.mp4", [foul])]
    file = tmp_path / "batch_analysis_results.json"
    file.write_text(json.dumps(run), encoding="utf-8")
    report = score(data, file)
    assert report.metrics["precision@0.5"] == pytest.approx(4 / 6)
    assert (report.metrics["recall@0.5"], report.metrics["false_alarms"]) == (1.0, 2 / 4)
    assert (report.metrics["exact@0.5"], report.metrics["empty_right"]) == (2 / 4, 0.0)
    assert report.metrics["tIoU"] == pytest.approx((2 / 3 + 1 + 1 + 0) / 4)
    (events,) = (one for one in report.fields if one.elements)
    assert {one.label: (one.n, one.predicted) for one in events.rows}["left out"] == (0, 2)
    report.save(tmp_path / "report")
    again = score(data, tmp_path / "report" / "predictions.jsonl")
    assert again.metrics == pytest.approx(report.metrics, nan_ok=True)


def test_a_film_without_an_answer_counts_as_wrong(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "batch_analysis_results.json"
    file.write_text(json.dumps([RUN[0], RUN[1], RUN[3]]), encoding="utf-8")
    check(score(data, file), {"missing": 1})


def test_a_name_that_two_films_have_is_refused(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "batch_analysis_results.json"
    file.write_text(json.dumps([row("a.mp4", [GOAL])]), encoding="utf-8")
    with pytest.raises(DataError, match=r"'a\.mp4', and so are 2 samples: clip-0, clip-1"):
        score(data, file)


def test_a_missed_event_does_not_make_those_behind_it_wrong(data: Path) -> None:
    (sample,) = [sample for sample in task().read(data) if len(sample.truth.root if sample.truth else ()) == 2]
    report = evaluate(task(), [sample], [Prediction(sample.id, parse_events([CARD], "answer"))])
    (card,) = cards(report)
    assert [(line.path, line.truth, line.answer) for line in card.wrong] == [("event", "Goal", "–")]
    assert not [line for line in card.lines if line.wrong and line.truth == line.answer]
