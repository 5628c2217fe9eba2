"""Every check of this repository, each of them one command that does its own set-up.

Two environments are made once and shared: `.nox/light` (no torch) and `.nox/torch` (about 7 GB).
They are made anew when `pyproject.toml` or a file of constraints changes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import venv
from collections.abc import Callable
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.sessions = ["lint", "imports", "types", "tests", "docs", "demo", "reports", "build"]
nox.options.default_venv_backend = "none"

ROOT = Path(__file__).parent
CONSTRAINTS = ROOT / "constraints.txt"
CONSTRAINTS_VLLM = ROOT / "constraints-vllm.txt"
PINNED = ["-c", str(CONSTRAINTS)]
# Given twice: an override takes the extras off the requirement it overrides, so what they bring would be missing.
PINNED_VLLM = ["-r", str(CONSTRAINTS_VLLM), "--override", str(CONSTRAINTS_VLLM)]
ENVIRONMENTS = {
    "light": ["-e", ".", "--group", "lint", *PINNED],
    "torch": ["-e", ".[all]", "--group", "dev", *PINNED],
    # The CPU build of vLLM has a name of its own, and a torch of its own, so no other extra with a model can be here.
    "vllm": ["-e", ".[football]", "--group", "engines", *PINNED_VLLM],
    "oldest": ["-e", ".[all]", "--group", "test", "--group", "docs", "transformers==5.19.0"],
}

STAMPED = ("pyproject.toml", CONSTRAINTS.name, CONSTRAINTS_VLLM.name)

OLDEST = [
    "tests/test_native_views.py",
    "tests/llms/test_embedded.py",
    "tests/warehouse/test_tiny.py",
    "tests/purrsight/test_tiny.py",
    "tests/football/test_tiny.py",
    "tests/memes/test_model.py",
    "tests/memes/test_tiny.py",
    "tests/encoders/test_hf_image.py",
    "tests/training",
]


def _program(folder: Path, name: str) -> str:
    return str(folder / ("Scripts" if os.name == "nt" else "bin") / name)


def _shared(session: nox.Session, name: str) -> Callable[..., None]:
    """What runs a program of a shared environment, which is made first unless it is complete and up to date."""
    folder = ROOT / ".nox" / name
    wanted = _stamp(name)
    stamp = folder / "vlmkit-stamp.txt"
    if not stamp.is_file() or stamp.read_text() != wanted:
        _create(session, folder, ENVIRONMENTS[name])
        stamp.write_text(wanted)
    # Programs that start each other (mkdocs, build, xdist) have to meet in the same environment.
    session.env["VIRTUAL_ENV"] = str(folder)
    session.env["PATH"] = os.pathsep.join([_program(folder, ""), os.environ.get("PATH", "")])

    def run(program: str, *arguments: str) -> None:
        session.run(_program(folder, program), *arguments, external=True)

    return run


def _stamp(name: str) -> str:
    parts = [name, sys.version, str(ROOT), repr(ENVIRONMENTS[name])]
    parts += [(ROOT / file).read_text(encoding="utf-8") for file in STAMPED]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _create(session: nox.Session, folder: Path, arguments: list[str]) -> None:
    """A new environment with uv in it, and `arguments` installed by uv. Half of one is never left to be reused."""
    if sys.version_info < (3, 11):  # noqa: UP036 - nox itself may have been installed with any Python
        session.error(f"vlmkit wants Python 3.11 or newer; nox runs on {sys.version.split()[0]}")
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    python = _program(folder, "python")
    session.run(python, "-m", "pip", "install", "--quiet", "-c", str(CONSTRAINTS), "uv", external=True)
    session.run(python, "-m", "uv", "pip", "install", "--quiet", "--python", python, *arguments, external=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, format and the limits that a linter does not know."""
    run = _shared(session, "light")
    run("ruff", "check", ".")
    run("ruff", "format", "--check", ".")
    run("python", "tools/house.py")


