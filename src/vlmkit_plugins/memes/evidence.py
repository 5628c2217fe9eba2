"""What an answer hangs on, by occlusion: parts of a meme are taken out, one at a time, and the head is asked again.

Words are left out (Li et al. 2016, arXiv 1612.08220); regions of the picture are covered by its mean colour, with a
window that slides (Zeiler & Fergus 2014, arXiv 1311.2901, 4.2). An effect says what this head's answer depends on. It
says nothing of why, and two parts of which either would do have no effect alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from vlmkit.errors import VlmkitError
from vlmkit.media import WHOLE, open_image
from vlmkit.types import Image, Prediction, Sample
from vlmkit_plugins.memes.schema import MEMBERS, Verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vlmkit.head import Head

MOST_WORDS = 60
"""The most words that are taken out one at a time; of a longer text, runs of words that are about as many."""
GRID = 6
"""Places of the window across and down. It is two of their steps wide, so that neighbours overlap by half."""
FIGURES = 6
"""Decimal places that probabilities are given with: what is behind them differs with the size of a batch."""

_WAITING_PX = 64_000_000  # of covered pictures that wait for the model at once, three bytes each
_BATCH = 8
# Chinese and Japanese write without spaces: a letter is taken out there, in place of a word.
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|[^\s\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+"
)

Part = Literal["words", "regions", "removed"]


@dataclass(frozen=True)
class Word:
    """A word of a text, or a run of them: the index of its first one, how many they are, and where they stand."""

    index: int
    n: int
    start: int
    end: int


@dataclass(frozen=True)
class _Trial:
    """One question: which part is gone, what is told about it, and the sample without it."""

    part: Part
    told: Mapping[str, Any]
    sample: Callable[[], Sample]


def explain(head: Head[Verdict], sample: Sample, file: Path | None = None) -> dict[str, Any]:
    """What the answer about one meme hangs on, as JSON data, and drawn into `file` where one is given.

    Each `effect` is `prob_hate` with the part less `prob_hate` without it: above 0 the part raises it. `margin_effect`
    is the same of the logits' difference, before any calibration; null where another member answered.

    - `answer`: the answer itself; `disagreement`: the label that each member gives by its own threshold.
    - `removed`: the words, the picture or the caption taken out as a whole; then another member may answer.
    - `words`: one entry a word, or a run of `n` words where there are more than 60.
    - `regions`: boxes `[x1, y1, x2, y2]` in pixels of the upright picture.
    - `reasons`: why one of these is null.

    Raises `VlmkitError` where the head has no answer, or the picture cannot be drawn (`MissingExtraError` without
    matplotlib).
    """
    if file is not None:
        from vlmkit_plugins.memes.evidence_picture import draw, require_drawable

        require_drawable(file)
    base = next(iter(head.predict_many([sample])))
    if base.value is None:
        why = "; ".join(problem.message for problem in base.problems if problem.fatal)
        raise VlmkitError(f"{sample.id}: there is no answer to explain: {why}")
    media = {name: one for name, one in sample.media.items() if name in base.used}
    seen = replace(sample, media=media, text=sample.text if "text" in base.used else None)
    pixels = _pixels(seen)
    reasons: dict[str, str] = {}
    trials = [*_removals(seen, reasons), *_without_words(seen, reasons), *_covered(seen, pixels, reasons)]
    _explain_absent(sample, base, reasons)
    rows: dict[Part, list[dict[str, Any]]] = {"removed": [], "words": [], "regions": []}
    for trial, found in zip(trials, _asked(head, trials, pixels), strict=True):
        rows[trial.part].append({**trial.told, **_effect(base.value, found)})
    told = {
        "sample_id": sample.id,
        "answer": _answer(base),
        "disagreement": _disagreement(base.value),
        "removed": {name: _only(rows["removed"], name) for name in ("text", "image", "caption")},
        "words": rows["words"] or None,
        "regions": {**_window(pixels), "items": rows["regions"]} if pixels is not None and rows["regions"] else None,
        "reasons": reasons,
        "problems": [asdict(problem) for problem in base.problems],
    }
    if file is not None:
        draw(told, seen, file)
    return told


def words_of(text: str, most: int = MOST_WORDS) -> list[Word]:
    """The words of a text, or as many runs of words as `most` allows; what prints nothing is no word."""
    spans = [match.span() for match in _WORD.finditer(text) if any(map(str.isprintable, match.group()))]
    size = max(1, math.ceil(len(spans) / most))
    runs = (spans[first : first + size] for first in range(0, len(spans), size))
    return [Word(number * size, len(run), run[0][0], run[-1][1]) for number, run in enumerate(runs)]


def boxes_of(width_px: int, height_px: int, grid: int = GRID) -> list[tuple[int, int, int, int]]:
    """Places of the sliding window, `(x1, y1, x2, y2)`, row by row; together they cover the whole picture."""
    across, down = (_places(side, grid) for side in (width_px, height_px))
    return [(left, top, right, bottom) for top, bottom in down for left, right in across]


def _places(side_px: int, grid: int) -> list[tuple[int, int]]:
    n = max(1, min(grid, side_px - 1))
    edges = [round(side_px * k / (n + 1)) for k in range(n + 2)]
    return [(edges[k], edges[k + 2]) for k in range(n)]


def _pixels(sample: Sample) -> NDArray[np.uint8] | None:
    picture = sample.media.get("image")
    return open_image(picture, WHOLE).image if isinstance(picture, Image) else None


def _removals(sample: Sample, reasons: dict[str, str]) -> Iterator[_Trial]:
    both = sample.has_words and "image" in sample.media
    for name in ("text", "image"):
        if both:
            less = partial(replace, sample, text=None) if name == "text" else partial(replace, sample, media={})
            yield _Trial("removed", {"part": name}, less)
        else:
            reasons[f"removed.{name}"] = "there is one modality only, and without it nothing is left"
    if sample.has_words and sample.meta.get("caption"):
        bare = {key: value for key, value in sample.meta.items() if key != "caption"}
        yield _Trial("removed", {"part": "caption"}, partial(replace, sample, meta=bare))
    else:
        reasons["removed.caption"] = "no caption was given" if sample.has_words else "a caption is read with words only"


def _without_words(sample: Sample, reasons: dict[str, str]) -> Iterator[_Trial]:
    text = sample.text or ""
    found = words_of(text) if sample.has_words else []
    if len(found) == 1 and not sample.media:
        reasons["words"] = "there is one word only, and without it nothing is left"
        return
    for word in found:
        told = {"index": word.index, "n": word.n, "text": text[word.start : word.end]}
        yield _Trial("words", told, partial(replace, sample, text=text[: word.start] + text[word.end :]))


def _covered(sample: Sample, pixels: NDArray[np.uint8] | None, reasons: dict[str, str]) -> Iterator[_Trial]:
    if pixels is None:
        return
    mean = _mean(pixels)
    if (pixels == mean).all():
        reasons["regions"] = "the picture is of one colour, and covering a part of it changes nothing"
        return
    height, width = pixels.shape[:2]
    for box in boxes_of(width, height):
        yield _Trial("regions", {"box_px": list(box)}, partial(_cover, sample, pixels, box, mean))


def _cover(
    sample: Sample, pixels: NDArray[np.uint8], box: tuple[int, int, int, int], colour: NDArray[np.uint8]
) -> Sample:
    left, top, right, bottom = box
    covered = pixels.copy()
    covered[top:bottom, left:right] = colour
    return replace(sample, media={**sample.media, "image": Image(covered)})


def _mean(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(np.rint(pixels.mean(axis=(0, 1))), np.uint8)


def _asked(
    head: Head[Verdict], trials: Sequence[_Trial], pixels: NDArray[np.uint8] | None
) -> Iterator[Prediction[Verdict]]:
    """Answers in order. Pictures are covered when their turn comes: at most two batches of them wait."""
    size_px = 1 if pixels is None else pixels.shape[0] * pixels.shape[1]
    batch = max(1, min(_BATCH, _WAITING_PX // (2 * size_px)))
    return head.predict_many((trial.sample() for trial in trials), batch_size=batch)


def _effect(base: Verdict, found: Prediction[Verdict]) -> dict[str, Any]:
    less = found.value
    if less is None:
        codes = [problem.code for problem in found.problems if problem.fatal]
        return {"prob_hate": None, "label": None, "model": None, "effect": None, "margin_effect": None, "why": codes}
    margin = _margin(base) - _margin(less) if less.model == base.model else None
    return {
        "prob_hate": round(less.prob_hate, FIGURES),
        "label": less.label,
        "model": less.model,
        "effect": round(base.prob_hate - less.prob_hate, FIGURES),
        "margin_effect": None if margin is None else round(margin, FIGURES),
    }


def _margin(verdict: Verdict) -> float:
    return verdict.logits[1] - verdict.logits[0]


def _answer(base: Prediction[Verdict]) -> dict[str, Any]:
    if base.value is None:  # refused by `explain` already
        raise VlmkitError(f"{base.sample_id}: there is no answer")
    value = base.value.model_dump(mode="json", exclude={"disagree"})
    return {**value, "used": list(base.used), "synthetic": bool(base.provenance.get("synthetic"))}


def _disagreement(value: Verdict) -> dict[str, Any]:
    """`flag` is null where one member alone could be asked: nobody is there to disagree."""
    votes: dict[str, int | None] = {name: value.votes.get(name) for name in MEMBERS}
    asked = [vote for vote in votes.values() if vote is not None]
    return {"flag": value.disagree if len(asked) > 1 else None, **votes}


def _only(rows: Sequence[dict[str, Any]], part: str) -> dict[str, Any] | None:
    return next(({k: v for k, v in row.items() if k != "part"} for row in rows if row["part"] == part), None)


def _window(pixels: NDArray[np.uint8]) -> dict[str, Any]:
    height, width = pixels.shape[:2]
    return {"size_px": [width, height], "grid": GRID, "colour": _mean(pixels).tolist()}


def _explain_absent(sample: Sample, base: Prediction[Verdict], reasons: dict[str, str]) -> None:
    for part, modality, name in (("words", "text", "text"), ("regions", "image", "picture")):
        if modality in base.used:
            continue
        told = "; ".join(problem.message for problem in base.problems if problem.where == modality)
        given = sample.text is not None if modality == "text" else modality in sample.media
        reasons[part] = f"the {name} could not be used: {told or 'blank'}" if given else f"no {name} was given"
