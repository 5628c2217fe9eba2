"""The program as a whole: help, errors, exit codes, what it imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from vlmkit import plugins
from vlmkit.cli import inputs
from vlmkit.errors import VlmkitError
from vlmkit.testing.fakes import FakeHead, installed

HEAVY = ("torch", "transformers", "numpy", "rich", "av", "pydantic")


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)


def test_help_imports_nothing_heavy() -> None:
    code = f"""
import sys
sys.argv = ["vlmkit", "--help"]
from vlmkit.cli import main
try:
    main()
except SystemExit:
    print("heavy:", [name for name in {HEAVY!r} if name in sys.modules])
"""
    done = python("-c", code)
    assert "heavy: []" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("what", ["import vlmkit", "import vlmkit; vlmkit.tasks()", "import vlmkit; dir(vlmkit)"])
def test_neither_torch_nor_transformers_nor_numpy_for_listing_tasks(what: str) -> None:
    code = f"{what}\nimport sys\nprint([n for n in ('torch', 'transformers', 'numpy') if n in sys.modules])"
    done = python("-c", code)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_tasks_command_does_not_import_torch() -> None:
    done = python("-X", "importtime", "-m", "vlmkit", "tasks")
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "vlmkit.cli" in imported
    assert not imported & {"torch", "transformers", "numpy"}


def test_every_command_has_help_with_the_same_options_for_a_head(run: Run) -> None:
    text = run("--help").stdout
    for name in ("tasks", "plugins", "info", "doctor", "predict", "synth", "train", "evaluate", "adapter", "demo"):
        assert f"\n  {name} " in text
        assert run(name, "--help").exit_code == 0
    for name in ("predict", "evaluate"):
        shown = run(name, "--help").stdout
        for option in ("--preset", "--model", "--adapter", "--engine", "--precision", "--device", "--weights"):
            assert f"\n  {option} " in shown


def test_tasks_go_to_stdout_and_failed_plugins_to_stderr(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("tasks").stdout == "colours  the fake task colours\n"
    monkeypatch.setattr(plugins, "installed", lambda: installed(broken={"bad": "ImportError: no"}))
    result = run("tasks")
    assert (result.exit_code, "bad" in result.stdout) == (0, False)
    assert "bad" in result.stderr


def test_plugins_say_who_brought_what_and_who_failed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("plugins")
    assert result.exit_code == 0
    assert "tasks: colours = vlmkit.testing.colours:colours" in result.stdout
    monkeypatch.setattr(plugins, "installed", lambda: installed(broken={"bad": "ImportError: no module 'x'"}))
    result = run("plugins")
    assert result.exit_code == 1
    assert "bad (broken-package 0): failed: ImportError: no module 'x'" in result.stdout
    assert "tasks: colours" in result.stdout  # and the others are there


def test_an_unknown_task_is_wrong_usage_and_the_choices_are_listed(run: Run, film: Path) -> None:
    for arguments in (["predict", "colour", "--video", film], ["info", "colour"], ["train", "colour", "--data", "d"]):
        result = run(*arguments, *(["-o", "x"] if arguments[0] == "train" else []))
        assert result.exit_code == 2
        assert result.stderr == "vlmkit: unknown task 'colour'; did you mean 'colours'? installed: colours\n"
        assert result.stdout == ""


def test_errors_are_one_line_and_a_traceback_only_on_demand(run: Run, tmp_path: Path) -> None:
    line = f"vlmkit: {tmp_path}/none: no manifest.jsonl in it; make a folder with: vlmkit synth colours -o DIR\n"
    arguments = ("evaluate", "colours", "--data", tmp_path / "none", "-o", tmp_path / "r")
    result = run(*arguments)
    assert (result.exit_code, result.stderr) == (3, line)
    result = run("--debug", *arguments)
    assert result.exit_code == 3
    assert "Traceback" in result.stderr
    assert result.stderr.endswith(line)
    assert run(*arguments).stderr == line  # and it does not stick


def test_an_unexpected_error_keeps_its_traceback_and_is_no_code_1(
    run: Run, head: FakeHead, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> Any:
        raise ZeroDivisionError("inside")

    monkeypatch.setattr(head, "predict_many", broken)
    result = run("predict", "colours", "--video", film)
    assert result.exit_code == 3
    assert "ZeroDivisionError: inside" in result.stderr
    assert "defect" in result.stderr


def test_ctrl_c_is_no_code_1(run: Run, head: FakeHead, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*arguments: object) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(head, "predict_many", stopped)
    assert run("predict", "colours", "--video", film).exit_code == 130


@pytest.mark.parametrize("arguments", [["--debug", "info", "nothing"], ["info", "nothing", "--debug"]])
def test_debug_stands_before_or_after_the_command(arguments: list[str]) -> None:
    done = python("-m", "vlmkit", *arguments, VLMKIT_PLUGINS="")
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_debug_comes_from_the_environment_too() -> None:
    assert "Traceback" in python("-m", "vlmkit", "info", "nothing", VLMKIT_DEBUG="1", VLMKIT_PLUGINS="").stderr
    assert "Traceback" not in python("-m", "vlmkit", "info", "nothing", VLMKIT_DEBUG="0", VLMKIT_PLUGINS="").stderr


def test_output_is_utf8_whatever_the_locale() -> None:
    code = "from vlmkit.cli import main; import typer, sys; sys.argv = ['vlmkit', '--version']; main()"
    assert python("-c", code, PYTHONIOENCODING="ascii").returncode == 0
    code = (
        "import sys; sys.argv = ['vlmkit', 'info', 'colours']\n"
        "from vlmkit import plugins; from vlmkit.testing.fakes import installed\n"
        "plugins.installed = lambda: installed(broken={'黄': '色'})\n"
        "sys.argv = ['vlmkit', 'plugins']\nfrom vlmkit.cli import main; main()"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, check=False, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert "黄 (broken-package 0): failed: 色" in done.stdout.decode("utf-8")


def test_info_shows_presets_plan_and_refuses_unknown_ones(run: Run) -> None:
    result = run("info", "colours")
    assert "reads: text, video (needs video)" in result.stdout
    assert "preset huge (default): weights that do not exist" in result.stdout
    assert "preset tiny (trained on synthetic data only)" in result.stdout
    assert run("info", "colours", "--plan").stdout == "preset huge: 0 bytes\n"
    assert run("info", "colours", "--plan", "--preset", "tiny").stdout == "preset tiny: 0 bytes\n"
    result = run("info", "colours", "--plan", "--preset", "tny")
    assert result.exit_code == 2
    assert "did you mean 'tiny'" in result.stderr


def test_the_media_kinds_do_not_overlap() -> None:
    suffixes = [suffix for kind in inputs.SUFFIXES.values() for suffix in kind]
    assert len(suffixes) == len(set(suffixes))


def test_bench_lists_and_runs_what_a_checkout_has(run: Run, tmp_path: Path) -> None:
    (tmp_path / "quick.py").write_text('"""How quick it is."""\nimport sys\nsys.exit(5)\n', encoding="utf-8")
    assert run("bench", "--folder", tmp_path).stdout == "quick  How quick it is.\n"
    assert run("bench", "quick", "--folder", tmp_path).exit_code == 5
    assert run("bench", "slow", "--folder", tmp_path).exit_code == 2
    assert run("bench", "--folder", tmp_path / "none").exit_code == 3


def test_train_hands_everything_over_and_prints_the_folder(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import vlmkit

    seen: dict[str, Any] = {}

    def train(task: str, **keywords: Any) -> Path:
        print("a training loop that prints")
        seen.update(keywords, task=task)
        return Path(keywords["out"])

    monkeypatch.setitem(vlmkit.__dict__, "train", train)
    result = run(
        "train",
        "colours",
        "--data",
        "d",
        "-o",
        "runs/x",
        "--preset",
        "tiny",
        "--max-steps",
        3,
        "--seed",
        4,
        "--device",
        "cpu",
        "--precision",
        "fp32",
    )
    assert (seen["device"], seen["precision"]) == ("cpu", "fp32")
    assert (result.exit_code, result.stdout) == (0, "runs/x\n")
    assert "a training loop that prints" in result.stderr
    assert (seen["task"], seen["max_steps"], seen["seed"], seen["preset"]) == ("colours", 3, 4, "tiny")


def test_synth_writes_what_evaluate_reads(run: Run, head: FakeHead, tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    assert run("synth", "colours", "-n", 7, "--seed", 3, "-o", folder, "--workers", 1).stdout == f"{folder}\n"
    assert len(list(head.task.read(folder))) == 7


def test_adapter_merge_loads_merges_and_saves(
    run: Run, head: FakeHead, calls: list[dict[str, Any]], tmp_path: Path
) -> None:
    result = run("adapter", "merge", "colours", "--adapter", "lora", "-o", tmp_path / "merged", "--preset", "tiny")
    assert result.exit_code == 0
    assert (calls[0]["adapter"], calls[0]["preset"]) == (Path("lora"), "tiny")
    assert head.merged
    assert head.saved == [tmp_path / "merged"]


def test_a_failed_load_is_one_line(run: Run, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import vlmkit

    def load(*arguments: object, **keywords: object) -> Any:
        raise VlmkitError("cannot reach the hub; offline? type: --preset tiny")

    monkeypatch.setitem(vlmkit.__dict__, "load", load)
    result = run("predict", "colours", "--video", film)
    assert (result.exit_code, result.stderr) == (3, "vlmkit: cannot reach the hub; offline? type: --preset tiny\n")


def test_record_is_json(run: Run, head: FakeHead, film: Path) -> None:
    """`json` must be able to read what `--format record` prints."""
    from vlmkit.testing.fakes import Colour

    head.enqueue(Colour("red", 2))
    assert json.loads(run("predict", "colours", "--video", film, "--format", "record").stdout)["sample_id"] == "film"


def test_adapter_check_says_whether_it_fits(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from vlmkit.llms import lora

    class Verdict:
        def __init__(self, ok: bool) -> None:
            self.ok = ok

        def __str__(self) -> str:
            return "12 of 12 keys match" if self.ok else "0 of 12 keys match"

    seen = []

    def check(folder: Path, base: str) -> Verdict:
        seen.append((folder, base))
        return Verdict(base == "right")

    monkeypatch.setattr(lora, "check_adapter", check)
    good, bad = (run("adapter", "check", tmp_path, "--base", base) for base in ("right", "wrong"))
    assert (good.exit_code, good.stdout) == (0, "12 of 12 keys match\n")
    assert (bad.exit_code, bad.stdout) == (3, "0 of 12 keys match\n")
    assert seen == [(tmp_path, "right"), (tmp_path, "wrong")]
