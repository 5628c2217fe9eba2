"""Groups by shared marks: against the closure of sharing one; plans, leaks, and media by content."""

from __future__ import annotations

from collections import Counter
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmkit.errors import DataError, MediaError
from vlmkit.grouping import contents, groups, leaks, linked, plan
from vlmkit.types import Clip, Sample

HALVES = {"train": 0.5, "test": 0.5}
marked = st.lists(st.lists(st.integers(0, 12), max_size=3), max_size=25)


def clip(name: str, source: str | Path | bytes | np.ndarray) -> Sample:
    return Sample(name, {"video": Clip(source)})


@given(marked)
@settings(deadline=None, max_examples=50)
def test_groups_are_the_closure_of_sharing_a_mark(marks: list[list[int]]) -> None:
    together = np.eye(len(marks), dtype=bool)
    for a, b in product(range(len(marks)), repeat=2):
        together[a, b] |= bool({*marks[a]} & {*marks[b]})
    for _ in marks:
        together = together @ together
    numbers = linked(marks)
    assert [[a == b for b in numbers] for a in numbers] == together.tolist()
    assert sorted(place for group in groups(marks) for place in group) == list(range(len(marks)))
    assert all(len({numbers[place] for place in group}) == 1 for group in groups(marks))


@given(marked.filter(lambda marks: len(groups(marks)) > 1), st.integers(0, 3))
@settings(deadline=None, max_examples=50)
def test_a_plan_keeps_groups_whole_and_leaks_nothing(marks: list[list[int]], seed: int) -> None:
    ids = [f"s{place}" for place in range(len(marks))]
    split = plan(ids, marks, [["all"]] * len(ids), HALVES, seed)
    assert list(split) == ids
    for group in groups(marks):
        assert len({split[ids[place]] for place in group}) == 1
    placed = [
        (split[name], name, [("mark", str(mark)) for mark in some]) for name, some in zip(ids, marks, strict=True)
    ]
    assert leaks(placed) == ()
    assert split == {k: v for k, v in plan(ids[::-1], marks[::-1], [["all"]] * len(ids), HALVES, seed).items()}


def test_a_sample_of_several_strata_counts_for_each() -> None:
    ids = [f"{k:03d}" for k in range(200)]
    strata = [[label for label, n in (("goal", 2), ("card", 5)) if k % n == 0] or ["none"] for k in range(200)]
    split = plan(ids, [[] for _ in ids], strata, {"train": 0.8, "test": 0.2}, 1)
    for label in ("goal", "card", "none"):
        held = Counter(split[name] for name, some in zip(ids, strata, strict=True) if label in some)
        assert held["test"] / sum(held.values()) == pytest.approx(0.2, abs=0.03)


def test_every_pair_of_splits_is_named_once_a_mark() -> None:
    film = ("film", "one")
    found = leaks([("a", "1", [film]), ("a", "2", [film]), ("b", "3", [film, ("source", "m")]), ("c", "4", [film])])
    assert [str(leak) for leak in found] == [
        "same film: '1' (a) and '3' (b)",
        "same film: '1' (a) and '4' (c)",
        "same film: '3' (b) and '4' (c)",
    ]


def test_what_cannot_be_planned_is_refused() -> None:
    with pytest.raises(DataError, match="1 ids come more than once: 'a'"):
        plan(["a", "a"], [[], []], [["x"], ["x"]], HALVES, 0)
    with pytest.raises(DataError, match="no sample is left for it: 2 samples in 1 groups, the largest of 2"):
        plan(["a", "b"], [[1], [1]], [["x"], ["x"]], HALVES, 0)
    with pytest.raises(DataError, match="shares: wanted positive shares"):
        plan(["a"], [[]], [["x"]], {"train": 0.9}, 0)


def test_media_are_equal_by_what_is_in_them(tmp_path: Path) -> None:
    for name, film in (("a", b"one"), ("copy", b"one"), ("b", b"two"), ("long", b"three")):
        (tmp_path / name).write_bytes(film)
    frames = np.arange(24, dtype=np.uint8).reshape(1, 2, 4, 3)
    samples = [clip(name, tmp_path / name) for name in ("a", "copy", "b", "long", "gone")]
    samples += [clip("bytes", b"one"), clip("frames", frames), clip("same", frames.copy()), clip("alone", b"no file")]
    (a,), (copy,), (b,), (long,), (gone,), (raw,), (first,), (same,), (alone,) = contents(samples)
    assert a == copy == raw != b
    assert first == same
    assert len({a, b, long, gone, first, alone}) == 6
    assert contents([Sample("words", text="no film")]) == [[]]


def test_a_file_in_memory_and_on_disk_are_one(tmp_path: Path) -> None:
    (tmp_path / "only.mp4").write_bytes(b"content")
    (on_disk,), (in_memory,) = contents([clip("a", tmp_path / "only.mp4"), clip("b", b"content")])
    assert on_disk == in_memory


def test_what_cannot_be_compared_is_refused_where_that_is_asked(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="missing"):
        contents([clip("a", tmp_path / "gone.mp4")], strict=True)
    with pytest.raises(MediaError, match="unreadable"):
        contents([clip("a", tmp_path)], strict=True)