@nox.session
def imports(session: nox.Session) -> None:
    """The layers of the design, and what may not import torch."""
    run = _shared(session, "light")
    run("lint-imports", "--no-cache")


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict, over source and tests."""
    run = _shared(session, "torch")
    run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """The test suite; arguments after `--` go to pytest."""
    run = _shared(session, "torch")
    session.env["OMP_NUM_THREADS"] = "1"  # two workers of one thread each, on two cores
    run("pytest", "-n", "2", "-m", "not slow", "--durations", "8", "--durations-min", "4", *session.posargs)


@nox.session
def oldest(session: nox.Session) -> None:
    """Native views, the shipped heads and training on the oldest transformers that is allowed."""
    run = _shared(session, "oldest")
    session.env["OMP_NUM_THREADS"] = "1"
    run("pytest", "-n", "2", *OLDEST, *session.posargs)


@nox.session
def vllm(session: nox.Session) -> None:
    """The engines vllm and openai against real vLLM on a CPU, with random tiny models (its own environment, 6 GB)."""
    run = _shared(session, "vllm")
    session.env["OMP_NUM_THREADS"] = "1"
    run("pytest", "tests/vllm", *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """The tests that take minutes."""
    run = _shared(session, "torch")
    run("pytest", "-m", "slow", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Run every example of the pages, check that the generated page is up to date, build the site."""
    run = _shared(session, "torch")
    run("python", "tools/cli_reference.py", "--check")
    # The example plugin is really installed, but beside the shared environment and not in it.
    plugin = tempfile.mkdtemp(prefix="vlmkit-plugin-")
    run("python", "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--target", plugin, "examples/minimal_plugin")
    session.env.update(PYTHONPATH=plugin, OMP_NUM_THREADS="1")
    # A page stays in one process: its blocks share names and a folder.
    run("pytest", "-n", "2", "--dist", "loadfile", "docs", "README.md", "examples")
    session.env["NO_MKDOCS_2_WARNING"] = "1"  # its end of life is known: docs/decisions/workshop.md
    run("mkdocs", "build", "--strict", "--quiet")
    session.log(f"open {ROOT / 'site' / 'index.html'}")


@nox.session
def demo(session: nox.Session) -> None:
    """Make samples, answer about them with the shipped `tiny` heads and draw the results, in a fresh folder."""
    run = _shared(session, "torch")
    folder = Path(tempfile.mkdtemp(prefix="vlmkit-demo-"))
    with session.chdir(folder):
        run("vlmkit", "demo", "football", "-o", "football", *session.posargs)
        run("vlmkit", "demo", "warehouse", "-o", "warehouse", *session.posargs)
        run("vlmkit", "demo", "purrsight", "-o", "purrsight", *session.posargs)
        run("vlmkit", "demo", "memes", "-o", "memes", *session.posargs)
    for picture in sorted(folder.rglob("*.png")):
        session.log(f"picture: {picture}")


@nox.session
def reports(session: nox.Session) -> None:
    """Evaluate the shipped `tiny` heads on synthetic samples and write their reports, sanity checks and all."""
    run = _shared(session, "torch")
    session.env["OMP_NUM_THREADS"] = "2"
    shutil.rmtree(ROOT / "reports", ignore_errors=True)
    run("python", "tools/reports.py", "reports")
    for page in sorted((ROOT / "reports").glob("*/report.html")):
        session.log(f"open {page}")


@nox.session
def build(session: nox.Session) -> None:
    """The archives, and the wheel in a clean environment without torch."""
    run = _shared(session, "torch")
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    run("python", "-m", "build", "--installer", "uv", "--outdir", "dist")
    (wheel,) = (ROOT / "dist").glob("*.whl")
    run("python", "tools/wheel.py", str(wheel))
    clean = ROOT / ".nox" / "wheel"
    _create(session, clean, [str(wheel), "-c", str(CONSTRAINTS)])
    with session.chdir(tempfile.mkdtemp(prefix="vlmkit-wheel-")):
        for arguments in (["--help"], ["tasks"], ["doctor"]):
            session.run(_program(clean, "vlmkit"), *arguments, external=True)
