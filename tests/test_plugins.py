"""A plugin's fault is its own: it is told by name, and what the others brought is there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, PathDistribution
from pathlib import Path
from typing import Any

import pytest
import typer.testing

from vlmkit import plugins
from vlmkit.cli import app
from vlmkit.doctor import examine
from vlmkit.errors import PluginError, UnknownNameError
from vlmkit.plugins import Entry, Installed, Plugin, Registry, load

Make = Callable[..., EntryPoint]
Show = Callable[..., Any]

HOOK = """
from vlmkit.hookspecs import hookimpl

@hookimpl
def vlmkit_register_{kind}(register):
"""


def brings(*lines: str, kind: str = "tasks") -> str:
    """The source of a plugin whose hook does this."""
    return HOOK.format(kind=kind) + "".join(f"    {line}\n" for line in lines)


def adds(name: str, factory: str = "json:loads") -> str:
    """A line of a hook that registers one name."""
    return f"register({name!r}, {factory!r}, summary='for a test')"


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Writes a plugin's module and its distribution, and gives the entry point. Modules are forgotten afterwards."""
    monkeypatch.delenv("VLMKIT_PLUGINS", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(name: str, source: str, package: str | None = None) -> EntryPoint:
        package = package or f"pkg-{name}"
        module = f"made_{package}_{name}".replace("-", "_")
        (tmp_path / f"{module}.py").write_text(source, encoding="utf-8")
        folder = tmp_path / f"{package}-1.2.dist-info"
        folder.mkdir(exist_ok=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n", encoding="utf-8")
        text = f"[vlmkit]\n{name} = {module}\n"
        (folder / "entry_points.txt").write_text(text, encoding="utf-8")
        (point,) = PathDistribution(folder).entry_points
        return point

    yield write
    for module in [module for module in sys.modules if module.startswith("made_")]:
        del sys.modules[module]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Show:
    """Run `vlmkit <command>` where this is installed."""

    def run(found: Installed, command: str) -> Any:
        monkeypatch.setattr(plugins, "installed", lambda: found)
        return typer.testing.CliRunner().invoke(app, [command])

    return run


def errors(found: Installed) -> dict[str, str | None]:
    return {plugin.name: plugin.error for plugin in found.plugins}


def names(found: Installed) -> list[str]:
    return [entry.name for entry in found.registry.entries("tasks")]


def problems(found: Installed) -> dict[str, str]:
    """What the doctor has to say of plugins, by subject."""
    findings = examine(lambda package: None, found)
    return {f.subject: f.found for f in findings if f.level == "problem" and f.subject.startswith("plugin")}


def test_what_a_plugin_registers_is_there_with_its_package_and_version(make: Make) -> None:
    found = load([make("good", brings(adds("a")))])
    assert found.plugins == (Plugin("good", "pkg-good", "1.2"),)
    assert found.registry.entries("tasks") == (Entry("a", "json:loads", "for a test", "good"),)
    assert found.registry.get("tasks", "a")("1") == 1
    assert (found.unmatched, found.faults()) == ((), ())


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("def broken(:", "SyntaxError: invalid syntax (made_pkg_bad_bad.py, line 1)"),
        ("import sys; sys.exit()", "SystemExit"),
        ("import sys; sys.exit('no GPU')", "SystemExit: no GPU"),
        ("class Panic(BaseException): ...\nraise Panic('two\\nlines')", "Panic: two lines"),
        (brings("import sys", "sys.exit(3)"), "SystemExit: 3"),
        (brings("1 / 0"), "ZeroDivisionError: division by zero"),
        (brings("register('b')"), "TypeError: "),
        (
            brings(adds("b", "json.loads")),
            "bad: tasks: 'b': the factory 'json.loads' is not of the form 'package.module:factory'",
        ),
        (brings(adds("b", "json:")), "the factory 'json:' is not of the form 'package.module:factory'"),
        (brings("register('b', None, summary='')"), "the factory None is not of the form"),
        (brings("register(7, 'json:loads', summary='')"), "bad: tasks: 7 is no name; wanted: text that is not empty"),
        (brings(adds("b"), adds("b")), "bad: tasks: 'b' is registered twice"),
        (brings("pass").replace("(register)", "(registrar)"), "PluginValidationError: "),
    ],
)
def test_a_fault_is_reported_on_its_plugin_and_the_others_are_there(
    make: Make, show: Show, source: str, error: str
) -> None:
    points = [make("zoo", brings(adds("z"))), make("bad", source), make("ant", brings(adds("a")))]
    found = load(points)
    reported = errors(found)
    assert error in (reported.pop("bad") or "")
    assert reported == {"ant": None, "zoo": None}
    assert names(found) == ["a", "z"]
    result = show(found, "plugins")
    assert result.exit_code == 1
    assert "bad (pkg-bad 1.2): failed: " in result.stdout
    assert error in result.stdout
    assert "  tasks: z = json:loads" in result.stdout
    assert error in problems(found)["plugin bad"]


