from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer.testing

import vlmkit
from vlmkit import edge
from vlmkit.cli import app
from vlmkit.edge import Compared, Exported


def test_the_program_tells_sizes_and_differences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def load(task: str, **options: Any) -> str:
        asked.append((task, options["precision"], options["device"]))
        return "a head"

    def export(head: str, out: Path) -> Exported:
        asked.append((head, out))
        return Exported(out, {"a": 1_000, "b": 2_000}, {"audio.onnx": 1e-6}, Compared(0.99, 0.5, 0.1, 20))

    monkeypatch.setitem(vlmkit.__dict__, "load", load)
    monkeypatch.setattr(edge, "export", export)
    done = typer.testing.CliRunner().invoke(app, ["export", "purrsight", "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert asked == [("purrsight", "fp32", "cpu"), ("a head", tmp_path / "out")]
    assert "3,000 bytes  together" in done.stdout
    assert "audio.onnx: rows differ by 1e-06" in done.stdout
    assert "the same at 50.0% of 20 positions" in done.stdout
    assert done.stdout.splitlines()[-1] == str(tmp_path / "out")
