"""Long films: one pass, windows of all films in the same batches, one answer a film."""

from __future__ import annotations

import json
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.long_films import SPEC, WINDOWING, Timeline, codes, film, head, shades, told
from vlmkit.errors import VlmkitError
from vlmkit.head import Head
from vlmkit.media import open_video
from vlmkit.task import Windowing
from vlmkit.types import Clip, Image, Prediction, Problem, Sample
from vlmkit.windows import Progress
from vlmkit.windows.joined import Answer, joined
from vlmkit_plugins.football import merging
from vlmkit_plugins.football.schema import events_of

TIMELINE: Timeline = [
    ("Goal", 2, 5),
    ("Corner Kick", 7, 9),
    ("Corner Kick", 10, 11),
    ("Offside", 12, 21),
    ("Throw In", 27, 28),
]
LENGTH_S = 30.0


def match(folder: Path, name: str = "match.mkv", broken: tuple[float, ...] = (), length_s: float = LENGTH_S) -> Path:
    return film(folder / name, shades(TIMELINE, length_s, broken=broken))


def batches(asked: Head[Any], monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What goes to the model together, by id, as it goes."""
    seen: list[list[str]] = []
    answer = asked.model.answer

    def watched(batch: Any, limits: Any = None) -> Any:
        seen.append([one.sample.id for one in batch])
        return answer(batch, limits)

    monkeypatch.setattr(asked.model, "answer", watched)
    return seen


def test_a_clip_gives_what_it_gives_inside_a_long_film(tmp_path: Path) -> None:
    """Football's own windows; ten seconds by themselves, and in the middle of a minute and a half."""
    clip: Timeline = [("Goal", 1, 4), ("Yellow Card", 6, 9)]
    short = film(tmp_path / "clip.mkv", shades(clip, 10))
    around: Timeline = [("Throw In", 3, 6), *((name, a + 47, b + 47) for name, a, b in clip), ("Goal", 80, 83)]
    long = film(tmp_path / "match.mkv", shades(around, 95))
    asked = head(merging.WINDOWING)
    alone, inside = asked.predict(video=short), asked.predict(video=long)
    assert told(alone) == clip
    assert told(inside) == around
    assert [(name, a - 47, b - 47) for name, a, b in told(inside)][1:3] == told(alone)
    assert "windows" not in alone.provenance
    spans = [(one["start_s"], one["end_s"]) for one in inside.provenance["windows"]]
    assert spans == [(0, 30), (20, 50), (40, 70), (60, 90), (80, 95)]
    assert codes(alone) == codes(inside) == []


def test_one_answer_a_film(tmp_path: Path) -> None:
    path = match(tmp_path)
    found = head().predict(video=path)
    assert found.sample_id == "match"
    assert told(found) == [
        ("Goal", 2, 5),
        ("Corner Kick", 7, 9),
        ("Corner Kick", 10, 11),
        ("Offside", 12, 21),
        ("Throw In", 27, 28),
    ]
    windows = found.provenance["windows"]
    assert [(one["start_s"], one["end_s"]) for one in windows] == [(4.0 * i, 4.0 * i + 6) for i in range(7)]
    assert all(one["answered"] for one in windows)
    assert found.provenance["inputs"] == {"video": str(path)}
    assert found.used == ("video",)
    rows = [json.loads(line) for line in (found.raw or "").splitlines()]
    assert [row["raw"] for row in rows] == [f"{n} events" for n in (1, 2, 3, 1, 1, 1, 1)]
    assert rows[1]["start_s"] == 4.0
    assert found.confidence["reply"] == pytest.approx(0.9**7)
    # Corner kicks are the second event of the window that shows them best, the others the first of theirs.
    sure = {"0.event": 0.5, "1.event": 0.51, "2.event": 0.51, "3.event": 0.5, "4.event": 0.5}
    assert {path: p for path, p in found.confidence.items() if path != "reply"} == sure
    assert found.timing_s["prepare"] > 0


def test_windows_and_short_films_share_batches_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long, short = match(tmp_path), film(tmp_path / "short.mkv", shades([("Goal", 1, 3)], 5))
    paths = {"a": short, "b": long, "c": short, "d": long, "e": tmp_path / "none.mkv", "f": short}
    asked = head()
    seen = batches(asked, monkeypatch)
    found = list(asked.predict_many((Sample(key, {"video": Clip(path)}) for key, path in paths.items()), 4))
    assert [one.sample_id for one in found] == list(paths)
    starts = [f"{4 * i}.000" for i in range(7)]
    order = ["a", *(f"b@{s}" for s in starts), "c", *(f"d@{s}" for s in starts), "e", "f"]
    assert [key for batch in seen for key in batch] == order
    assert [len(batch) for batch in seen if batch] == [4, 4, 4, 4, 2]
    assert told(found[1]) == told(found[3]) == told(asked.predict(video=long))
    assert told(found[0]) == told(found[5]) == [("Goal", 1, 3)]
    assert codes(found[4]) == ["media_missing"]


def test_films_that_are_one_window_go_as_they_always_went(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to one frame more; without windows for a task that has none, or beside a picture."""
    grey = shades([("Goal", 1, 3)], 6.0)
    exact, one_more = film(tmp_path / "a.mkv", grey), film(tmp_path / "b.mkv", [*grey, 0])
    asked = head()
    for path in (exact, one_more):
        seen = batches(asked, monkeypatch)
        found = asked.predict(video=path, id="whole")
        assert seen == [["whole"]]
        assert "windows" not in found.provenance
        assert told(found) == [("Goal", 1, 3)]
    longer = film(tmp_path / "c.mkv", [*grey, 0, 0, 0])
    assert len(asked.predict(video=longer).provenance["windows"]) == 2
    assert "windows" not in head(None).predict(video=longer).provenance


def test_a_header_that_claims_too_much_makes_no_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytearray(film(tmp_path / "a.mkv", shades([("Goal", 1, 3)], 5)).read_bytes())
    place = content.find(b"\x44\x89\x88") + 3
    content[place : place + 8] = np.array([7_200_000.0], ">f8").tobytes()
    path = tmp_path / "lies.mkv"
    path.write_bytes(content)
    asked = head()
    seen = batches(asked, monkeypatch)
    found = asked.predict(video=path, id="whole")
    assert [key for batch in seen for key in batch] == ["whole"]
    assert told(found) == [("Goal", 1, 3)]
    assert codes(found) == ["header_lies"]


def test_a_part_of_a_film_has_its_own_clock(tmp_path: Path) -> None:
    path = match(tmp_path)
    asked = head()
    part = asked.predict(video=Clip(path, start_s=11.0, end_s=28.0))
    assert told(part) == [("Offside", 1, 10), ("Throw In", 16, 17)]
    assert [(one["start_s"], one["end_s"]) for one in part.provenance["windows"]][-1] == (12.0, 17.0)
    assert "windows" not in asked.predict(video=Clip(path, start_s=11.0, end_s=16.0)).provenance
    images = open_video(Clip(path), SPEC).images
    assert told(asked.predict(video=Clip(images, fps=4.0), id="array")) == told(asked.predict(video=path))
    assert told(asked.predict(video=Clip(path.read_bytes()), id="bytes")) == told(asked.predict(video=path))


def test_a_window_without_an_answer_is_said_and_spoils_no_other(tmp_path: Path) -> None:
    """Frames from 10 to 11 s are in the windows 8 to 14 only; those from 17 s in 12 to 18 and 16 to 22."""
    found = head().predict(video=match(tmp_path, broken=(10.0,)))
    [lost] = found.problems
    assert (lost.code, lost.where, lost.fatal) == ("window_lost", "windows.2", False)
    assert lost.message == (
        "no answer about 0:0:8 to 0:0:14: too_bright: one of its frames is no class; "
        "no other window shows 0:0:10 to 0:0:12"
    )
    assert [one["answered"] for one in found.provenance["windows"]] == [True, True, False, True, True, True, True]
    assert ("Goal", 2, 5) in told(found) and ("Offside", 12, 21) in told(found)
    two = head().predict(video=match(tmp_path, broken=(17.0,)))
    [lost] = two.problems
    assert "about 0:0:12 to 0:0:22 (2 windows): too_bright" in lost.message
    assert lost.message.endswith("no other window shows 0:0:14 to 0:0:20")
    apart = head().predict(video=match(tmp_path, broken=(10.0, 19.0)))
    assert codes(apart) == ["window_lost", "window_lost"]


def test_a_film_of_which_every_window_is_lost_has_no_answer(tmp_path: Path) -> None:
    found = head().predict(video=match(tmp_path, broken=tuple(map(float, range(30)))))
    assert found.value is None
    assert [(one.code, one.fatal) for one in found.problems] == [("window_lost", True)]
    assert "0:0:0 to 0:0:30 (7 windows)" in found.problems[0].message
    withheld = head().predict(video=match(tmp_path), abstain_below=0.95)
    assert withheld.value is None
    assert "abstained: the answer is withheld: its confidence is 0.900" in withheld.problems[0].message
    assert told(head().predict(video=match(tmp_path), abstain_below=0.85))


def test_progress_counts_windows(tmp_path: Path) -> None:
    path, heard = match(tmp_path), list[Progress]()
    [_] = head().predict_many([Sample("m", {"video": Clip(path)})], 3, progress=heard.append)
    assert [one.done for one in heard] == [1, 2, 3, 4, 5, 6, 7]
    assert {(one.sample_id, one.total) for one in heard} == {("m", 7)}


def test_leaving_early_stops_reading(tmp_path: Path) -> None:
    path = match(tmp_path, length_s=120)
    answers = head().predict_many([Sample(key, {"video": Clip(path)}) for key in "ab"], 2)
    assert len(next(answers).provenance["windows"]) == 30
    answers.close()  # type: ignore[attr-defined]  # it is a generator
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("vlmkit")]


def test_what_the_samples_raise_comes_after_the_answers(tmp_path: Path) -> None:
    path = match(tmp_path)

    def samples() -> Iterator[Sample]:
        yield Sample("a", {"video": Clip(path)})
        raise RuntimeError("no more")

    answers = head().predict_many(samples(), 4)
    assert told(next(answers))
    with pytest.raises(RuntimeError, match="no more"):
        next(answers)
    refused = head().predict_many([Sample("a", {"video": Clip(path)}), Sample("b", {"image": Image("x.png")})], 4)
    assert next(refused).sample_id == "a"
    with pytest.raises(VlmkitError, match="does not read image"):
        next(refused)


def test_memory_does_not_grow_with_the_film(tmp_path: Path) -> None:
    def peak(length_s: float) -> int:
        path = match(tmp_path, f"{length_s:g}.mkv", length_s=length_s)
        asked = head()
        tracemalloc.start()
        try:
            assert len(list(asked.predict_many([Sample("m", {"video": Clip(path)})], 1))) == 1
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)  # what a first call loads
    short = peak(20)
    frames = 60 * SPEC.fps * 32 * 24 * 3  # bytes of what a film that is a minute longer shows
    assert peak(80) < short + frames / 3


def test_watching_takes_the_windows_of_the_task(tmp_path: Path) -> None:
    path = match(tmp_path)
    asked = head()
    assert [one.sample_id for one in asked.watch(path)] == [f"match@{4 * i}.000" for i in range(7)]
    assert [one.sample_id for one in asked.watch(path, step_s=15)] == ["match@0.000", "match@15.000"]
    assert [one.sample_id for one in asked.watch(path, window_s=20)] == ["match@0.000", "match@20.000"]
    with pytest.raises(VlmkitError, match="give window_s"):
        head(None).watch(path)


def answer(start_s: float, *problems: Problem, value: Any = None, **fields: Any) -> Answer[Any]:
    return Answer(start_s, start_s + 6, Prediction("w", value, problems, **fields))


def test_a_problem_of_many_windows_is_said_once() -> None:
    note, other = Problem("blank", "nothing to see", "video"), Problem("blank", "all black", "video")
    value = events_of([])
    found = joined(
        Sample("m"),
        WINDOWING,
        [answer(0, value=value), answer(4, note, value=value), answer(8, note, other, value=value)],
        [Problem("gap", "a hole", "video")],
    )
    assert found.problems == (
        Problem("gap", "a hole", "video"),
        Problem("blank", "0:0:4 to 0:0:10, and 1 windows more: nothing to see", "windows.1.video"),
        Problem("blank", "0:0:8 to 0:0:14: all black", "windows.2.video"),
    )
    assert (found.confidence, found.raw) == ({}, None)


def test_windows_that_make_no_answer_together_are_a_problem() -> None:
    def refuse(windows: Any) -> Any:
        raise VlmkitError("too many")

    found = joined(Sample("m"), Windowing(6, 4, refuse), [answer(0, value=1), answer(4, value=2)])
    assert found.value is None
    assert [(one.code, one.message) for one in found.problems] == [("unmerged", "its windows make no answer: too many")]
    partly = joined(
        Sample("m"),
        WINDOWING,
        [
            answer(0, value=events_of([]), confidence={"reply": 0.5}, timing_s={"prepare": 1.0}),
            answer(4, value=events_of([]), timing_s={"prepare": 2.0, "generate": 1.0}),
        ],
    )
    assert partly.confidence == {}  # how sure the second is nobody knows
    assert partly.timing_s == {"prepare": 3.0, "generate": 1.0}
