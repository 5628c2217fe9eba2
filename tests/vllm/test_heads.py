"""Whole heads on vLLM, opened as a user opens them, beside the same heads in `transformers`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import vlmkit
from tests.vllm.models import LLM_ONLY, draw
from vlmkit.cli import app
from vlmkit.errors import AdapterError, VlmkitError, WiringError
from vlmkit.head import Head
from vlmkit.plugins import installed
from vlmkit.types import Sample

N = 6


def _samples(task: str, folder: Path) -> list[Sample]:
    made = installed().registry.get("tasks", task)()
    made.synth(folder, N, 11, 1)
    return list(made.read(folder))


def _closed(head: Head[Any]) -> None:
    (head.model.engine or head.model.llm).close()  # type: ignore[union-attr]


@pytest.fixture
def opened() -> Iterator[Any]:
    heads: list[Head[Any]] = []

    def open_one(*args: Any, **options: Any) -> Head[Any]:
        heads.append(vlmkit.load(*args, engine="vllm", **options))
        return heads[-1]

    yield open_one
    for head in heads:
        _closed(head)


def _equal(found: Any, wanted: Any) -> None:
    assert found.raw == wanted.raw
    assert found.value == wanted.value
    assert [problem.code for problem in found.problems] == [problem.code for problem in wanted.problems]
    assert found.used == wanted.used
    assert found.confidence == pytest.approx(wanted.confidence, abs=1e-3)


@pytest.mark.parametrize("task", ["warehouse", "football", "purrsight"])
def test_a_shipped_head_answers_as_it_does_in_transformers(task: str, opened: Any, tmp_path: Path) -> None:
    samples = _samples(task, tmp_path / "data")
    wanted = list(vlmkit.load(task, preset="tiny", device="cpu").predict_many(samples))
    head = opened(task, preset="tiny")
    for found, reference in zip(head.predict_many(samples), wanted, strict=True):
        _equal(found, reference)
    assert head.provenance["engine"] == "vllm"
    assert any(one.value for one in wanted)


@pytest.mark.parametrize("task", ["warehouse", "purrsight"])
def test_an_adapter_is_served_and_named(task: str, opened: Any, tmp_path: Path) -> None:
    samples = _samples(task, tmp_path / "data")
    trained = vlmkit.load(task, preset="tiny", device="cpu")
    backbone: Any = trained.model.backbone
    backbone.add_lora(**LLM_ONLY)
    draw(backbone.hf, 3, 0.1)
    backbone.save_adapter(tmp_path / "adapter", {})
    local = vlmkit.load(task, preset="tiny", adapter=tmp_path / "adapter", device="cpu")
    wanted = list(local.predict_many(samples))
    head = opened(task, preset="tiny", adapter=tmp_path / "adapter")
    found = list(head.predict_many(samples))
    for one, reference in zip(found, wanted, strict=True):
        _equal(one, reference)
    assert head.provenance["adapted_modules"] == local.provenance["adapted_modules"] > 0
    base = list(vlmkit.load(task, preset="tiny", device="cpu").predict_many(samples))
    assert any(
        one.confidence != pytest.approx(other.confidence, abs=1e-2) for one, other in zip(found, base, strict=True)
    )


def test_an_adapter_of_another_head_is_refused(tmp_path: Path) -> None:
    trained = vlmkit.load("warehouse", preset="tiny", weights="random", device="cpu")
    backbone: Any = trained.model.backbone
    backbone.add_lora(**LLM_ONLY)
    draw(backbone.hf, 3)
    backbone.save_adapter(tmp_path / "adapter", {})
    with pytest.raises(AdapterError, match="trained on base 'sha256:"):
        vlmkit.load("warehouse", preset="tiny", adapter=tmp_path / "adapter", engine="vllm")


def test_what_vllm_is_not_given_is_said_before_it_starts() -> None:
    with pytest.raises(WiringError, match="save random ones first"):
        vlmkit.load("warehouse", preset="tiny", weights="random", engine="vllm")
    with pytest.raises(WiringError, match="fp32, bf16 or fp16, not 'int8'"):
        vlmkit.load("warehouse", preset="tiny", precision="int8", engine="vllm")
    with pytest.raises(WiringError, match="'cuda'"):
        vlmkit.load("warehouse", preset="tiny", device="cuda", engine="vllm")
    with pytest.raises(VlmkitError, match="no language model"):
        vlmkit.load("memes", preset="tiny", engine="vllm")


def test_the_command_line(tmp_path: Path) -> None:
    _samples("warehouse", tmp_path / "data")
    film = str(next((tmp_path / "data").rglob("*.mp4")))
    command = ["predict", "warehouse", "--preset", "tiny", "--video", film]
    answers = []
    for engine in ("local", "vllm"):
        done = CliRunner().invoke(app, [*command, "--engine", engine], prog_name="vlmkit")
        assert done.exit_code == 0, done.output
        answers.append(json.loads(done.stdout))
    local, served = answers
    assert served.pop("confidence") == pytest.approx(local.pop("confidence"), abs=1e-3)
    assert served == local


def test_a_closed_engine_says_so(tmp_path: Path) -> None:
    (sample, *_) = _samples("warehouse", tmp_path / "data")
    head = vlmkit.load("warehouse", preset="tiny", engine="vllm")
    _closed(head)
    with pytest.raises(WiringError, match="was closed"):
        next(head.predict_many([sample]))
    _closed(head)
