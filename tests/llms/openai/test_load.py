"""A room's head on a server, from Python and from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import vlmkit
from tests.llms.openai.heads import engine
from tests.llms.openai.loopback import Answer, chat, error, serving
from vlmkit.cli import app
from vlmkit.errors import VlmkitError
from vlmkit.types import Clip

COSMOS = ({"id": "cosmos", "owned_by": "vllm", "root": "nvidia/Cosmos-Reason1-7B", "max_model_len": 9000},)
EVENT = {"description": "A goal.", "start_time": "0:0:0", "end_time": "0:0:1", "event": "Goal"}


def film(seconds: int = 2) -> Clip:
    frames = np.random.default_rng(0).integers(0, 256, (4 * seconds, 84, 112, 3), dtype=np.uint8)
    return Clip(frames, fps=4)


def head(url: str, **chosen: Any) -> Any:
    return vlmkit.load("football", engine="openai", server=url, **chosen)


def test_a_head_on_a_server_answers_like_any() -> None:
    with serving(chat(json.dumps([EVENT])), COSMOS, "0.33.0") as told:
        made = head(told.url)
        found = made.predict(video=film())
        (body,) = told.asked
    assert [one.event for one in found.value.root] == ["Goal"]
    assert found.problems == ()
    assert found.used == ("video",)
    stamp = found.provenance
    assert (stamp["engine"], stamp["server"], stamp["served_model"]) == ("openai", told.url, "cosmos")
    assert (stamp["films_as"], stamp["adapted_modules"], stamp["base"]["id"]) == (
        "pngs", 0, "nvidia/Cosmos-Reason1-7B"
    )  # fmt: skip
    assert "api_key" not in json.dumps({name: str(value) for name, value in stamp.items()}).lower()
    assert body["model"] == "cosmos"
    assert body["media_io_kwargs"]["video"]["frames_indices"][:3] == [0, 250_000, 500_000]
    assert engine(made.model).form == "pngs"


def test_an_adapter_is_a_name_on_the_server() -> None:
    cards = (*COSMOS, {"id": "goals", "owned_by": "vllm", "root": "/adapters/goals", "parent": "cosmos"})
    with serving(chat("[]"), cards, "0.33.0") as told:
        found = head(told.url, adapter="goals").predict(video=film())
        assert told.asked[0]["model"] == "goals"
    assert found.value is not None and list(found.value.root) == []
    assert (found.provenance["served_model"], found.provenance["adapted_modules"]) == ("goals", None)


def test_a_server_is_for_its_engine_only() -> None:
    with pytest.raises(VlmkitError, match="a server is for engine='openai'"):
        vlmkit.load("football", preset="tiny", server="http://127.0.0.1:9/v1")


def predict(path: Path, *more: str) -> Any:
    return CliRunner().invoke(app, ["predict", "football", "--engine", "openai", "--video", str(path), *more])


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from vlmkit_plugins.football import synth

    folder = tmp_path_factory.mktemp("clip")
    synth.synth(folder, 1, 0, 1)
    return next(folder.rglob("*.mp4"))


def test_the_command_line_asks_a_server(clip: Path) -> None:
    with serving(chat(json.dumps([EVENT])), COSMOS, "0.33.0") as told:
        found = predict(clip, "--server", told.url)
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout) == [EVENT]


def test_the_command_line_says_one_line_where_nothing_is_there(clip: Path) -> None:
    found = predict(clip)
    assert found.exit_code == 3
    assert found.stderr.strip().splitlines()[-1].startswith("vlmkit: no server was named; give its address")
    found = predict(clip, "--server", "http://127.0.0.1:9/v1#m")
    assert found.exit_code == 3
    assert "vlmkit: no server answers at http://127.0.0.1:9/v1" in found.stderr


def test_the_command_line_says_which_sample_a_server_failed(clip: Path) -> None:
    def down(number: int, body: Any) -> Answer:
        return error(503, "overloaded", x_should_retry="false")

    with serving(down, COSMOS, "0.33.0") as told:
        found = predict(clip, "--server", told.url)
    assert found.exit_code == 3
    assert "the server answered HTTP 503: overloaded" in found.stderr
