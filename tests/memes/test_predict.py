"""`predict`: one meme in, the five promised keys out."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

import vlmkit
from tests.memes.rules import IMAGE_BIAS, REDNESS, THRESHOLDS, RuleHead, redness, scene, sigmoid, text_margin
from vlmkit.errors import VlmkitError
from vlmkit.types import Sample
from vlmkit_plugins.memes import ocr
from vlmkit_plugins.memes.predict import predict

KEYS = ["prob_hate", "label", "model", "threshold", "logits"]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A file with a red block."""
    path = tmp_path / "m.png"
    Pillow.fromarray(scene()).save(path)
    return path


@pytest.fixture
def head() -> Any:
    """One whose answers are known."""
    return RuleHead()


def test_words_and_picture_are_answered_by_the_fusion(head: Any, picture: Path) -> None:
    found = predict("vermin", picture, head=head)
    assert list(found) == KEYS
    margin = text_margin("vermin") + IMAGE_BIAS + REDNESS * redness(scene())
    assert found == {
        "prob_hate": pytest.approx(sigmoid(margin)),
        "label": 1,
        "model": "mm_fusion",
        "threshold": 0.5,
        "logits": [0.0, pytest.approx(margin)],
    }


@pytest.mark.parametrize(
    ("text", "with_picture", "model"), [("zoggs", False, "text_expert"), (None, True, "vision_expert")]
)
def test_either_alone_is_answered_by_its_expert(
    head: Any, picture: Path, text: str | None, with_picture: bool, model: str
) -> None:
    found = predict(text, str(picture) if with_picture else None, head=head)
    assert (found["model"], found["threshold"]) == (model, THRESHOLDS[model])
    assert list(found) == KEYS


@pytest.mark.parametrize(("threshold", "label"), [(0.0, 1), (0.49, 1), (0.5, 1), (0.51, 0), (1, 0)])
def test_a_threshold_of_ones_own(head: Any, threshold: float, label: int) -> None:
    found = predict("zoggs", head=head, threshold=threshold)  # its margin is 0
    assert (found["prob_hate"], found["label"], found["threshold"]) == (0.5, label, threshold)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan"), True, "0.5"])
def test_a_threshold_is_a_probability(head: Any, threshold: Any) -> None:
    with pytest.raises(VlmkitError, match="threshold is a probability"):
        predict("zoggs", head=head, threshold=threshold)
    assert not head.asked


@pytest.mark.parametrize("text", [None, "", " \n", "\u200b"])
def test_nothing_is_not_answered(head: Any, text: str | None) -> None:
    with pytest.raises(VlmkitError, match="nothing to answer about; give text, image_path, or both"):
        predict(text, head=head)


def test_without_an_answer_the_reasons_are_raised(tmp_path: Path) -> None:
    head: Any = RuleHead()
    with pytest.raises(VlmkitError, match=r"gone: no answer: media_missing: .*; refused: would not"):
        predict(image_path=tmp_path / "gone.png", head=head)


def test_what_could_not_be_used_is_logged(head: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "vlmkit"):
        assert predict("zoggs", tmp_path / "gone.png", head=head)["model"] == "text_expert"
    assert "gone: media_missing: there is no such file" in caplog.text


def test_weights_are_loaded_as_asked(head: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def load(name: str, **options: Any) -> Any:
        asked.append((name, options))
        return head

    monkeypatch.setitem(vlmkit.__dict__, "load", load)
    predict("zoggs", preset="tiny", calibration="pilot")
    assert asked == [("memes", {"preset": "tiny", "model": None, "calibration": "pilot"})]


@pytest.mark.parametrize("options", [{"preset": "tiny"}, {"model": "runs/mine"}, {"calibration": "none"}])
def test_a_loaded_head_brings_its_own(head: Any, options: dict[str, Any]) -> None:
    with pytest.raises(VlmkitError, match="a loaded head brings its own"):
        predict("zoggs", head=head, **options)


def test_words_are_read_in_the_picture_where_asked(head: Any, picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def with_ocr(samples: list[Sample]) -> Any:
        return [Sample(one.id, one.media, "vermin") for one in samples], None

    monkeypatch.setattr(ocr, "with_ocr", with_ocr)
    assert predict(image_path=picture, head=head)["model"] == "vision_expert"
    assert predict(image_path=picture, head=head, ocr=True)["model"] == "mm_fusion"


def test_figures_are_plain_numbers(head: Any, picture: Path) -> None:
    found = predict("a", picture, head=head)
    assert {type(value) for value in found.values()} == {float, int, str, list}
    assert not any(isinstance(value, np.generic) for value in found["logits"])


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"text": 5}, "text is a string; given int"),
        ({"text": b"hi"}, "text is a string; given bytes"),
        ({"text": "hi", "image_path": ""}, "image_path names a file; given ''"),
        ({"image_path": np.zeros((4, 4, 3))}, "image_path names a file; given ndarray"),
    ],
)
def test_other_kinds_of_arguments_are_refused_by_name(head: Any, given: dict[str, Any], named: str) -> None:
    with pytest.raises(VlmkitError, match=named):
        predict(**given, head=head)
    assert not head.asked


def test_a_threshold_of_numpy_is_a_number(head: Any) -> None:
    found = predict("zoggs", head=head, threshold=np.float32(0.25))  # type: ignore[arg-type]
    assert (type(found["threshold"]), found["threshold"]) == (float, 0.25)
