"""The picture of truth beside answers."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vlmkit.types import Clip, Prediction, Problem, Sample
from vlmkit_plugins.warehouse.picture import COLOURS, draw
from vlmkit_plugins.warehouse.schema import OPERATIONS, Operation, OperationSpan, TemporalSegment


def span(operation: Operation, start: int, end: int, after: Operation) -> OperationSpan:
    """An answer."""
    return OperationSpan(
        dominant_operation=operation,
        temporal_segment=TemporalSegment(start_frame=start, end_frame=end),
        anticipated_next_operation=after,
    )


def film(shade: int) -> Clip:
    """Five seconds of one colour, in memory."""
    return Clip(np.full((25, 48, 64, 3), shade, np.uint8), fps=5.0)


TRUTH = span("Wrap", 20, 90, "Label")


def pixels(path: Path) -> set[tuple[int, ...]]:
    """Every colour of the picture."""
    found = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
    return {tuple(int(part) for part in colour) for colour in np.unique(found, axis=0)}


def colour_of(operation: Operation) -> tuple[int, ...]:
    """As the picture paints it."""
    return tuple(bytes.fromhex(COLOURS[operation][1:]))


def test_every_operation_has_a_colour_of_its_own() -> None:
    assert set(COLOURS) == set(OPERATIONS)
    for one, other in itertools.combinations(OPERATIONS, 2):
        distance = np.linalg.norm(np.subtract(colour_of(one), colour_of(other)))
        assert distance > 40, (one, other)


def test_frames_and_both_answers_are_in_it(tmp_path: Path) -> None:
    answer = span("Tape", 30, 80, "Pack")
    sample = Sample("a", {"video": film(77)}, truth=TRUTH)
    draw([(sample, Prediction("a", answer, provenance={"preset": "tiny", "synthetic": True}))], tmp_path / "p.png")
    seen = pixels(tmp_path / "p.png")
    assert (77, 77, 77) in seen
    for operation in ("Wrap", "Label", "Tape", "Pack"):
        assert colour_of(operation) in seen
    assert colour_of("Box Setup") not in seen


def test_a_row_a_clip(tmp_path: Path) -> None:
    heights = []
    for n in (1, 2, 3):
        pairs = [(Sample(f"s{i}", {"video": film(9)}, truth=TRUTH), Prediction(f"s{i}", TRUTH)) for i in range(n)]
        draw(pairs, tmp_path / "p.png")
        with Image.open(tmp_path / "p.png") as picture:
            heights.append(picture.height)
    assert heights[2] - heights[1] == pytest.approx(heights[1] - heights[0], abs=2)
    assert heights[1] > heights[0]


def test_a_clip_without_film_answer_or_truth_is_drawn_all_the_same(tmp_path: Path) -> None:
    gone = Prediction[OperationSpan]("a", None, (Problem("media_missing", "no such file", fatal=True),))
    pairs = [
        (Sample("a", {"video": Clip(tmp_path / "none.mp4")}, truth=TRUTH), gone),
        (Sample("b", {"video": film(9)}), Prediction("b", span("Idle", 0, 3, "Unknown"))),
        (Sample("c", {}, truth=TRUTH), Prediction("c", span("Idle", 122, 125, "Unknown"))),
    ]
    draw(pairs, tmp_path / "p.png")
    assert colour_of("Idle") in pixels(tmp_path / "p.png")
