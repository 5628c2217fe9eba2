"""`vlmkit parity` on real engines: a shipped head in `transformers`, in vLLM and on a vLLM server says the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import vlmkit
from tests.vllm.models import LLM_ONLY, draw
from tests.vllm.servers import Serve
from vlmkit.cli import app
from vlmkit.plugins import installed

TASK = "warehouse"
N = 4


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn clips."""
    folder = tmp_path_factory.mktemp("data") / TASK
    installed().registry.get("tasks", TASK)().synth(folder, N, 5, 1)
    return folder


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn LoRA adapter of the shipped head."""
    folder = tmp_path_factory.mktemp("adapters") / "drawn"
    backbone: Any = vlmkit.load(TASK, preset="tiny", device="cpu").model.backbone
    backbone.add_lora(**LLM_ONLY)
    draw(backbone.hf, 3, 0.1)
    backbone.save_adapter(folder, {})
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, adapter: Path) -> Iterator[str]:
    """The shipped head's base on a vLLM server, with the adapter."""
    checkpoint = installed().registry.get("tasks", TASK)().preset("tiny").checkpoint
    serve = Serve(checkpoint / "base", tmp_path_factory.mktemp("server") / "log.txt", {"drawn": adapter})
    try:
        serve.wait()
        yield serve.url
    finally:
        serve.stop()


def _parity(data: Path, *options: object) -> Any:
    command = ["parity", TASK, "--preset", "tiny", "--data", data, "-n", N, *options]
    return CliRunner().invoke(app, [str(word) for word in command], prog_name="vlmkit")


@pytest.mark.parametrize("adapted", [False, True], ids=["base", "adapter"])
def test_three_engines_say_the_same(
    adapted: bool, server: str, adapter: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "parity.json"
    engines = ["--engine", "local", "--engine", "vllm", "--engine", "openai", "--server", server]
    done = _parity(data, *engines, *(["--adapter", adapter] if adapted else []), "-o", out)
    with capsys.disabled():
        print(f"\n\n{'with an adapter' if adapted else 'the base'}: {done.stdout}")  # what the session is asked for
    assert done.exit_code == 0, done.output
    told = json.loads(out.read_text(encoding="utf-8"))
    assert [(row["engine"], row["grids"]) for row in told["rows"]] == [("vllm", True)] * N + [("openai", None)] * N
    for row in told["rows"]:
        assert (row["prompt"], row["tokens"], row["text"], row["value"], row["answered"]) == (True,) * 5
        assert row["gap"] < 1e-3
    assert told["cautions"] == []


def test_other_weights_are_seen(adapter: Path, data: Path, tmp_path: Path) -> None:
    local, out = tmp_path / "local.json", tmp_path / "parity.json"
    assert _parity(data, "--engine", "local", "--adapter", adapter, "--save", local).exit_code == 0
    done = _parity(data, "--engine", "vllm", "--against", local, "-o", out)
    told = json.loads(out.read_text(encoding="utf-8"))
    rows = told["rows"]
    assert all(row["prompt"] and row["grids"] for row in rows)
    assert max(row["gap"] or 0 for row in rows) > 1e-2 or not all(row["tokens"] for row in rows)
    assert told["cautions"] == ["adapter: 'drawn' in local, None in vllm"]
    assert done.exit_code == (0 if all(row["value"] for row in rows) else 1)
