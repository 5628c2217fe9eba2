"""Answers that are withheld because the head is not sure enough."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vlmkit
from tests import calibrated
from tests.calibrated import folder, guess_rows, saved, tone_rows
from vlmkit.calibrating import calibrate
from vlmkit.errors import VlmkitError
from vlmkit.head import Head
from vlmkit.types import Sample


@pytest.fixture(autouse=True)
def tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    calibrated.register(monkeypatch)


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    return saved("tones", tmp_path / "head", [Sample("old", text="1.0 of old")])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return folder(tmp_path / "data", tone_rows(600))


@pytest.fixture
def sure(tones: Path, data: Path) -> Head[Any]:
    calibrate("tones", data=data, model=tones)
    return vlmkit.load("tones", model=tones)


def test_an_answer_below_the_limit_is_withheld(sure: Head[Any]) -> None:
    known, doubtful = (sure.predict(text=text, abstain_below=0.7) for text in ("9.0", "0.3"))
    assert known.value is not None
    assert doubtful.value is None
    (problem,) = doubtful.problems
    assert (problem.code, problem.fatal) == ("abstained", True)
    assert f"{doubtful.confidence['reply']:.3f}, below 0.7" in problem.message
    exact = sure.predict(text="0.3").confidence["reply"]
    assert sure.predict(text="0.3", abstain_below=exact).value is not None


def test_answers_in_words_stay_as_raw_text(tmp_path: Path) -> None:
    model = saved("guesses", tmp_path / "m", [])
    head = vlmkit.load("guesses", model=model)
    found = head.predict(text=guess_rows(1)[0]["text"], abstain_below=0.9)
    assert (found.value, found.raw) == (None, '{"colour":"red","size":"small"}')


def test_an_answer_without_a_confidence_is_withheld_too(tmp_path: Path) -> None:
    head = vlmkit.load("guesses", model=saved("guesses", tmp_path / "m", []))
    text = json.dumps({"text": '{"colour":"red","size":"small"}'})
    found = head.predict(text=text, abstain_below=0.1)
    assert found.value is None
    assert "nothing says how sure" in found.problems[0].message


@pytest.mark.parametrize("limit", [0, -0.1, 1.5, float("nan")])
def test_a_limit_that_is_no_probability_is_refused(sure: Head[Any], limit: float) -> None:
    with pytest.raises(VlmkitError, match="above 0 and up to 1"):
        sure.predict(text="1", abstain_below=limit)


def test_selective_answers_are_better(sure: Head[Any], tmp_path: Path) -> None:
    rows = tone_rows(300, seed=8)
    found = list(sure.predict_many([Sample(row["id"], text=row["text"]) for row in rows], abstain_below=0.8))
    kept = [one.value.label == row["truth"] for one, row in zip(found, rows, strict=True) if one.value is not None]
    every = [
        one.value.label == row["truth"]  # type: ignore[union-attr]
        for one, row in zip(sure.predict_many([Sample(r["id"], text=r["text"]) for r in rows]), rows, strict=True)
    ]
    assert 30 < len(kept) < 270
    assert np.mean(kept) > np.mean(every) + 0.05
