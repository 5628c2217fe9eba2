"""The shipped head, as a user meets it: through `vlmkit.load` and the command line, on films on disk."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import vlmkit
from vlmkit.cli import app
from vlmkit.cli.guard import SOME_PROBLEMS
from vlmkit.evaluate import evaluate
from vlmkit.head import Head
from vlmkit.types import Clip
from vlmkit_plugins.football.data import read
from vlmkit_plugins.football.schema import Events, parse_events
from vlmkit_plugins.football.synth import synth

N = 24


@pytest.fixture(scope="module")
def head() -> Head[Any]:
    return vlmkit.load("football", preset="tiny", device="cpu")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("clips")
    synth(folder, N, 424_242, 1)
    return folder


def test_it_is_right_about_fresh_clips(head: Head[Any], clips: Path) -> None:
    """A floor that a broken file, prompt or sampler would fall through; `vlmkit bench football_tiny` measures."""
    samples = list(read(clips))
    found = list(head.predict_many(samples))
    assert all(one.value is not None for one in found)
    figures = evaluate(head.task, samples, found).metrics
    assert figures["F1@0.5"] >= 0.85
    assert figures["empty_right"] == 1.0
    assert max(figures["start_error_s"], figures["end_error_s"]) <= 1.0


def test_the_answer_follows_the_frames_and_nothing_else(head: Head[Any], clips: Path) -> None:
    first, second = [sample for sample in read(clips) if sample.truth is not None and len(sample.truth)][:2]
    a, b = head.predict_many([first, second])
    assert a.value != b.value
    swapped = replace(first, media=second.media, meta={}, truth=None)
    assert next(head.predict_many([swapped])).value == b.value


def test_batches_and_singles_agree(head: Head[Any], clips: Path) -> None:
    samples = list(read(clips))[:5]
    together = [one.raw for one in head.predict_many(samples, batch_size=5)]
    assert together == [one.raw for one in head.predict_many(samples, batch_size=1)]


@pytest.mark.parametrize(
    ("n", "height", "width", "fps"),
    [(1, 120, 160, 25.0), (13, 112, 168, 12.0), (90, 320, 180, 30.0), (30, 16, 1600, 25.0)],
    ids=["one frame", "a second", "upright", "a strip"],
)
def test_odd_films_get_an_answer_or_a_typed_problem(
    head: Head[Any], n: int, height: int, width: int, fps: float
) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (n, height, width, 3), dtype=np.uint8)
    one = head.predict(video=Clip(frames, fps=fps))
    if one.value is None:
        assert any(problem.fatal and problem.code and problem.message for problem in one.problems)
    else:
        assert isinstance(one.value, Events)
        assert all(event.end_s <= np.ceil(n / fps) for event in one.value.root)


def test_the_command_prints_the_array_and_nothing_else(clips: Path) -> None:
    film = str(next((clips / "videos").iterdir()))
    done = subprocess.run(
        [sys.executable, "-m", "vlmkit", "predict", "football", "--preset", "tiny", "--video", film],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert isinstance(json.loads(done.stdout), list)
    parse_events(json.loads(done.stdout), film)


def test_several_films_are_lines_that_evaluate_takes(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "predictions.jsonl"
    films = str(clips / "videos")
    options = ["--preset", "tiny", "--device", "cpu"]
    done = CliRunner().invoke(app, ["predict", "football", "--video", films, *options, "-o", str(out)])
    assert done.exit_code in (0, SOME_PROBLEMS), done.output  # an event or two may end where they begin, which it says
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [set(line) for line in lines] == [{"id", "events"}] * N
    given = ["--predictions", str(out), "--data", str(clips), "-o", str(tmp_path / "report")]
    told = CliRunner().invoke(app, ["evaluate", "football", *given])
    assert told.exit_code == 0, told.output
    figures = json.loads((tmp_path / "report" / "metrics.json").read_text(encoding="utf-8"))
    assert figures["n"] == N and figures["metrics"]["F1@0.5"] >= 0.85


def test_card_and_provenance_say_that_it_knows_drawings_only(head: Head[Any], clips: Path) -> None:
    one = head.predict(video=next((clips / "videos").iterdir()))
    assert one.provenance["synthetic"] is True and one.provenance["preset"] == "tiny"
    assert one.provenance["specs"]["video"]["fps"] == 4.0
    folder = head.task.presets["tiny"].checkpoint
    assert folder is not None and "synthetic" in (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_promised_figures_on_200_fresh_clips(head: Head[Any], tmp_path: Path) -> None:
    synth(tmp_path / "fresh", 200, 987_654, 2)
    report = head.evaluate(tmp_path / "fresh")
    assert report.metrics["F1@0.5"] >= 0.85
    assert report.metrics["empty_right"] >= 0.95
    assert max(report.metrics["start_error_s"], report.metrics["end_error_s"]) <= 0.5
    assert not {"not_json", "not_schema", "truncated"} & set(report.failures)
