"""The shipped head, as a user meets it: through `vlmkit.load` and the command line, on files on disk."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import vlmkit
from tests.media.sounds import sounding_film
from vlmkit.cli import app
from vlmkit.errors import BudgetError
from vlmkit.head import Head
from vlmkit.types import Clip, Image, Limits, Prediction
from vlmkit_plugins.purrsight.data import absent, read
from vlmkit_plugins.purrsight.schema import MARKERS, RISKY
from vlmkit_plugins.purrsight.sounds import sound
from vlmkit_plugins.purrsight.synth import synth

N = 40
RATE_HZ = 16_000


@pytest.fixture(scope="module")
def head() -> Head[Any]:
    return vlmkit.load("purrsight", preset="tiny", device="cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("cats") / "fresh"
    synth(made, N, 424_242, 1)
    return made


def _fields(prediction: Prediction[Any]) -> dict[str, Any]:
    assert prediction.value is not None, prediction.problems
    fields: dict[str, Any] = prediction.value.fields
    return fields


def test_it_is_right_about_fresh_samples(head: Head[Any], folder: Path) -> None:
    """A floor that a broken file, prompt or reader would fall through; `vlmkit bench purrsight_tiny` measures."""
    samples = list(read(folder))
    found = list(head.predict_many(samples))
    assert all(one.value is not None for one in found)
    right = [
        one.value.fields[name] == sample.truth.fields[name]  # type: ignore[union-attr]
        for sample, one in zip(samples, found, strict=True)
        for name in sample.truth.fields  # type: ignore[union-attr]
    ]
    assert np.mean(right) >= 0.9
    for sample, one in zip(samples, found, strict=True):
        assert one.value is not None
        assert all(one.value.fields[marker] == "not_observed" for marker in absent(sample))
        if sample.truth.fields["risk_rating"] in RISKY:  # type: ignore[union-attr]
            assert one.value.fields["risk_rating"] in RISKY


@pytest.mark.slow
def test_300_unseen_samples_keep_the_promised_figures(head: Head[Any], tmp_path: Path) -> None:
    synth(tmp_path / "unseen", 300, 987_654, 2)
    figures = head.evaluate(tmp_path / "unseen").metrics
    assert all(figures[f"{marker}_macro_f1"] >= 0.9 for marker in MARKERS)
    assert figures["not_observed_recall@absent"] == figures["valid"] == 1.0
    assert figures["risk_recall"] >= 0.95


def test_the_answer_follows_what_is_seen_heard_and_read(head: Head[Any]) -> None:
    hiss, purr = (_fields(head.predict(text=text)) for text in ("It hisses, its ears are flattened.", "It purrs."))
    assert (hiss["vocalization"], hiss["ears"]) == ("hiss", "flattened")
    assert (purr["vocalization"], purr["ears"]) == ("purr", "not_observed")
    film = Clip(sounding_film(50, samples=sound("growl", np.random.default_rng(3), 2.0)[None], rate_hz=RATE_HZ))
    heard = head.predict(video=film)
    assert heard.used == ("audio", "video")
    assert _fields(heard)["vocalization"] == "growl"


def test_confidence_is_given_by_field_and_not_for_what_is_forced(head: Head[Any]) -> None:
    found = head.predict(text="It purrs, its tail is upright.")
    assert {f"diagnostic.physical_markers.{marker}" for marker in MARKERS} <= set(found.confidence)
    assert all(0 < value <= 1 for value in found.confidence.values())
    picture = Image(np.full((64, 64, 3), 128, np.uint8))
    assert "diagnostic.physical_markers.vocalization" not in head.predict(image=picture).confidence


def test_watch_gives_one_answer_a_window(head: Head[Any], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    voices = np.concatenate([sound(voice, rng, 2.0) for voice in ("purr", "hiss", "silent")])[None]
    film = tmp_path / "long.mkv"
    film.write_bytes(sounding_film(150, samples=voices, rate_hz=RATE_HZ))
    found = list(head.watch(film, window_s=2.0))
    assert [_fields(one)["vocalization"] for one in found] == ["purr", "hiss", "silent"]
    assert [one.provenance["window"]["start_s"] for one in found] == [0.0, 2.0, 4.0]


def test_the_command_line_prints_the_envelope(folder: Path) -> None:
    picture = next((folder / "images").glob("*.jpg"))
    done = CliRunner().invoke(app, ["predict", "purrsight", "--preset", "tiny", "--image", str(picture)])
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    assert list(record) == [
        "timestamp",
        "input_type",
        "model_checkpoint",
        "generated_text",
        "metadata",
        "input_file",
        "analysis",
    ]
    assert (record["input_type"], record["input_file"]) == ("image", str(picture))
    assert record["metadata"] == {"model_version": "2.0", "phase": "phase2", "schema_version": "V3"}
    datetime.fromisoformat(record["timestamp"])
    markers = record["analysis"]["diagnostic"]["physical_markers"]
    assert list(markers) == list(MARKERS)
    assert markers["vocalization"] == "not_observed"
    assert json.loads(record["generated_text"]) == record["analysis"]


def test_a_budget_that_no_reply_fits_is_an_error(head: Head[Any]) -> None:
    with pytest.raises(BudgetError, match="cannot hold a reply of this schema"):
        head.predict(text="It purrs.", limits=Limits(100))


def test_it_says_that_it_was_trained_on_synthetic_data(head: Head[Any]) -> None:
    assert head.provenance["synthetic"] is True
    assert head.predict(text="It purrs.").provenance["synthetic"] is True
    (run,) = head.provenance["training"]
    assert [stage["objective"] for stage in run["stages"]] == ["attributes", "align", "sft"]
    retrieval = run["stages"][1]["validation"][-1]
    assert {"R@1", "loss"} <= set(retrieval)
