"""Words read out of pictures, off by default: RapidOCR with the models in its wheel, on the CPU, offline."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np

from vlmkit.errors import MediaError, MissingExtraError
from vlmkit.media import WHOLE, open_image
from vlmkit.types import Image, Sample
from vlmkit_plugins.memes.lines import Line, Words, kept

MOST_WITHOUT_TEXT = 0.10
LEAST_MEAN_CONFIDENCE = 0.70
"""Gates of a reading: pictures without any words, and the mean confidence of the lines."""


@dataclass(frozen=True)
class Figures:
    """How the reading of many pictures went.

    Attributes:
        n: pictures that were read. without_text: of them, those in which nothing was found.
        mean_conf: of all lines kept; None without any.
        failures: why pictures could not be opened, by sample id.
    """

    n: int
    without_text: int
    mean_conf: float | None
    failures: dict[str, str]

    @property
    def warnings(self) -> tuple[str, ...]:
        """The gates that are shut, a sentence each."""
        found = []
        if self.n and self.without_text >= MOST_WITHOUT_TEXT * self.n:
            share = f"{self.without_text} of {self.n}"
            found.append(f"no words were found in {share} pictures, wanted fewer than {MOST_WITHOUT_TEXT:.0%}")
        if self.mean_conf is not None and self.mean_conf < LEAST_MEAN_CONFIDENCE:
            found.append(f"the mean confidence of lines is {self.mean_conf:.2f}, below {LEAST_MEAN_CONFIDENCE:.2f}")
        if self.failures:
            found.append(f"{len(self.failures)} pictures could not be opened")
        return tuple(found)


def read_words(image: Image) -> Words:
    """The lines of words in a picture, from top to bottom, with boxes in its own pixels as it is shown, upright.

    Raises `MediaError` for a picture that cannot be used, `MissingExtraError` where `rapidocr` is not installed.
    """
    read = _reader()
    pixels = open_image(image, WHOLE).image
    height, width = pixels.shape[:2]
    found = read(np.ascontiguousarray(pixels[:, :, ::-1]))  # it takes blue, green, red
    if found.txts is None:
        return Words(())
    lines = []
    for text, conf, corners in zip(found.txts, found.scores, found.boxes, strict=True):
        across, down = np.clip(corners[:, 0], 0, width), np.clip(corners[:, 1], 0, height)
        box = float(across.min()), float(down.min()), float(across.max()), float(down.max())
        lines.append(Line(text, float(conf), box))
    return kept(lines)


def with_ocr(samples: Iterable[Sample]) -> tuple[list[Sample], Figures]:
    """The samples, with words for those that have a picture and no words; and how that went.

    What was read stands in `meta["ocr"]`, line by line, and `meta["ocr_about"]` says who read it and how sure it is,
    also where nothing was found. A picture that cannot be opened leaves its sample as it is, and is counted. Raises
    `MissingExtraError`.
    """
    source = f"rapidocr {_version()}"
    found, conf, failures, read, blank = [], [], {}, 0, 0
    for sample in samples:
        picture = sample.media.get("image")
        if sample.has_words or not isinstance(picture, Image):
            found.append(sample)
            continue
        try:
            words = read_words(picture)
        except MediaError as error:
            failures[sample.id] = f"{error.reason}: {error.detail}"
            found.append(sample)
            continue
        read, blank = read + 1, blank + (not words.lines)
        conf += [line.conf for line in words.lines]
        found.append(replace(sample, text=words.text or None, meta={**sample.meta, **words.meta(source)}))
    return found, Figures(read, blank, sum(conf) / len(conf) if conf else None, failures)


@cache
def _reader() -> Callable[[Any], Any]:
    try:
        from rapidocr import RapidOCR
    except ImportError:
        raise MissingExtraError("rapidocr", "ocr") from None
    quiet: dict[str, Any] = {"Global.log_level": "critical", "Global.text_score": 0.0}  # we drop lines, and count them
    reader: Callable[[Any], Any] = RapidOCR(params=quiet)
    return reader


def _version() -> str:
    _reader()
    return version("rapidocr")
