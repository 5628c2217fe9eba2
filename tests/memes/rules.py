"""A head whose answers can be worked out by hand: words have weights, and a picture weighs by how red it is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from vlmkit.media import ImageSpec, open_image
from vlmkit.types import Image, Modality, Prediction, Problem, Sample
from vlmkit_plugins.memes.schema import Verdict

WORDS: Mapping[str, float] = {"vermin": 2.0, "zoggs": 1.0, "love": -1.5}
TEXT_BIAS, IMAGE_BIAS, REDNESS = -1.0, -2.0, 30.0
THRESHOLDS = {"mm_fusion": 0.5, "text_expert": 0.4, "vision_expert": 0.6}

_SPEC = ImageSpec(min_pixels=1, max_pixels=2**40, multiple_px=1)


def sigmoid(margin: float) -> float:
    """The probability that goes with a difference of logits."""
    return 1 / (1 + math.exp(-margin))


def text_margin(text: str) -> float:
    """What the words weigh."""
    return TEXT_BIAS + sum(WORDS.get(word.strip(".,!").casefold(), 0.0) for word in text.split())


def redness(pixels: NDArray[np.uint8]) -> float:
    """The share of the picture that is red."""
    return float((pixels[..., 0].astype(int) - pixels[..., 2] > 100).mean())


class RuleHead:
    """Routes as the real one does. `refuses` names words with which there is no answer.

    Attributes:
        asked: every sample, in order. batch_sizes: of each call.
    """

    def __init__(self, refuses: str = "", synthetic: bool = False) -> None:
        self.refuses, self.synthetic = refuses, synthetic
        self.asked: list[Sample] = []
        self.batch_sizes: list[int] = []

    def predict_many(self, samples: Iterable[Sample], batch_size: int = 8) -> Iterator[Prediction[Verdict]]:
        """An answer each."""
        self.batch_sizes.append(batch_size)
        for sample in samples:
            self.asked.append(sample)
            yield self._answer(sample)

    def _answer(self, sample: Sample) -> Prediction[Verdict]:
        margins: dict[str, float] = {}
        problems: list[Problem] = []
        if sample.has_words:
            margins["text_expert"] = text_margin(sample.text or "")
        picture = sample.media.get("image")
        if isinstance(picture, Image):
            try:
                pixels = open_image(picture, _SPEC).image
                margins["vision_expert"] = IMAGE_BIAS + REDNESS * redness(pixels)
            except Exception:
                problems.append(Problem("media_missing", "there is no such file", "image"))
        if len(margins) == 2:
            margins = {"mm_fusion": sum(margins.values()), **margins}
        if not margins or (self.refuses and self.refuses in (sample.text or "")):
            return Prediction(sample.id, None, (*problems, Problem("refused", "would not", fatal=True)))
        model = next(iter(margins))
        found = {
            "prob_hate": sigmoid(margins[model]),
            "label": int(sigmoid(margins[model]) >= THRESHOLDS[model]),
            "model": model,
            "threshold": THRESHOLDS[model],
            "logits": (0.0, margins[model]),
            "experts": {name: sigmoid(margin) for name, margin in margins.items()},
            "thresholds": {name: THRESHOLDS[name] for name in margins},
        }
        lanes: dict[str, Modality] = {"text_expert": "text", "vision_expert": "image"}
        used = tuple(sorted(lanes[name] for name in margins if name in lanes))
        provenance = {"synthetic": self.synthetic}
        return Prediction(sample.id, Verdict.model_validate(found), tuple(problems), used=used, provenance=provenance)


def scene(width_px: int = 140, height_px: int = 70) -> NDArray[np.uint8]:
    """Blue, with a red block in the right half."""
    pixels = np.full((height_px, width_px, 3), (40, 80, 160), np.uint8)
    pixels[height_px * 2 // 7 : height_px * 4 // 7, width_px * 4 // 7 : width_px * 6 // 7] = (220, 30, 30)
    return pixels