def test_ctrl_c_while_plugins_load_is_no_fault_of_theirs(make: Make) -> None:
    with pytest.raises(KeyboardInterrupt):
        load([make("slow", "raise KeyboardInterrupt")])


@pytest.mark.parametrize("last", ["raise RuntimeError('late')", adds("c", "nowhere")])
def test_a_plugin_that_fails_halfway_has_registered_nothing(make: Make, last: str) -> None:
    source = brings(adds("e"), kind="encoders") + brings(adds("b"), last)
    found = load([make("bad", source), make("good", brings(adds("a")))])
    assert errors(found)["bad"] is not None
    assert names(found) == ["a"]
    assert found.registry.entries("encoders") == ()
    with pytest.raises(UnknownNameError, match="unknown task 'b'; installed: a"):
        found.registry.get("tasks", "b")


def test_what_a_failed_plugin_registered_first_does_not_clash(make: Make) -> None:
    found = load([make("bad", brings(adds("a"), "1 / 0")), make("good", brings(adds("a")))])
    assert (found.faults(), names(found)) == ((), ["a"])


def test_a_misspelt_hook_is_reported_with_the_hook_that_was_meant(make: Make) -> None:
    source = brings(adds("b")) + brings(adds("c"), kind="task") + brings(adds("d"), kind="lms")
    found = load([make("bad", source), make("good", brings(adds("a")))])
    error = errors(found)["bad"] or ""
    assert "unknown hook 'vlmkit_register_task'; did you mean 'vlmkit_register_tasks'?" in error
    assert "unknown hook 'vlmkit_register_lms'; did you mean 'vlmkit_register_llms'?" in error
    assert errors(found)["good"] is None
    assert names(found) == ["a"]


def test_a_hook_of_another_version_may_be_marked_optional(make: Make) -> None:
    source = brings(adds("a")) + brings("pass", kind="robots").replace("@hookimpl", "@hookimpl(optionalhook=True)")
    found = load([make("new", source)])
    assert (errors(found), names(found)) == ({"new": None}, ["a"])


def test_a_plugin_without_a_marked_hook_is_reported(make: Make) -> None:
    found = load([make("bad", brings(adds("b")).replace("@hookimpl", ""))])
    assert "'made_pkg_bad_bad' implements no hook; mark with @hookimpl one of: vlmkit_register_tasks, " in str(
        errors(found)["bad"]
    )


CLASH = (
    "tasks: 'same' is registered by 'ant' (json:loads) and by 'zoo' (json:dumps); "
    "uninstall one, or name those to load: VLMKIT_PLUGINS=ant"
)


def test_a_name_of_two_plugins_is_an_error_where_it_is_looked_up_and_nowhere_else(make: Make, show: Show) -> None:
    ant = make("ant", brings(adds("same"), adds("a")))
    zoo = make("zoo", brings(adds("same", "json:dumps"), adds("z")))
    found = load([zoo, ant])
    assert errors(found) == {"ant": None, "zoo": None}
    assert found.faults() == found.registry.clashes() == (CLASH,)
    assert names(found) == ["a", "z"]
    assert found.registry.get("tasks", "z")("[]") == []
    with pytest.raises(PluginError) as raised:
        found.registry.get("tasks", "same")
    assert str(raised.value) == CLASH
    with pytest.raises(UnknownNameError, match="unknown task 'b'; installed: a, z"):
        found.registry.get("tasks", "b")
    result = show(found, "plugins")
    assert (result.exit_code, result.stderr) == (1, f"vlmkit: {CLASH}\n")
    assert "  tasks: z = json:loads" in result.stdout
    assert problems(found) == {"plugins": CLASH}
    assert load([zoo, ant], allow="ant").registry.get("tasks", "same")("1") == 1  # what the message says to type


