"""Splits of clips: what belongs together stays together, and what leaks is refused with its pairs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.football.annotated import CARD, GOAL
from tests.football.films import put
from vlmkit.errors import DataError, MediaError
from vlmkit.types import Clip, Sample
from vlmkit_plugins.football import data
from vlmkit_plugins.football.schema import parse_events
from vlmkit_plugins.football.splits import leak_check, leaks, plan, write

HALVES = {"train": 0.5, "test": 0.5}


def clip(name: str, film: Path | bytes, *events: dict[str, str], **meta: str) -> Sample:
    return Sample(name, {"video": Clip(film)}, truth=parse_events(events, name), meta=meta)


def test_copies_and_clips_of_one_match_stay_on_one_side() -> None:
    # Chains: 0 and 1 are one match; 1 and 2 are the same film; 2 and 3 are of one team.
    made = []
    for k in range(20):
        made += [
            clip(f"{k}-0", b"%d a" % k, GOAL, source=f"match {k}"),
            clip(f"{k}-1", b"%d b" % k, CARD, source=f"match {k}"),
            clip(f"{k}-2", b"%d b" % k, CARD, subject=f"team {k}"),
            clip(f"{k}-3", b"%d c" % k, subject=f"team {k}"),
        ]
    for seed in range(3):
        split = plan(made, HALVES, seed)
        for k in range(20):
            assert len({split[f"{k}-{part}"] for part in range(4)}) == 1
        assert Counter(split.values()) == {"train": 40, "test": 40}
        assert leaks({name: [one for one in made if split[one.id] == name] for name in HALVES}) == ()
    assert plan(made, HALVES, 1) == plan(made[::-1], HALVES, 1) != plan(made, HALVES, 2)


def test_classes_and_empty_clips_are_spread() -> None:
    made = [
        clip(f"{k:03d}", b"%d" % k, *([GOAL, CARD] if k % 10 == 0 else [GOAL] if k % 2 else [])) for k in range(200)
    ]
    split = plan(made)
    for wanted in ("Goal", "Yellow Card", None):
        here = [
            split[one.id]
            for one in made
            if one.truth is not None and (wanted in {e.event for e in one.truth.root} if wanted else not len(one.truth))
        ]
        counts = Counter(here)
        assert counts["test"] / len(here) == pytest.approx(0.1, abs=0.051)
        assert counts["train"] / len(here) == pytest.approx(0.8, abs=0.051)


def test_leaks_are_refused_with_their_pairs(tmp_path: Path) -> None:
    put(tmp_path, "red.mp4", "penalty.mp4", mark="the same fill")
    put(tmp_path, "a.mp4", "b.mp4")
    red, penalty = clip("red", tmp_path / "red.mp4", CARD), clip("penalty", tmp_path / "penalty.mp4", GOAL)
    a, b = (clip(name, tmp_path / f"{name}.mp4", GOAL, source="match 7") for name in "ab")
    leak_check({"train": [red, a, b], "test": []})
    with pytest.raises(DataError) as error:
        leak_check({"train": [red, a], "val": [b], "test": [penalty, b]})
    assert str(error.value) == (
        "6 leaks between splits: same film: 'red' (train) and 'penalty' (test); same source: 'a' (train) and 'b' "
        "(val); same source: 'a' (train) and 'b' (test); same source: 'b' (val) and 'b' (test); "
        "same id: 'b' (val) and 'b' (test); …; of equal films with different truths there are 1: red, penalty"
    )
    with pytest.raises(MediaError, match="missing"):
        leak_check({"train": [a], "test": [clip("gone", tmp_path / "gone.mp4")]})


def test_a_match_is_one_group_even_where_its_films_differ() -> None:
    with pytest.raises(DataError, match="no sample is left for it: 4 samples in 1 groups"):
        plan([clip(str(k), b"%d" % k, source="one match") for k in range(4)], HALVES)


def test_a_plan_becomes_a_data_folder_a_split(tmp_path: Path) -> None:
    put(tmp_path, *(f"{k}.mp4" for k in range(6)))
    made = [clip(str(k), tmp_path / f"{k}.mp4", GOAL, source=f"match {k // 2}") for k in range(6)]
    split = plan(made, HALVES, 3)
    folders = write(made, split, tmp_path / "out")
    assert folders == {name: tmp_path / "out" / name for name in dict.fromkeys(split.values())}
    for name, folder in folders.items():
        assert {one.id for one in data.read(folder)} == {key for key, where in split.items() if where == name}
    with pytest.raises(DataError, match=r"out: 2 data folders are in it \(\w+, \w+\), and are not read as one"):
        data.read(tmp_path / "out")
    with pytest.raises(DataError, match="1 samples have no split: '5'"):
        write(made, {str(k): "train" for k in range(5)}, tmp_path / "other")
    with pytest.raises(DataError, match="same source"):
        write(made, {str(k): ("train", "test")[k % 2] for k in range(6)}, tmp_path / "other")
    assert not (tmp_path / "other").exists()
