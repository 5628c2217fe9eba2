"""Matches of any length: the clip inside the match, broken middles, and what is printed of them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from tests.long_films import Timeline, codes, film, head, shades, told
from vlmkit.media import open_video
from vlmkit.media.session import Session
from vlmkit.media.slicer import Plan
from vlmkit.types import Clip
from vlmkit_plugins.football import merging, schema, session, specs, synth

VIDEO = specs.VIDEO["tiny"]
PLAN = Plan(schema.WINDOW_S, schema.STEP_S, frozenset({"video"}), VIDEO, exact=True)


def test_the_model_is_shown_the_same_frames_of_a_clip_alone_and_inside_a_match(tmp_path: Path) -> None:
    own = synth.draw_clip(3, 1)
    alone, match = tmp_path / "clip.mkv", tmp_path / "match.mkv"
    synth.write_film(alone, own.frames, lossless=True)
    truth = session.session(match, 75, 5, {43: (3, 1)}, lossless=True)
    assert truth == schema.events_of([event.shifted(43) for event in own.truth.root]) and len(truth) > 0
    shown: dict[float, np.ndarray] = {}
    for window in Session(Clip(match), PLAN).slices():
        clip = window.media["video"]
        assert isinstance(clip, Clip)
        seen = open_video(clip, VIDEO)
        assert len(seen.images) <= VIDEO.max_frames and seen.notes == ()
        shown |= {round(window.start_s + at, 2): one for at, one in zip(seen.times_s, seen.images, strict=True)}
    frames = open_video(Clip(alone), VIDEO)
    assert len(frames.images) > 4 * 9
    for at, image in zip(frames.times_s, frames.images, strict=True):
        np.testing.assert_array_equal(shown[round(43 + at, 2)], image)


def minutes(n: int) -> Timeline:
    """An event a minute, and one that is in two windows."""
    names = schema.CLASSES
    found: list[tuple[schema.EventClass, float, float]] = []
    for i in range(n):
        found += [(names[i % 8], 60 * i + 5, 60 * i + 9), (names[(i + 1) % 8], 60 * i + 28, 60 * i + 33)]
    return found


def broken_match(folder: Path, container: str, length_min: int, part: float = 0.02) -> tuple[Path, Timeline]:
    """Four frames a second, a key frame every ten seconds; bytes around the middle are overwritten."""
    timeline = minutes(length_min)
    grey = shades(timeline, 60.0 * length_min, rate=4)
    path = film(folder / f"match.{container}", grey, 4, "libx264", 40, preset="ultrafast", qp="0")
    content = bytearray(path.read_bytes())
    first, last = int((0.5 - part / 2) * len(content)), int((0.5 + part / 2) * len(content))
    content[first:last] = random.Random(0).randbytes(last - first)
    path.write_bytes(content)
    return path, timeline


@pytest.mark.parametrize("container", ["mp4", "mkv", "ts"])
def test_around_a_broken_middle_all_is_analysed_and_the_gap_is_told(container: str, tmp_path: Path) -> None:
    check(*broken_match(tmp_path, container, 4, 0.06), 4)


@pytest.mark.slow
@pytest.mark.parametrize("container", ["mp4", "mkv", "ts"])
def test_two_hours_with_a_broken_middle(container: str, tmp_path: Path) -> None:
    check(*broken_match(tmp_path, container, 120), 120)


def check(path: Path, timeline: Timeline, length_min: int) -> None:
    """One gap around the middle; every event that does not touch it is in the answer, once, and no other."""
    found = head(merging.WINDOWING).predict(video=path)
    assert codes(found) == ["gap"]
    within = found.problems[0].message.partition("(")[2].partition(")")[0]
    start_s, end_s = (float(part.removesuffix(" s")) for part in within.split(" to "))
    length_s = 60 * length_min
    # The middle of the bytes is about that of the film.
    assert 0.3 * length_s < start_s < end_s < 0.75 * length_s
    assert end_s - start_s < 0.1 * length_s + 20  # and a key frame every ten seconds
    answers = told(found)
    outside = [one for one in timeline if one[2] <= start_s or one[1] >= end_s]
    touched = [one for one in timeline if one not in outside]
    assert [one for one in answers if one in outside] == outside
    # What is left are the visible ends of events that the gap cuts.
    for name, first, last in (one for one in answers if one not in outside):
        assert any(name == cut[0] and cut[1] <= first < last <= cut[2] for cut in touched)
    windows = found.provenance["windows"]
    assert all(one["answered"] for one in windows)
    assert not any(one["start_s"] < end_s - 0.01 and one["end_s"] > start_s + 0.01 for one in windows)


def test_a_match_is_one_line_of_output(tmp_path: Path) -> None:
    path, timeline = broken_match(tmp_path, "mp4", 2, 0.0)
    found = head(merging.WINDOWING).predict(video=path)
    assert told(found) == timeline
    line = schema.line(found)
    assert schema.from_json(json.loads(json.dumps(line))) == ("match", found.value)
    assert line["events"][-1]["end_time"] == "0:1:33"
