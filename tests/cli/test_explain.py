"""`vlmkit explain`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from vlmkit.errors import VlmkitError
from vlmkit.testing.colours import Colour, colours
from vlmkit.testing.fakes import FakeHead
from vlmkit.types import Problem, Sample


@pytest.fixture
def explaining(monkeypatch: pytest.MonkeyPatch, head: FakeHead) -> FakeHead:
    """The fake task explains: it says what was answered, and writes the file."""

    def explain(head: Any, sample: Sample, file: Path | None) -> Mapping[str, Any]:
        answer = head.predict(text=sample.text, id=sample.id, video=sample.media.get("video"))
        if answer.value is None:
            raise VlmkitError(f"{sample.id}: there is no answer to explain")
        if file is not None:
            file.write_bytes(b"a picture")
        return {"sample_id": sample.id, "answer": answer.value.name, "text": sample.text}

    task = dataclasses.replace(colours(), explain=explain)
    monkeypatch.setattr("vlmkit.testing.colours.colours", lambda: task)
    return head


def test_it_prints_json_and_draws_where_asked(run: Run, explaining: FakeHead, film: Path, tmp_path: Path) -> None:
    explaining.enqueue(Colour("red", 1))
    result = run("explain", "colours", "--video", film, "-o", tmp_path / "why.png", "--preset", "tiny")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) == {"sample_id": "film", "answer": "red", "text": None}
    assert (tmp_path / "why.png").read_bytes() == b"a picture"


def test_letters_stay_letters(run: Run, explaining: FakeHead, film: Path) -> None:
    explaining.enqueue(Colour("red", 1))
    result = run("explain", "colours", "--video", film, "--text", "שלום 猫")
    assert '"text": "שלום 猫"' in result.stdout


def test_an_answer_that_is_not_there_is_not_explained(
    run: Run, explaining: FakeHead, film: Path, tmp_path: Path
) -> None:
    explaining.enqueue(Problem("refused", "would not", fatal=True))
    result = run("explain", "colours", "--video", film, "-o", tmp_path / "why.png")
    assert result.exit_code == 3
    assert result.stdout == ""
    assert "film: there is no answer to explain" in result.stderr
    assert not (tmp_path / "why.png").exists()


def test_the_heads_options_are_passed_on(
    run: Run, explaining: FakeHead, film: Path, calls: list[dict[str, Any]]
) -> None:
    explaining.enqueue(Colour("red", 1))
    run("explain", "colours", "--video", film, "--model", "runs/mine", "--device", "cpu", "--calibration", "pilot")
    assert calls[0]["model"] == "runs/mine"
    assert calls[0]["device"] == "cpu"
    assert calls[0]["calibration"] == "pilot"


def test_a_task_that_does_not_explain_says_so(run: Run, film: Path) -> None:
    result = run("explain", "colours", "--video", film)
    assert result.exit_code == 3
    assert "task 'colours' does not explain its answers" in result.stderr


def test_several_files_are_too_many(run: Run, explaining: FakeHead, tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"x")
    result = run("explain", "colours", "--video", tmp_path)
    assert result.exit_code == 2
    assert "one answer is explained at a time" in result.stderr


@pytest.mark.parametrize(("wrong", "says"), [(("--audio", "a.wav"), "does not read audio"), ((), "needs --video")])
def test_what_the_task_cannot_read_is_refused_before_weights_are_loaded(
    run: Run, explaining: FakeHead, calls: list[dict[str, Any]], wrong: tuple[str, ...], says: str
) -> None:
    result = run("explain", "colours", *wrong)
    assert result.exit_code == 2
    assert says in result.stderr.replace("\n", " ")
    assert not calls


TOLD: Mapping[str, Any] = {
    "sample_id": "film",
    "answer": {"label": 1, "prob_hate": 0.91234, "experts": {"text": 0.5}},
    "words": [{"text": f"w{n}", "effect": effect} for n, effect in enumerate((0.1, -0.4, 0.3, None, 0.01, 0.02, 0.2))],
    "regions": {"items": [{"box_px": [0, 0, n, n], "effect": n / 100} for n in range(1, 9)]},
    "reasons": {"removed.caption": "no caption was given", "words": "they are one word only"},
}


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("drawn", [True, False])
def test_a_terminal_gets_the_strongest_parts_where_there_is_a_picture(
    run: Run,
    explaining: FakeHead,
    film: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    terminal: bool,
    drawn: bool,
) -> None:
    task = dataclasses.replace(colours(), explain=lambda head, sample, file: TOLD)
    monkeypatch.setattr("vlmkit.testing.colours.colours", lambda: task)
    monkeypatch.setattr("vlmkit.cli.explain._on_terminal", lambda: terminal)
    result = run("explain", "colours", "--video", film, *(["-o", tmp_path / "why.png"] if drawn else []))
    assert result.exit_code == 0, result.stderr
    if not (terminal and drawn):
        assert json.loads(result.stdout) == TOLD
        return
    first, _, _, *rows = result.stdout.splitlines()
    assert first == "film: label 1, prob_hate 0.912"
    words, regions, (reason, picture) = rows[:5], rows[5:10], rows[10:]
    assert [row.split() for row in words] == [
        ["'w1'", "-0.400"],
        ["'w2'", "+0.300"],
        ["'w6'", "+0.200"],
        ["'w0'", "+0.100"],
        ["'w5'", "+0.020"],
    ]
    assert [row.split()[-1] for row in regions] == ["+0.080", "+0.070", "+0.060", "+0.050", "+0.040"]
    assert regions[0].startswith("box [0, 0, 8, 8] px")
    assert reason == "no words: they are one word only"
    assert picture == f"picture: {(tmp_path / 'why.png').resolve()}"


def test_summaries_of_commands_are_not_cut(run: Run) -> None:
    listed = run("--help").stdout.partition("Commands:")[2]
    assert "explain" in listed
    assert "..." not in listed
