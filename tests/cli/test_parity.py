"""`vlmkit parity`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer.testing

import vlmkit
from tests.scripted import ScriptedEngine, head, silent, spoken, written
from vlmkit import plugins
from vlmkit.cli import app, parity
from vlmkit.testing.fakes import installed
from vlmkit.types import Generation

Run = Callable[..., Any]
Replies = dict[str, Sequence[Generation]]


@pytest.fixture
def asked() -> list[dict[str, Any]]:
    """What `vlmkit.load` was called with."""
    return []


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, asked: list[dict[str, Any]]) -> Run:
    """`run(replies by engine, arguments…)`; every engine is asked about the text "which?"."""
    found = installed("tests.scripted:worded", "tests.scripted:settled")

    monkeypatch.setattr(parity, "find_spec", lambda name: name)  # whatever is installed here

    def invoke(replies: Replies, *arguments: object, task: str = "worded") -> Any:
        def load(name: str, *, engine: str, **chosen: Any) -> Any:
            asked.append({"name": name, "engine": engine, **chosen})
            return head(ScriptedEngine(replies[engine]), engine)

        monkeypatch.setattr(plugins, "installed", lambda: found)
        monkeypatch.setitem(vlmkit.__dict__, "load", load)
        given = ["parity", task, *map(str, arguments)]
        return typer.testing.CliRunner().invoke(app, given)

    return invoke


BOTH = ("--engine", "local", "--engine", "vllm", "--text", "which?")


def test_two_engines_that_agree(run: Run, asked: list[dict[str, Any]]) -> None:
    options = "--preset tiny --model runs/x --adapter lora --device cpu --precision fp32 --weights random"
    result = run({"local": [spoken("red")], "vllm": [spoken("red")]}, *BOTH, *options.split())
    assert result.exit_code == 0
    assert "worded: 1 samples, vllm against local" in result.stdout
    assert [one["engine"] for one in asked] == ["local", "vllm"]
    for one in asked:
        assert one == {
            "name": "worded",
            "engine": one["engine"],
            "preset": "tiny",
            "model": "runs/x",
            "adapter": Path("lora"),
            "device": "cpu",
            "precision": "fp32",
            "weights": "random",
            "calibration": "none",
        }


def test_a_server_is_told_its_address_and_nothing_of_this_machine(run: Run, asked: list[dict[str, Any]]) -> None:
    url = "http://127.0.0.1:1/v1"
    options = ["--device", "cpu", "--precision", "fp32", "--server", url]
    engines = ["--engine", "local", "--engine", "openai", "--text", "which?"]
    result = run({"local": [spoken("red")], "openai": [silent(spoken("red"))]}, *engines, *options)
    assert result.exit_code == 0
    assert [(one["device"], one["precision"], one.get("server")) for one in asked] == [
        ("cpu", "fp32", None),
        ("auto", "auto", url),
    ]


def test_the_settings_of_a_task_hold_for_all_engines(run: Run, asked: list[dict[str, Any]]) -> None:
    replies = {"local": [spoken("red")], "vllm": [spoken("red")]}
    result = run(replies, *BOTH, "--adapter", "typed", task="settled")
    assert result.exit_code == 0
    assert [(one["model"], one["adapter"]) for one in asked] == [("from/settings", Path("typed"))] * 2


def test_tokens_that_differ_are_no_failure_while_values_agree(run: Run) -> None:
    result = run({"local": [spoken("red")], "vllm": [written('{"name":"red","frame":1}')]}, *BOTH)
    assert result.exit_code == 0
    assert "at 8: #32 / #34, margin 0.250" in result.stdout


def test_a_value_that_differs_gives_code_1_and_stands_in_the_file(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "parity.json"
    result = run({"local": [spoken("red")], "vllm": [spoken("blue")]}, *BOTH, "-o", out)
    assert result.exit_code == 1
    told = json.loads(out.read_text(encoding="utf-8"))
    assert told["agrees"] is False
    assert told["rows"][0]["token_at"] == {
        "at": 10,
        "reference": f"#{ord('r')}",
        "other": f"#{ord('b')}",
        "margin": 0.25,
    }


def test_no_answer_anywhere_gives_code_3(run: Run) -> None:
    assert run({"local": [written("?")], "vllm": [written("?")]}, *BOTH).exit_code == 3


def test_environments_apart_meet_in_a_file(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "local.json"
    result = run({"local": [spoken("red")]}, "--engine", "local", "--text", "which?", "--save", file)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "told about 1 samples" in result.stderr
    result = run({"vllm": [silent(spoken("red"))]}, "--engine", "vllm", "--text", "which?", "--against", file)
    assert result.exit_code == 0
    assert "vllm against local" in result.stdout
    row = next(line for line in result.stdout.splitlines() if line.startswith("text"))
    assert row.split() == ["text", "vllm", "–", "–", "–", "–", "equal"]
    result = run({"vllm": [spoken("red")]}, "--engine", "vllm", "--text", "another?", "--against", file)
    assert result.exit_code == 3
    assert "had another content" in result.stderr


def test_files_alone_can_be_compared_and_are_told_apart(run: Run, tmp_path: Path) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    for file, colour in ((one, "red"), (two, "blue")):
        run({"local": [spoken(colour)]}, "--engine", "local", "--text", "which?", "--save", file)
    result = run({}, "--against", one, "--against", two)
    assert result.exit_code == 1
    assert "local (two.json) against local" in result.stdout


def test_a_record_without_an_answer_gives_code_3(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "local.json"
    result = run({"local": [written("?")]}, "--engine", "local", "--text", "which?", "--save", file)
    assert result.exit_code == 3
    assert file.is_file()


def test_the_first_samples_of_many_are_taken_and_that_is_said(run: Run, tmp_path: Path) -> None:
    films = tmp_path / "films"
    films.mkdir()
    for name in "abc":
        (films / f"{name}.mp4").write_bytes(name.encode())
    replies = {"local": [spoken("red")] * 2, "vllm": [spoken("red")] * 2}
    result = run(replies, *BOTH, "--video", films, "-n", "2")
    assert result.exit_code == 0
    assert "the first 2 of 3 samples" in result.stderr


def test_a_missing_library_is_said_before_any_engine_is_asked(
    run: Run, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parity, "find_spec", lambda name: None)
    result = run({"local": [spoken("red")]}, *BOTH)
    assert result.exit_code == 3
    assert "pip install 'vlmkit[vllm]', in an environment of its own" in result.stderr
    assert asked == []


def test_a_server_that_nobody_named_is_said_before_any_engine_is_asked(
    run: Run, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    engines = ["--engine", "local", "--engine", "openai", "--text", "which?"]
    for more, said in (([], "no server was named"), (["--server", "localhost"], "'localhost' is no address")):
        result = run({"local": [spoken("red")]}, *engines, *more)
        assert result.exit_code == 3
        assert said in result.stderr
    assert asked == []


def test_a_record_of_another_task_is_said_before_any_engine_is_asked(
    run: Run, asked: list[Any], tmp_path: Path
) -> None:
    file = tmp_path / "local.json"
    run({"local": [spoken("red")]}, "--engine", "local", "--text", "which?", "--save", file)
    asked.clear()
    result = run({}, "--engine", "vllm", "--text", "which?", "--against", file, task="settled")
    assert result.exit_code == 3
    assert "local.json holds what local answered to 'worded', not to 'settled'" in result.stderr
    assert asked == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*BOTH, "--server", "http://h/v1"], "--server is for --engine openai"),
        (["--text", "x"], "two engines are compared"),
        (["--engine", "local", "--text", "x"], "--engine vllm --against FILE"),
        (["--engine", "local", "--engine", "local", "--text", "x"], "an engine is asked once"),
        (["--engine", "local", "--engine", "vllm", "--text", "x", "--save", "f"], "--save keeps what one engine told"),
        (["--engine", "locl", "--text", "x"], "did you mean 'local'?"),
        (["--engine", "local", "--engine", "vllm", "--text", "x", "--data", "d"], "give --data, or files; not both"),
        (["--engine", "local", "--engine", "vllm"], "needs --text"),
    ],
)
def test_wrong_usage_is_said_before_a_head_is_loaded(
    run: Run, asked: list[Any], arguments: list[str], message: str
) -> None:
    result = run({}, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert asked == []
