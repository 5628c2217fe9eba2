"""What the command line chooses about a head, above the settings of a task, and the task's result files."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from vlmkit import plugins
from vlmkit.cli import heads, predict
from vlmkit.errors import VlmkitError
from vlmkit.settings import Settings
from vlmkit.task import Task
from vlmkit.testing.colours import colours
from vlmkit.testing.fakes import Colour, FakeHead
from vlmkit.types import Prediction, Problem

Ask = Callable[[Mapping[str, Any]], Settings]


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give the fake task hooks."""

    def change(**hooks: Any) -> None:
        made = replace(colours(), **hooks)
        for module in (predict, heads):
            monkeypatch.setattr(module, "find_task", lambda name: made)

    return change


def test_each_option_reaches_load_where_it_belongs(
    run: Run, head: FakeHead, film: Path, calls: list[dict[str, Any]]
) -> None:
    head.enqueue(Colour("red", 1))
    typed = "--temperature 0.6 --top-p 0.95 --repetition-penalty 1.05 --max-tokens 512 --fps 2 --max-frames 10"
    assert run("predict", "colours", "--video", film, *typed.split()).exit_code == 0
    assert calls[0]["limits"] == {
        "temperature": 0.6,
        "top_p": 0.95,
        "repetition_penalty": 1.05,
        "max_new_tokens": 512,
    }
    assert calls[0]["specs"] == {"video": {"fps": 2.0, "max_frames": 10}}


def test_settings_stand_below_what_was_typed_and_above_what_was_not(
    run: Run, head: FakeHead, film: Path, calls: list[dict[str, Any]], task: Callable[..., None]
) -> None:
    asked: list[Mapping[str, Any]] = []

    def settings(given: Mapping[str, Any]) -> Settings:
        asked.append(given)
        below = {"device": "cuda", "temperature": 0.9, "model": "owner/base"}
        return Settings.of({**below, **given}, notes=("settings: DEVICE=cuda (environment)",))

    task(settings=settings)
    for typed, device in (((), "cuda"), (("--device", "auto"), "auto"), (("--device", "cpu"), "cpu")):
        head.enqueue(Colour("red", 1))
        result = run("predict", "colours", "--video", film, "--temperature", "0.1", *typed)
        assert result.exit_code == 0
        assert "vlmkit: settings: DEVICE=cuda (environment)" in result.stderr
        assert calls[-1]["device"] == device, "a value that is typed counts, though it be the default"
        assert calls[-1]["model"] == "owner/base"
        assert calls[-1]["limits"] == {"temperature": 0.1}
    assert asked[0].get("device") is None
    assert {"preset", "engine", "weights"} & set(asked[0]) == set(), "defaults were not typed"
    assert asked[1]["device"] == "auto"


def test_a_device_of_the_settings_is_not_a_servers(
    run: Run, head: FakeHead, film: Path, calls: list[dict[str, Any]], task: Callable[..., None]
) -> None:
    task(settings=lambda given: Settings.of({"device": "cuda", **given}))
    for typed, device in (((), "auto"), (("--device", "cpu"), "cpu")):
        head.enqueue(Colour("red", 1))
        result = run("predict", "colours", "--video", film, "--engine", "openai", *typed)
        assert calls[-1]["device"] == device, "what is typed is refused by the engine, not dropped"
        said = "vlmkit: a server has a device of its own; 'cuda' of the settings left out"
        assert (said in result.stderr) is (not typed)


def test_a_bad_setting_ends_in_one_line_before_weights_are_loaded(
    run: Run, film: Path, calls: list[dict[str, Any]], task: Callable[..., None]
) -> None:
    def settings(given: Mapping[str, Any]) -> Settings:
        raise VlmkitError("TEMPERATURE='hot' (.env): Input should be a valid number")

    task(settings=settings)
    result = run("predict", "colours", "--video", film)
    assert result.exit_code == 3
    assert result.stderr == "vlmkit: TEMPERATURE='hot' (.env): Input should be a valid number\n"
    assert calls == []


def test_the_log_level_is_the_loggers(
    run: Run, head: FakeHead, film: Path, task: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("vlmkit"), "level", logging.NOTSET)
    task(settings=lambda given: Settings.of(given, log_level="ERROR"))
    head.enqueue(Colour("red", 1))
    assert run("predict", "colours", "--video", film).exit_code == 0
    assert logging.getLogger("vlmkit").level == logging.ERROR


def _kept(predictions: Iterable[Prediction[Any]], folder: Path) -> Iterator[Prediction[Any]]:
    folder.mkdir()
    for prediction in predictions:
        (folder / f"{prediction.sample_id}.json").write_text(json.dumps(prediction.value is not None))
        yield prediction


def test_result_files_are_written_besides(run: Run, head: FakeHead, tmp_path: Path, task: Callable[..., None]) -> None:
    films = tmp_path / "in"
    films.mkdir()
    for name in ("a.mp4", "b.mp4"):
        (films / name).write_bytes(b"x")
    task(results=_kept)
    head.enqueue(Colour("red", 1), Problem("not_json", "it is none", fatal=True))
    result = run("predict", "colours", "--video", films, "--results", tmp_path / "out")
    assert result.exit_code == 1
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == ["a"]
    assert {path.name: json.loads(path.read_text()) for path in (tmp_path / "out").iterdir()} == {
        "a.json": True,
        "b.json": False,
    }


def test_the_settings_may_name_the_folder(run: Run, head: FakeHead, film: Path, task: Callable[..., None]) -> None:
    folder = film.parent / "out"
    task(results=_kept, settings=lambda given: Settings(results=folder))
    head.enqueue(Colour("red", 1))
    assert run("predict", "colours", "--video", film).exit_code == 0
    assert (folder / "film.json").is_file()


def test_a_task_without_result_files_says_so(run: Run, film: Path, tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    result = run("predict", "colours", "--video", film, "--results", tmp_path / "out")
    assert result.exit_code == 2
    assert "task 'colours' has no result files of its own" in result.stderr
    assert calls == []


def test_evaluate_asks_the_same_head(
    run: Run, head: FakeHead, tmp_path: Path, calls: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: Task[Any] = plugins.installed().registry.get("tasks", "colours")()
    found.synth(tmp_path / "data", 3, 0, 1)
    samples = list(found.read(tmp_path / "data"))
    head.enqueue(*(sample.truth for sample in samples))
    typed = ("--temperature", "0.5", "--fps", "1", "--model", "m", "--adapter", "a", "--device", "cpu")
    result = run("evaluate", "colours", "--data", tmp_path / "data", "-o", tmp_path / "report", *typed)
    assert result.exit_code == 0, result.stderr
    assert calls[0]["limits"] == {"temperature": 0.5}
    assert calls[0]["specs"] == {"video": {"fps": 1.0}}
    assert (calls[0]["model"], calls[0]["adapter"], calls[0]["device"]) == ("m", Path("a"), "cpu")
    assert json.loads((tmp_path / "report" / "metrics.json").read_text())["model"] == "m + a"
