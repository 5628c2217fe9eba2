"""How a plugin is tested without its weights: a scripted head, and a random model of the same class."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import daylight
from tests.tiny_models import tiny_qwen2_5_vl

from vlmkit.task import BuildOptions
from vlmkit.testing.fakes import FakeHead


def test_the_installed_program_lists_the_plugin() -> None:
    done = subprocess.run([sys.executable, "-m", "vlmkit", "tasks"], capture_output=True, text=True, check=True)
    assert "daylight" in done.stdout


def test_drawn_pictures_are_read_with_their_truth_and_scored(tmp_path: Path) -> None:
    daylight.synth(tmp_path, 12, seed=0, workers=1)
    samples = list(daylight.read(tmp_path))
    head = FakeHead(daylight.task())
    head.enqueue(*(sample.truth for sample in samples))
    report = head.evaluate(tmp_path)
    assert report.n == 12
    assert report.metrics["accuracy"] == 1.0
    assert report.baselines["majority"]["accuracy"] < 1.0


def test_a_random_model_answers_in_the_schema(tmp_path: Path) -> None:
    hf, processor = tiny_qwen2_5_vl()
    hf.save_pretrained(tmp_path / "base")
    processor.save_pretrained(tmp_path / "base")
    daylight.synth(tmp_path / "data", 2, seed=0, workers=1)
    model = daylight.build("qwen2.5-vl-3b", BuildOptions(checkpoint=tmp_path / "base", device="cpu"))
    for prediction in model.predict(list(daylight.read(tmp_path / "data"))):
        assert prediction.value is not None, prediction.problems
        assert prediction.used == ("image",)
