"""The shipped head, as a user meets it: through `vlmkit.load` and the command line, on memes on disk."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import vlmkit
from vlmkit.cli import app
from vlmkit.evaluate import Report, evaluate
from vlmkit.head import Head
from vlmkit.seen import FILE, Seen, truth_sha256
from vlmkit.types import Sample
from vlmkit_plugins.memes.data import read
from vlmkit_plugins.memes.phrases import SLURS
from vlmkit_plugins.memes.schema import Verdict
from vlmkit_plugins.memes.synth import synth

N = 160
TINY = Path(vlmkit.__file__).parents[1] / "vlmkit_plugins" / "memes" / "tiny"


@pytest.fixture(scope="module")
def head() -> Head[Verdict]:
    return vlmkit.load("memes", preset="tiny", device="cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("memes")
    synth(made / "data", N, 424_242, 1)
    return made / "data"


@pytest.fixture(scope="module")
def samples(folder: Path) -> list[Sample]:
    return list(read(folder))


@pytest.fixture(scope="module")
def report(head: Head[Verdict], samples: list[Sample]) -> Report:
    return evaluate(head.task, samples, head.predict_many(samples, batch_size=32))


def alone(head: Head[Verdict], samples: list[Sample], keep: str) -> list[Sample]:
    """The same samples with one modality only."""
    if keep == "text":
        return [replace(sample, media={}) for sample in samples]
    return [replace(sample, text=None) for sample in samples]


def accuracy(head: Head[Verdict], samples: list[Sample]) -> float:
    found = head.predict_many(samples, batch_size=32)
    pairs = [(one.value, sample.truth) for one, sample in zip(found, samples, strict=True)]
    right = [answer.label == truth.label for answer, truth in pairs if answer is not None and truth is not None]
    assert len(right) == len(samples)
    return float(np.mean(right))


def test_together_it_knows_and_alone_it_does_not(head: Head[Verdict], samples: list[Sample], report: Report) -> None:
    """A floor that a broken file or reading would fall through; `vlmkit bench memes_tiny` measures on 500."""
    assert report.metrics["macro_f1"] >= 0.9
    assert report.metrics["ECE"] <= 0.05
    for keep in ("text", "image"):
        assert accuracy(head, alone(head, samples, keep)) <= 0.65


def test_what_one_modality_settles_survives_the_loss_of_the_other(head: Head[Verdict], samples: list[Sample]) -> None:
    for keep in ("text", "image"):
        settled = [sample for sample in samples if sample.meta["settled_by"] == keep]
        assert len(settled) >= 20
        assert accuracy(head, alone(head, settled, keep)) >= 0.8 * accuracy(head, settled)


def test_it_is_calibrated_on_samples_that_it_has_not_learned_from(head: Head[Verdict]) -> None:
    about = json.loads((TINY / "vlmkit.json").read_text(encoding="utf-8"))
    found = about["calibration"]["full"]
    assert found["checked_against_training"] is True
    assert found["n"] >= 500
    assert set(json.loads((TINY / "calibration_full.json").read_text())) == set(found["names"])
    assert head.provenance["synthetic"] is True
    answer = head.predict(text="what a lovely cake")
    assert set(answer.uncalibrated) == set(answer.confidence)


def test_its_training_samples_are_on_record(samples: list[Sample], tmp_path: Path) -> None:
    seen = Seen.read(TINY / FILE)
    assert not seen.meets(samples).ids
    synth(tmp_path / "trained", 40, 3, 1)  # the first of those that it was trained on (benchmarks/memes_retrain.py)
    met = seen.meets(list(read(tmp_path / "trained")))
    assert len(met.ids) >= 20
    assert len(met.contents) >= 20


def test_the_command_line_promises_five_keys(folder: Path, samples: list[Sample], tmp_path: Path) -> None:
    picture = next(folder.rglob("*.jpg"))
    out = tmp_path / "answer.json"
    arguments = ["predict", "memes", "--preset", "tiny", "--image", str(picture), "--text", "so lovely", "-o", str(out)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert set(json.loads(out.read_text())) == {"prob_hate", "label", "model", "threshold", "logits"}


def test_withheld_answers_are_said_and_counted(head: Head[Verdict], samples: list[Sample]) -> None:
    words = alone(head, samples[:20], "text")
    found = list(head.predict_many(words, abstain_below=0.9))
    withheld = [one for one in found if one.value is None]
    assert withheld
    assert {problem.code for one in withheld for problem in one.problems if problem.fatal} == {"abstained"}
    scored = evaluate(head.task, words, found)
    assert scored.n == len(words)
    assert scored.failures["abstained"] == len(withheld)


def test_loading_says_that_it_is_synthetic(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="vlmkit"):
        vlmkit.load("memes", preset="tiny")
    assert "synthetic" in caplog.text


def test_what_an_answer_hangs_on(head: Head[Verdict], samples: list[Sample], tmp_path: Path) -> None:
    slur = next(one for one in samples if one.meta["tone"] == "slur")
    explain: Any = head.task.explain
    found = explain(head, slur, tmp_path / "evidence.png")
    margins = {word["text"]: word["margin_effect"] for word in found["words"]}
    assert any(name in max(margins, key=lambda word: margins[word]).lower() for name in SLURS)
    assert (tmp_path / "evidence.png").stat().st_size > 5000


def test_an_evaluation_on_samples_that_it_knows_says_so(
    head: Head[Verdict], samples: list[Sample], tmp_path: Path
) -> None:
    assert head.familiar(samples) == ()
    synth(tmp_path / "trained", 40, 3, 1)  # the first of those that it was trained on (benchmarks/memes_retrain.py)
    report = head.evaluate(tmp_path / "trained")
    assert "the head has learned from" in report.warnings[0]
    assert "of these 40 samples, such as 'synth_all_0003-0000" in report.warnings[0]
    record = head.beside.record
    assert record is not None
    calibrated = record.model_copy(update={"truth_sha256": truth_sha256(samples)})
    beside = replace(head.beside, record=calibrated)
    (said,) = Head(head.task, head.model, head.provenance, beside).familiar(samples) or ()
    assert "calibrated on these very samples" in said


def test_what_was_learned_from_can_be_left_out(tmp_path: Path) -> None:
    synth(tmp_path / "trained", 48, 3, 1)  # the first of those that it was trained on
    out = tmp_path / "report"
    arguments = ["evaluate", "memes", "--preset", "tiny", "--data", str(tmp_path / "trained"), "-o", str(out)]
    done = CliRunner().invoke(app, [*arguments, "--without-learned"])
    known = len(Seen.read(TINY / FILE).meets(list(read(tmp_path / "trained"))).ids)
    found = json.loads((out / "metrics.json").read_text())
    assert found["n"] == 48 - known
    assert f"{known} of 48 samples were learned from, and left out" in found["warnings"]
    assert done.exit_code in (0, 1), done.output


def test_the_demo_tells_classes_and_how_sure_the_head_is(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["demo", "memes", "-n", "2", "-o", str(tmp_path / "shown")])
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("synth_all_")]
    assert [row[1] in "01" and row[2] in "01" for row in rows] == [True, True]
    assert all(row[3].startswith("(") and 0.5 <= float(row[3].strip("()")) <= 1 for row in rows)
