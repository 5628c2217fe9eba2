"""One meme to the five promised keys, in one call."""

from __future__ import annotations

import logging
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vlmkit.errors import VlmkitError
from vlmkit.types import Image, Media, Modality, Sample
from vlmkit_plugins.memes.schema import Verdict, to_json

if TYPE_CHECKING:
    from vlmkit.head import Head

log = logging.getLogger("vlmkit")


def predict(
    text: str | None = None,
    image_path: str | Path | None = None,
    *,
    preset: str | None = None,
    model: str | Path | None = None,
    head: Head[Verdict] | None = None,
    calibration: Literal["full", "pilot", "none"] = "full",
    threshold: float | None = None,
    ocr: bool = False,
) -> dict[str, Any]:
    """`{prob_hate, label, model, threshold, logits}` about words, a picture, or both; `model` says who answered.

    What could not be used is logged; where the picture could not be, say, the words alone are answered about, by
    `text_expert`.

    Args:
        preset, model, calibration: as `vlmkit.load` takes them.
        head: one that is loaded already, for more than one call; it brings its own calibration.
        threshold: takes the place of the answering member's own.
        ocr: read the picture's words where no text is given (extra `ocr`).

    Raises `VlmkitError` with the reasons where there is no answer, and for arguments that contradict each other.
    """
    if threshold is not None and not _is_probability(threshold):
        raise VlmkitError(f"threshold is a probability, from 0 to 1; given {threshold!r}")
    sample = _sample(text, image_path)
    if head is None:
        import vlmkit

        head = vlmkit.load("memes", preset=preset, model=model, calibration=calibration)
    elif preset is not None or model is not None or calibration != "full":
        raise VlmkitError(
            "a loaded head brings its own preset, model and calibration; leave them out, or leave out head"
        )
    if ocr:
        from vlmkit_plugins.memes.ocr import with_ocr

        (sample,), _ = with_ocr([sample])
    (answer,) = head.predict_many([sample])
    if answer.value is None:
        why = "; ".join(f"{problem.code}: {problem.message}" for problem in answer.problems)
        raise VlmkitError(f"{sample.id}: no answer: {why}")
    for problem in answer.problems:
        log.warning("%s: %s: %s", sample.id, problem.code, problem.message)
    found = to_json(answer)
    if threshold is not None:
        found |= {"threshold": float(threshold), "label": int(found["prob_hate"] >= threshold)}
    return found


def _sample(text: str | None, image_path: str | Path | None) -> Sample:
    if not isinstance(text, str | None):
        raise VlmkitError(f"text is a string; given {type(text).__name__}")
    if not isinstance(image_path, str | Path | None):
        raise VlmkitError(f"image_path names a file; given {type(image_path).__name__}")
    if image_path == "":
        raise VlmkitError("image_path names a file; given ''")
    media: dict[Modality, Media] = {} if image_path is None else {"image": Image(image_path)}
    sample = Sample("text" if image_path is None else Path(image_path).stem, media, text)
    if not sample.modalities:
        raise VlmkitError("nothing to answer about; give text, image_path, or both")
    return sample


def _is_probability(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and 0 <= float(value) <= 1
