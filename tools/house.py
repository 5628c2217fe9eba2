"""Limits of the house that no linter knows. Prints one line a breach; exit code 1 if there is any."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILE_LINES = 300
FUNCTION_LINES = 60
CONTRIBUTING_LINES = 100
WEIGHTS_BYTES = 4 * 2**20  # what a task may ship, together
BANNED_FILES = {"utils.py", "helpers.py", "misc.py"}
# Built from parts, so that this file passes its own check.
BANNED_TEXT = re.compile("|".join(["/" + "work/", "/" + "opt/dev", "index" + "-url", "pypi" + r"\.org", "TO" + "DO"]))


def tracked() -> list[Path]:
    """Files that git knows or would add, so that a new file is checked before its commit."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def check_text(path: Path, text: str) -> Iterator[str]:
    """Things that tie a file to one machine, or promise work that is not there."""
    for number, line in enumerate(text.splitlines(), 1):
        if found := BANNED_TEXT.search(line):
            yield f"{path.relative_to(ROOT)}:{number}: {found.group()!r} has no place in a committed file"


def check_source(path: Path, text: str) -> Iterator[str]:
    """Length of the file and of its functions; public names have docstrings; rooms use public names only."""
    name = path.relative_to(ROOT)
    if (n := len(text.splitlines())) > FILE_LINES:
        yield f"{name}: {n} lines, at most {FILE_LINES}"
    if path.name in BANNED_FILES:
        yield f"{name}: say what it holds instead of {path.name!r}"
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"{name}:{node.lineno}: {node.name} has {lines} lines, at most {FUNCTION_LINES}"
        if isinstance(node, ast.ImportFrom) and "vlmkit_plugins" in name.parts:
            for private in (a.name for a in node.names if a.name.startswith("_") and str(node.module) != "__future__"):
                if str(node.module).split(".")[0] == "vlmkit":
                    yield f"{name}:{node.lineno}: {node.module}.{private} is private; a room is an outsider"
    yield from _undocumented(name, tree)


def _undocumented(name: Path, tree: ast.Module) -> Iterator[str]:
    if "src" not in name.parts:
        return
    if not ast.get_docstring(tree) and tree.body:
        yield f"{name}:1: the module has no docstring"
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node):
            yield f"{name}:{node.lineno}: {node.name} has no docstring"


def check() -> Iterator[str]:
    """Every breach in the tree."""
    weights: dict[str, int] = {}
    for path in tracked():
        name = path.relative_to(ROOT)
        if path.suffix == ".safetensors" and "vlmkit_plugins" in name.parts:
            room = name.parts[name.parts.index("vlmkit_plugins") + 1]
            weights[room] = weights.get(room, 0) + path.stat().st_size
        if path.suffix in {".py", ".md", ".toml", ".txt", ".yml", ".yaml"}:
            text = path.read_text(encoding="utf-8")
            yield from check_text(path, text)
            if path.suffix == ".py":
                yield from check_source(path, text)
    for room, size in weights.items():
        if size > WEIGHTS_BYTES:
            yield f"{room}: {size} bytes of weights, at most {WEIGHTS_BYTES}"
    if (n := len((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines())) >= CONTRIBUTING_LINES:
        yield f"CONTRIBUTING.md: {n} lines, fewer than {CONTRIBUTING_LINES} wanted"


if __name__ == "__main__":
    breaches = list(check())
    print("\n".join(breaches) or "house rules hold")
    sys.exit(bool(breaches))
