"""Answers of a task's own files, joined by id or by the name of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from vlmkit.errors import DataError
from vlmkit.evaluate import evaluate, guard_same_file, read_answers
from vlmkit.task import Answered, Task
from vlmkit.testing.fakes import Colour, colours
from vlmkit.types import Clip, Prediction, Problem, Sample

RED = Colour("red", 1)


def told(key: str, by: Literal["id", "file"] = "file") -> Answered[Colour]:
    return Answered(key, by, RED, confidence={"reply": 0.5})


def task(*answers: Answered[Colour]) -> Task[Colour]:
    def read(path: Path) -> Sequence[Answered[Colour]]:
        del path
        return answers

    return replace(colours(), answers=read)


def sample(name: str, file: str) -> Sample:
    return Sample(name, {"video": Clip(Path(file))}, truth=RED)


SAMPLES = [sample("a", "data/one/goal.mp4"), sample("b", "data/two/goal.mp4"), sample("c", "data/two/card.v2.mp4")]


def joined(*answers: Answered[Colour]) -> list[str]:
    return [one.sample_id for one in read_answers(task(*answers), "run.json", SAMPLES)[0]]


def test_ids_come_first_and_nothing_is_said() -> None:
    found, notes = read_answers(task(told("b", "id"), told("a", "id")), "run.json", SAMPLES)
    assert found == [Prediction(name, RED, confidence={"reply": 0.5}) for name in ("b", "a")]
    assert notes == ()


@pytest.mark.parametrize("key", ["card.v2.mp4", "card.v2", "/elsewhere/card.v2.mp4", r"C:\films\card.v2.mp4"])
def test_else_the_name_of_the_file_joins_and_that_is_said(key: str) -> None:
    found, notes = read_answers(task(told(key), told("a", "id")), "run.json", SAMPLES)
    assert [one.sample_id for one in found] == ["c", "a"]
    assert notes == (f"1 of 2 answers were joined by the name of their file, and not by id: {key}",)


def test_an_id_that_no_sample_has_may_be_the_name_of_a_file() -> None:
    assert joined(told("card.v2", "id")) == ["c"]


def test_of_one_name_in_two_folders_the_path_decides() -> None:
    assert joined(told("/mnt/one/goal.mp4"), told("two/goal.mp4")) == ["a", "b"]


def test_a_name_that_fits_two_samples_is_refused() -> None:
    with pytest.raises(DataError, match=r"run\.json: an answer is about 'goal\.mp4', and so are 2 samples: a, b"):
        joined(told("goal.mp4"))


def test_two_answers_about_one_sample_are_refused() -> None:
    with pytest.raises(DataError, match=r"card\.v2\.mp4 and c are both about sample 'c'"):
        joined(told("card.v2.mp4"), told("c", "id"))


def test_another_suffix_is_another_file_and_strangers_keep_their_names() -> None:
    assert joined(told("card.avi"), told("nobody", "id")) == ["card.avi", "nobody"]


def test_no_answer_is_told_with_its_reason() -> None:
    failed = Answered[Colour]("c", "id", None, Problem("failed", "out of memory", fatal=True))
    answers, _ = read_answers(task(told("a", "id"), failed), "run.json", SAMPLES)
    report = evaluate(colours(), SAMPLES, answers)
    assert report.failures == {"missing": 1, "failed": 1}
    assert report.metrics["accuracy"] == pytest.approx(1 / 3)
    assert {one.sample_id: one.problems for one in report.wrong} == {"b": ("missing",), "c": ("failed",)}


def test_other_tasks_have_records(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"id": "a", "colour": "red", "frame": 1}\n', encoding="utf-8")
    assert read_answers(colours(), tmp_path / "p.jsonl", SAMPLES) == ([Prediction("a", RED)], ())


def test_a_folder_of_answers_must_not_be_the_data_or_hold_copies_of_it(tmp_path: Path) -> None:
    data, mine = tmp_path / "data", tmp_path / "mine"
    colours().synth(data, 4, 0, 1)
    mine.mkdir()
    (mine / "one_analysis.json").write_text("[]", encoding="utf-8")
    guard_same_file(mine, data)
    with pytest.raises(DataError, match="the data itself"):
        guard_same_file(data, data)
    (mine / "two.jsonl").write_bytes((data / "manifest.jsonl").read_bytes())
    with pytest.raises(DataError, match="the same bytes as"):
        guard_same_file(mine, data)
