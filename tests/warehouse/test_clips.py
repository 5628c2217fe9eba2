from __future__ import annotations

import random
from pathlib import Path

import pytest

from vlmkit.errors import DataError
from vlmkit.types import Clip, Sample
from vlmkit_plugins.warehouse.clips import Cut, build, merged, tell
from vlmkit_plugins.warehouse.openpack import Counts, Operation, Session
from vlmkit_plugins.warehouse.schema import CLIP_FRAMES, FPS, rules
from vlmkit_plugins.warehouse.schema import Operation as Name

LONG: tuple[tuple[Name, float], ...] = (
    ("Box Setup", 6.0), ("Put Items", 12.0), ("Tape", 18.0), ("Label", 24.0), ("Idle", 30.0),
)  # fmt: skip


def session(*ends: tuple[Name, float]) -> Session:
    operations, start_s = [], 0.0
    for name, end_s in ends:
        operations.append(Operation(300, name, start_s, end_s))
        start_s = end_s
    return Session("U0108", "S0500", tuple(operations), Counts())


def total(cut: Cut) -> int:
    return len(cut.windows) + cut.joined + cut.no_next + cut.edge + cut.crowded


def test_windows_start_inside_one_operation_and_end_inside_the_next() -> None:
    cut = build(session(*LONG), 30 * FPS)
    assert [window.id for window in cut.windows] == [f"U0108_S0500_t{k:04d}" for k in range(3)]
    assert (cut.no_next, cut.edge, cut.joined, total(cut)) == (1, 0, 0, cut.boundaries)
    for window, (name, end_s), (following, _) in zip(cut.windows, LONG, LONG[1:], strict=False):
        middle = window.start_frame + CLIP_FRAMES // 2
        assert abs(middle - end_s * FPS) <= 0.5 * FPS
        assert window.n_frames == CLIP_FRAMES
        boundary = round(end_s * FPS) - window.start_frame
        assert window.timeline == ((name, 0, boundary), (following, boundary, CLIP_FRAMES))


def test_the_truth_is_clip_relative_and_inside_the_clip() -> None:
    for window in build(session(*LONG), 30 * FPS).windows:
        segment = window.truth.temporal_segment
        lengths = {name: end - start for name, start, end in window.timeline}
        assert window.truth.dominant_operation == max(lengths, key=lambda name: lengths[name])
        assert segment.end_frame - segment.start_frame == max(lengths.values())
        assert not rules(window.truth, window.sample(Path("x.mp4")))


def test_the_next_operation_is_the_one_after_the_last_visible() -> None:
    following = [window.truth.anticipated_next_operation for window in build(session(*LONG), 30 * FPS).windows]
    assert following == ["Tape", "Label", "Idle"]


def test_seeds_move_the_windows_and_repeat() -> None:
    starts = [[w.start_frame for w in build(session(*LONG), 750, seed).windows] for seed in (0, 0, 1, 2)]
    assert starts[0] == starts[1]
    assert starts[0] != starts[2] or starts[0] != starts[3]


def test_ends_of_a_window_avoid_other_boundaries() -> None:
    for seed in range(30):
        cut = build(session(("Tape", 2.5), ("Label", 5.0), ("Pack", 7.5), ("Idle", 20.0), ("Wrap", 30.0)), 750, seed)
        for window in cut.windows[1:]:
            assert window.start_frame % 62.5 and (window.start_frame + CLIP_FRAMES) not in (62, 125, 188, 500)


def test_a_boundary_without_a_free_window_is_counted() -> None:
    cut = build(session(("Tape", 1.0), ("Label", 5.0), ("Idle", 8.0), ("Wrap", 30.0)), 30 * FPS)
    assert (cut.crowded, [window.id[-4:] for window in cut.windows]) == (1, ["0001"])
    assert (cut.no_next, total(cut)) == (1, cut.boundaries)
    short = build(session(("Tape", 1.0), ("Label", 2.0), ("Idle", 60.0)), 2 * FPS)
    assert (short.windows, short.crowded, short.edge, total(short)) == ((), 1, 1, short.boundaries)


def test_no_window_ends_on_a_boundary() -> None:
    rng = random.Random(0)
    crowded = 0
    for seed in range(200):
        ends = sorted({round(rng.uniform(0.2, 20.0), 1) for _ in range(rng.randint(2, 60))})
        names: tuple[Name, ...] = ("Tape", "Label", "Idle")
        found = session(*((names[k % 3], end_s) for k, end_s in enumerate(ends)))
        borders = {round(end_s * FPS) for end_s in ends[:-1]}
        cut = build(found, max(1, round(ends[-1] * FPS)), seed)
        assert total(cut) == cut.boundaries
        assert not borders & {w.start_frame for w in cut.windows}
        assert not borders & {w.start_frame + w.n_frames for w in cut.windows}
        crowded += cut.crowded
    assert crowded


def test_windows_stay_inside_the_film() -> None:
    cut = build(session(("Tape", 1.0), ("Label", 8.0), ("Idle", 60.0)), 9 * FPS)
    assert [window.start_frame for window in cut.windows] == [0]
    assert cut.windows[0].timeline == (("Tape", 0, 25), ("Label", 25, 125))
    assert (cut.no_next, total(cut)) == (1, cut.boundaries)
    short = build(session(("Tape", 1.0), ("Label", 2.5), ("Idle", 60.0)), 2 * FPS)
    assert [window.n_frames for window in short.windows] == [50]
    assert short.edge == 1
    with pytest.raises(DataError, match="film_frames=0"):
        build(session(*LONG), 0)


def test_neighbours_of_one_name_are_one_operation() -> None:
    found = session(("Label", 3.0), ("Label", 8.0), ("Idle", 16.0), ("Pack", 20.0))
    assert merged(found.operations) == (("Label", 0, 200), ("Idle", 200, 400), ("Pack", 400, 500))
    cut = build(found, 20 * FPS)
    assert (cut.joined, len(cut.windows), total(cut), cut.boundaries) == (1, 1, 3, 3)


def test_between_equal_stretches_the_later_one_is_dominant() -> None:
    told = tell([("Tape", 0, 50), ("Label", 50, 100), ("Idle", 100, 200)], 0, 100)
    assert told is not None
    assert told[0].dominant_operation == "Label"
    assert tell([("Tape", 0, 50)], 0, 100) is None


def test_a_window_is_a_sample_on_the_sessions_film() -> None:
    window = build(session(*LONG), 750).windows[0]
    sample = window.sample(Path("S0500.mp4"))
    assert isinstance(sample, Sample)
    clip = sample.media["video"]
    assert isinstance(clip, Clip)
    assert clip.start_s == window.start_frame / FPS
    assert clip.end_s == pytest.approx(window.start_frame / FPS + 5.0)
    assert sample.meta["subject"] == "U0108"
    assert sample.meta["n_frames"] == CLIP_FRAMES
