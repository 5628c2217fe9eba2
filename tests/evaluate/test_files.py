"""Reading predictions, and refusing the truth itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.evaluate.sure import SCORING, Spam
from vlmkit.errors import DataError
from vlmkit.evaluate import guard_same_file, guard_self_comparison, read_predictions
from vlmkit.testing.fakes import Colour, colours
from vlmkit.types import Prediction, Sample

TASK = colours()
RECORDS = [{"id": "a", "colour": "red", "frame": 1}, {"id": "b", "colour": "黄色", "frame": 2}]


def test_jsonl_and_json_read_the_same(tmp_path: Path) -> None:
    lines, document = tmp_path / "p.jsonl", tmp_path / "p.json"
    lines.write_text("\n".join(json.dumps(record) for record in RECORDS) + "\n\n", encoding="utf-8")
    document.write_text(json.dumps(RECORDS), encoding="utf-8-sig")
    expected = [Prediction("a", Colour("red", 1)), Prediction("b", Colour("黄色", 2))]
    assert read_predictions(TASK, lines) == expected
    assert read_predictions(TASK, document) == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.jsonl", b'{"id": "a"}', r"p\.jsonl:1: not a record of task 'colours'"),
        ("p.jsonl", b'{"id": "a", "colour": "red", "frame": 1}\n{"id', r"p\.jsonl:2: not JSON"),
        ("p.jsonl", b'{"id": "a", "colour": "pink", "frame": 1}', "wanted a name of red"),
        ("p.jsonl", b"[1]", "not a record"),
        ("p.jsonl", b"[" * 100_000, "not JSON"),
        ("p.json", b'{"id": "a"}', "one list of records"),
        ("p.json", b'[{"id": "a"}]', r"p\.json\[0\]"),
        ("p.json", b"\xff\xfe\x00", "not UTF-8"),
    ],
)
def test_a_broken_file_is_refused_with_the_place(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_predictions(TASK, tmp_path / name)


def test_a_missing_file_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_predictions(TASK, tmp_path / "nothing.jsonl")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    TASK.synth(folder, 8, 0, 1)
    return folder


def test_the_truth_file_itself_is_refused(data: Path) -> None:
    with pytest.raises(DataError, match=r"a file of the data itself.*--model DIR"):
        guard_same_file(data / "manifest.jsonl", data)


def test_a_link_to_the_truth_is_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "link.jsonl").symlink_to(data / "manifest.jsonl")
    with pytest.raises(DataError, match="a file of the data itself"):
        guard_same_file(tmp_path / "link.jsonl", data)


def test_a_copy_of_the_truth_is_refused(data: Path, tmp_path: Path) -> None:
    shutil.copy(data / "manifest.jsonl", tmp_path / "mine.jsonl")
    with pytest.raises(DataError, match=r"the same bytes as .*manifest\.jsonl"):
        guard_same_file(tmp_path / "mine.jsonl", data)


def test_a_missing_predictions_file_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file of predictions"):
        guard_same_file(tmp_path / "none.jsonl", data)


def test_another_file_passes(data: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text("{}\n", encoding="utf-8")
    guard_same_file(tmp_path / "mine.jsonl", data)


def truth(n: int) -> list[Sample]:
    return [Sample(f"s{i}", truth=Colour("red", i)) for i in range(n)]


def copied(samples: list[Sample]) -> list[Prediction[Colour]]:
    return [Prediction(sample.id, sample.truth) for sample in reversed(samples)]


def test_five_answers_all_equal_to_the_truth_are_refused_in_any_order() -> None:
    samples = truth(5)
    with pytest.raises(DataError, match="all 5 answers equal the truth"):
        guard_self_comparison(samples, copied(samples))


def test_a_stranger_among_copies_does_not_hide_them() -> None:
    samples = truth(6)
    with pytest.raises(DataError, match="all 6 answers equal the truth"):
        guard_self_comparison(samples, [*copied(samples), Prediction("stranger", Colour("red", 7))])


def test_four_answers_or_one_difference_pass() -> None:
    guard_self_comparison(truth(4), copied(truth(4)))
    samples = truth(6)
    guard_self_comparison(samples, [*copied(samples[1:]), Prediction("s0", Colour("red", 7))])


def test_a_part_of_the_truth_is_refused_too() -> None:
    with pytest.raises(DataError, match="all 6 answers"):
        guard_self_comparison(truth(20), copied(truth(6)))


def test_one_call_guards_files_and_answers(data: Path) -> None:
    with pytest.raises(DataError, match="a file of the data itself"):
        guard_self_comparison([], [], file=data / "manifest.jsonl", data=data)


def test_a_copy_under_another_name_is_known_by_its_certainty() -> None:
    """The truth rewritten as a model's answer: not equal to it, and as certain of every class."""
    truths = [Spam("yes" if index % 2 else "no", "en", float(index % 2)) for index in range(8)]
    samples = [Sample(f"s{index}", text="hi", truth=truth) for index, truth in enumerate(truths)]
    rewritten = [Spam(truth.label, "de", truth.p) for truth in truths]
    copies = [Prediction(sample.id, value) for sample, value in zip(samples, rewritten, strict=True)]
    guard_self_comparison(samples, copies)
    with pytest.raises(DataError, match="all 8 answers equal the truth"):
        guard_self_comparison(samples, copies, scoring=SCORING)
    unsure = [Spam(value.label, "de", abs(value.p - 0.02)) for value in rewritten]
    answers = [Prediction(sample.id, value) for sample, value in zip(samples, unsure, strict=True)]
    guard_self_comparison(samples, answers, scoring=SCORING)