def test_one_name_of_two_kinds_is_no_clash(make: Make) -> None:
    found = load([make("one", brings(adds("a"))), make("two", brings(adds("a"), kind="llms"))])
    assert found.faults() == ()


def test_of_two_plugins_of_one_name_the_second_is_reported_by_package(make: Make, show: Show) -> None:
    points = [make("twin", brings(adds("b")), "second"), make("twin", brings(adds("a")), "first")]
    found = load(points)
    assert found.plugins == (
        Plugin("twin", "first", "1.2"),
        Plugin("twin", "second", "1.2", "not loaded: the package 'first' has a plugin of the same name"),
    )
    assert names(found) == ["a"]
    assert show(found, "plugins").stdout.count("tasks: a") == 1


def test_a_name_of_the_allow_list_that_nobody_has_is_reported(make: Make, show: Show) -> None:
    points = [make("warehouse", brings(adds("a"))), make("other", brings(adds("o")))]
    found = load(points, allow="warehose, other")
    sentence = "VLMKIT_PLUGINS: unknown plugin 'warehose'; did you mean 'warehouse'? installed: other, warehouse"
    assert found.unmatched == found.faults() == (sentence,)
    assert names(found) == ["o"]
    result = show(found, "plugins")
    assert (result.exit_code, result.stderr) == (1, f"vlmkit: {sentence}\n")
    assert "tasks: o" in result.stdout
    assert problems(found) == {"plugins": sentence}


@pytest.mark.parametrize("allow", ["", " ", ","])
def test_empty_text_still_means_none(make: Make, show: Show, allow: str) -> None:
    found = load([make("good", "raise RuntimeError('must not be imported')")], allow=allow)
    assert (found.plugins, found.unmatched, names(found)) == ((), (), [])
    assert show(found, "plugins").exit_code == 0


def test_a_plugin_that_is_not_allowed_is_not_imported(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLMKIT_PLUGINS", "good")
    found = load([make("bad", "import sys; sys.exit(1)"), make("good", brings(adds("a")))])
    assert (errors(found), found.faults()) == ({"good": None}, ())


def test_a_distribution_with_damaged_metadata_still_loads(make: Make, tmp_path: Path) -> None:
    make("good", brings(adds("a")))
    folder = tmp_path / "pkg-good-1.2.dist-info"
    (folder / "METADATA").unlink()
    found = load(PathDistribution(folder).entry_points)
    assert (found.plugins, names(found)) == ((Plugin("good", "?", "?"),), ["a"])


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import no_such_module", ModuleNotFoundError),
        ("def broken(:", SyntaxError),
        ("1 / 0", ZeroDivisionError),
        ("import sys; sys.exit(2)", SystemExit),
        ("other = 1", AttributeError),
    ],
)
def test_whatever_stops_a_factory_is_an_error_that_names_provider_and_path(
    make: Make, tmp_path: Path, source: str, cause: type[BaseException]
) -> None:
    (tmp_path / "made_factory.py").write_text(source, encoding="utf-8")
    found = load([make("bad", brings(adds("b", "made_factory:task"), adds("a")))])
    assert errors(found) == {"bad": None}  # factories are imported when they are asked for
    with pytest.raises(PluginError) as raised:
        found.registry.get("tasks", "b")
    assert str(raised.value).startswith(f"bad: cannot resolve 'made_factory:task' for 'b': {cause.__name__}")
    assert isinstance(raised.value.__cause__, cause)
    assert found.registry.get("tasks", "a")("1") == 1


def test_a_registry_by_hand_keeps_the_same_rules() -> None:
    registry, other = Registry(), Registry()
    registry.add("llms", Entry("x", "json:loads", "", "one"))
    other.add("llms", Entry("x", "json:dumps", "", "two"))
    registry.merge(other)
    with pytest.raises(PluginError, match=r"llms: 'x' is registered by 'one' \(json:loads\) and by 'two'"):
        registry.get("llms", "x")


def test_installed_is_loaded_once_and_tasks_names_it_without_torch() -> None:
    code = (
        "import sys, vlmkit; assert 'pluggy' not in sys.modules; from vlmkit import plugins\n"
        "assert plugins.installed() is plugins.installed(); print(vlmkit.tasks())\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    environment = {name: text for name, text in os.environ.items() if name != "VLMKIT_PLUGINS"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(")
