"""The core alone: a package that an extra brings is asked for in one line, by whoever needs it."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

import vlmkit
from vlmkit import loading, plugins
from vlmkit.cli.guard import guarded
from vlmkit.errors import MissingExtraError
from vlmkit.versions import RANGES, extra_of

# As where they are not installed, for `find_spec` too.
_WITHOUT = """
import contextlib, io, json, sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {absent!r} else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Without
"""

_COMMANDS = """
from vlmkit.cli import main

told = {{}}
for command in {commands!r}:
    sys.argv = ["vlmkit", *command]
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
        try:
            main()
        except SystemExit as end:
            told[" ".join(command)] = [end.code, errors.getvalue()]
print(json.dumps(told))
"""

_CALLS = """
import vlmkit
from vlmkit.errors import MissingExtraError

told = {{}}
for name, call in {{
    "load": lambda: vlmkit.load("warehouse", preset="tiny"),
    "train": lambda: vlmkit.train("warehouse", preset="tiny", data={folder!r}, out={folder!r} + "/out"),
    "calibrate": lambda: vlmkit.calibrate("warehouse", data={folder!r}, model={folder!r}),
    "Head": lambda: vlmkit.Head,
}}.items():
    try:
        call()
    except MissingExtraError as error:
        told[name] = [error.package, error.extra, str(error)]
print(json.dumps(told))
"""

_PRESETS = ("tiny", "mdeberta-siglip")
LINE = "'torch' is not installed; type: pip install 'vlmkit[local]'"


def without(absent: set[str], code: str) -> Any:
    """What code prints, as JSON, in an interpreter that does not find some packages."""
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT.format(absent=absent) + code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_command_that_needs_torch_asks_for_the_extra_in_one_line(tmp_path: Path) -> None:
    picture, data, out = tmp_path / "a.jpg", tmp_path / "data", str(tmp_path / "out")
    picture.write_bytes(b"x")
    plugins.installed().registry.get("tasks", "memes")().synth(data, 4, 0, 1)
    tiny = ["--preset", "tiny"]
    commands = [
        ["predict", "memes", "--image", str(picture), *tiny],
        ["explain", "memes", "--image", str(picture), *tiny],
        ["evaluate", "memes", "--data", str(data), "-o", out, *tiny],
        ["train", "memes", "--data", str(data), "-o", out, *tiny],
        ["calibrate", "memes", "--data", str(data), "--model", str(tmp_path / "model")],
        ["demo", "memes", "-o", out],
        ["export", "memes", "-o", out, *tiny],
    ]
    told = without({"torch"}, _COMMANDS.format(commands=commands))
    assert told == {" ".join(command): [3, f"vlmkit: {LINE}\n"] for command in commands}
    assert not Path(out).exists()


def test_settings_of_a_task_ask_for_their_extra_before_weights_are_loaded(tmp_path: Path) -> None:
    film = tmp_path / "a.mp4"
    film.write_bytes(b"x")
    command = ["predict", "football", "--video", str(film)]
    told = without({"pydantic_settings"}, _COMMANDS.format(commands=[command]))
    line = "vlmkit: 'pydantic_settings' is not installed; type: pip install 'vlmkit[football]'\n"
    assert told == {" ".join(command): [3, line]}


def test_python_gets_a_missing_extra_error_too(tmp_path: Path) -> None:
    told = without({"torch"}, _CALLS.format(folder=str(tmp_path)))
    assert told == {name: ["torch", "local", LINE] for name in ("load", "train", "calibrate", "Head")}


def test_info_lists_the_stages_of_each_preset() -> None:
    code = (
        "sys.argv = ['vlmkit', 'info', 'memes']\nfrom vlmkit.cli import main\nfound = io.StringIO()\n"
        "with contextlib.redirect_stdout(found), contextlib.suppress(SystemExit):\n    main()\n"
        "print(json.dumps(found.getvalue().splitlines()))"
    )
    lines = without({"torch", "transformers"}, code)
    tiny, full = (next(i for i, line in enumerate(lines) if line.startswith(f"preset {name} ")) for name in _PRESETS)
    assert tiny < lines.index("  stage see: attributes, trains encoder, 800 steps") < full
    assert lines.index("  stage experts: classify, trains encoder, decoder, 3,000 steps") > full


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("torch", "local"),
        ("sklearn", "report"),
        ("pydantic_settings", "football"),
        ("dotenv", "football"),
        ("rouge_score", "football"),
        ("google.protobuf", "text"),
        (None, None),
        ("numpy", None),
        ("PIL", None),
        ("torch.nothing", None),
        ("mine", None),
    ],
)
def test_modules_and_the_extras_that_bring_them(module: str | None, extra: str | None) -> None:
    assert extra_of(module) == extra


def test_every_extra_of_the_table_is_found_by_name() -> None:
    assert all(extra_of(name) == known.extra for name, known in RANGES.items() if known.extra and "-" not in name)


@pytest.mark.parametrize("module", ["mine", "torch.nothing"])
def test_a_module_of_anybody_else_stays_a_defect(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    with pytest.raises(typer.Exit):
        guarded(broken)()
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "defect" in said
    with pytest.raises(ModuleNotFoundError) as caught:
        vlmkit._naming_extras(broken)()
    assert not isinstance(caught.value, MissingExtraError)


def test_functions_are_what_they_were() -> None:
    assert pickle.loads(pickle.dumps(vlmkit.load)) is vlmkit.load
    assert vlmkit.load.__doc__ == loading.load.__doc__
