"""Disturbances spoil what they say, and what they cost is measured on the samples that they apply to."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from difflib import SequenceMatcher

import numpy as np
import pytest
from PIL import Image as pillow

from tests.evaluate.sure import SCORING, Spam, messages, task
from vlmkit.evaluate import evaluate
from vlmkit.evaluate.disturb import disturbances, misspell
from vlmkit.evaluate.figures import RobustnessRow
from vlmkit.evaluate.robustness import disturbed
from vlmkit.task import Task
from vlmkit.types import Image, Modality, Prediction, Sample

TEXT_ONLY: tuple[Modality, ...] = ("text",)
FILMS: tuple[Modality, ...] = ("video",)
TEXT = "The quick brown fox jumps over the lazy dog, 0123456789."


def grain() -> np.ndarray:
    """Noise: what compression and blur take away."""
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def spoil(name: str, sample: Sample, seed: int = 0) -> Sample | str:
    accepts: tuple[Modality, ...] = ("image", "text", "audio", "video")
    (found,) = (one for one in disturbances(accepts, ()) if one.name == name)
    return found.spoil(sample, seed)


def changed(text: str, share: float, seed: int) -> int:
    """Signs that are gone or new."""
    other = misspell(text, share, seed)
    kept = sum(block.size for block in SequenceMatcher(None, text, other, autojunk=False).get_matching_blocks())
    return max(len(text), len(other)) - kept


def test_a_share_of_the_letters_is_misspelt_by_the_seed() -> None:
    assert misspell(TEXT, 0.15, 3) == misspell(TEXT, 0.15, 3)
    assert misspell(TEXT, 0.15, 3) != misspell(TEXT, 0.15, 4)
    n = 40 * len(TEXT)
    assert 0.02 * n < sum(changed(TEXT, 0.05, seed) for seed in range(40)) < 0.08 * n
    assert 0.08 * n < sum(changed(TEXT, 0.15, seed) for seed in range(40)) < 0.2 * n


@pytest.mark.parametrize("text", ["a", "١٢٣", "日本語の文", "😀 ok", "מילים", ".", ""])
def test_any_text_can_be_misspelt(text: str) -> None:
    other = misspell(text, 0.05, 1)
    assert (other != text) == any(sign.isalnum() for sign in text)


def test_a_sample_is_spoilt_the_same_whatever_stands_beside_it() -> None:
    found = [spoil("15% of the letters", Sample(key, text=TEXT)) for key in ("a", "b", "a")]
    assert found[0] == found[2]
    assert found[0].text != found[1].text  # type: ignore[union-attr]


def test_compression_and_blur_keep_the_size_and_lose_the_grain() -> None:
    sample = Sample("a", {"image": Image(grain())}, "words")
    losses = []
    for name in (
        "JPEG quality 50",
        "JPEG quality 20",
        "JPEG quality 10",
        "blur of 1 px",
        "blur of 2 px",
        "blur of 4 px",
    ):
        found = spoil(name, sample)
        assert isinstance(found, Sample)
        source = found.media["image"].source
        pixels = np.array(pillow.open(io.BytesIO(source))) if isinstance(source, bytes) else source
        assert isinstance(pixels, np.ndarray)
        assert pixels.shape == (40, 60, 3)
        losses.append(float(np.abs(pixels.astype(float) - grain()).mean()))
        assert found.text == "words"
    assert losses[:3] == sorted(losses[:3])
    assert losses[3:] == sorted(losses[3:])
    assert min(losses) > 5


def test_what_does_not_apply_says_why() -> None:
    words, picture = Sample("a", text="hi"), Sample("b", {"image": Image(grain())})
    broken = Sample("c", {"image": Image(b"no picture")}, "hi")
    assert spoil("JPEG quality 20", words) == "no image"
    assert spoil("blur of 2 px", broken) == "image not_media"
    assert spoil("5% of the letters", picture) == "no letters"
    assert spoil("without text", words) == "nothing but text"
    assert spoil("without audio", words) == "no audio"
    (required,) = (one for one in disturbances(TEXT_ONLY, TEXT_ONLY) if one.name == "without text")
    assert required.spoil(broken, 0) == "text is required"


def test_only_what_a_task_reads_is_disturbed() -> None:
    assert [one.name for one in disturbances(FILMS, FILMS)] == ["without video"]
    assert len(list(disturbances((*TEXT_ONLY, "image"), ()))) == 3 + 3 + 2 + 2


def words_first(samples: Iterable[Sample]) -> Iterator[Prediction[Spam]]:
    """Knows the exact words alone; without any, the picture."""
    for sample in samples:
        assert sample.truth is None
        said = sample.text if sample.text is not None else ("win" if "image" in sample.media else "")
        yield Prediction(sample.id, Spam("yes" if said == "win" else "no"))


def both() -> Task[Spam]:
    return replace(task(), accepts=frozenset({"image", "text", "video"}), requires=frozenset())


def mixed() -> list[Sample]:
    """Spam brings a picture; every fourth message has nothing else."""
    found = []
    for place, sample in enumerate(messages(40)):
        hit = sample.truth is not None and sample.truth.label == "yes"
        media: dict[Modality, Image] = {"image": Image(grain()[:8, :8])} if hit else {}
        text = None if hit and place % 4 == 0 else "win" if hit else "hello you"
        found.append(Sample(sample.id, media, text, sample.truth))
    return found


def rows() -> dict[str, RobustnessRow]:
    samples = mixed()
    given = list(words_first(replace(sample, truth=None) for sample in samples))
    report = disturbed(evaluate(both(), samples, given), both(), samples, given, ask=words_first)
    assert "video is disturbed by its removal alone" in report.warnings
    assert "JPEG quality 20" in str(report)
    return {one.disturbance: one for one in report.robustness}


def test_what_each_disturbance_costs() -> None:
    found, samples = rows(), mixed()
    pictures = sum("image" in sample.media for sample in samples)
    alone = sum("image" in sample.media and sample.text is None for sample in samples)
    letters = found["5% of the letters"]
    assert (letters.n, letters.left_out) == (40 - alone, {"no letters": alone})
    assert letters.undisturbed == 1.0
    assert letters.disturbed < 0.5
    assert letters.interval[1] < 0
    assert letters.relative_loss == pytest.approx(1 - letters.disturbed)
    assert letters.difference == pytest.approx(letters.disturbed - letters.undisturbed)
    focus = found["blur of 4 px"]  # this head does not look so closely
    assert (focus.n, focus.difference, focus.interval, focus.relative_loss) == (pictures, 0.0, (0.0, 0.0), 0.0)
    gone = found["without image"]
    assert gone.left_out == {"no image": 40 - pictures, "nothing but image": alone}


def test_a_disturbance_that_applies_nowhere_is_said() -> None:
    row = rows()["without video"]
    assert (row.n, row.left_out) == (0, {"no video": 40})
    assert math.isnan(row.disturbed)
    assert math.isnan(row.relative_loss)


def test_a_task_with_a_score_is_compared_in_it_too() -> None:
    scored = replace(both(), scoring=replace(SCORING, combine=lambda means: {"score": means["accuracy"]}))
    samples = mixed()
    given = list(words_first(replace(sample, truth=None) for sample in samples))
    report = disturbed(evaluate(scored, samples, given), scored, samples, given, ask=words_first)
    assert [one.metric for one in report.robustness[:2]] == ["label macro-F1", "score"]
