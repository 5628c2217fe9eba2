"""Films with broken places: what lies around them is seen, nothing faulty is, and what is missing is said."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.media.films import faststart, film, number_of, written
from tests.media.sounds import noise, sounding_film
from tests.media.watched import BOTH, SEEN, codes, spans, windows
from vlmkit.media import VideoSpec, fragments, open_video
from vlmkit.media.gaps import Continuity, Gap, Picture
from vlmkit.media.session import Session
from vlmkit.media.slicer import Plan, Slice
from vlmkit.types import Clip, Problem

SPEC = VideoSpec(fps=4.0, max_frames=120, min_pixels=1, max_pixels=56 * 42, multiple_px=1)
PLAN = Plan(3.0, 2.0, SEEN, SPEC, exact=True)
RATE = 25


def damaged(content: bytes, from_part: float, to_part: float, *, zeros: bool = False) -> bytes:
    """With the bytes of that part of the file overwritten."""
    first, last = int(from_part * len(content)), int(to_part * len(content))
    new = bytes(last - first) if zeros else random.Random(0).randbytes(last - first)
    return content[:first] + new + content[last:]


def looked_at(content: bytes, plan: Plan = PLAN) -> tuple[list[Slice], list[Problem]]:
    """Windows and notes; every frame in them shows the number that belongs to its time."""
    session = Session(Clip(content), plan)
    found = list(session.slices())
    for one in found:
        clip = one.media["video"]
        assert isinstance(clip, Clip)
        seen = open_video(clip, plan.video)
        for image, time_s in zip(seen.images, seen.times_s, strict=True):
            assert number_of(image) == round((one.start_s + time_s) * RATE) % 256
        assert seen.times_s[-1] < seen.duration_s == pytest.approx(one.end_s - one.start_s, abs=1e-5)
    return found, session.notes


def missing(found: Sequence[Slice], length_s: float) -> list[tuple[float, float]]:
    """What no window shows."""
    at_s, holes = 0.0, []
    for one in found:
        if one.start_s > at_s + 0.05:
            holes.append((at_s, one.start_s))
        at_s = max(at_s, one.end_s)
    return [*holes, (at_s, length_s)] if at_s < length_s - 0.05 else holes


FORMATS = {
    "mp4": {"container": "mp4"},
    "mkv": {"container": "matroska"},
    "ts": {"container": "mpegts"},
    "fragments": {"container": "mp4", "movflags": "frag_keyframe+empty_moov"},
    "fragments with own offsets": {"container": "mp4", "movflags": "frag_keyframe+empty_moov+default_base_moof"},
}


QUICK = {"preset": "ultrafast", "bf": "2", "sc_threshold": "0"}


@cache
def long_film(name: str) -> bytes:
    """20 s, a key frame every two."""
    return film(500, gop=50, options=QUICK, **FORMATS[name])  # type: ignore[arg-type]  # strings all of them


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("zeros", [False, True])
def test_a_broken_middle_is_a_gap_and_all_around_it_is_seen(name: str, zeros: bool) -> None:
    content = long_film(name)
    whole, notes = looked_at(content)
    assert (len(whole), notes, missing(whole, 20.0)) == (10, [], [])
    found, notes = looked_at(damaged(content, 0.45, 0.55, zeros=zeros))
    [(start_s, end_s)] = missing(found, 20.0)
    assert 5.0 < start_s < 10.0 < end_s < 15.0
    assert end_s - start_s < 7.0  # two seconds of bytes, and up to a key frame on both sides
    [note] = notes
    assert (note.code, note.where, note.fatal) == ("gap", "video", False)
    assert f"({start_s:.2f} s to {end_s:.2f} s)" in note.message
    # Windows stay on their grid: only those that the gap cuts begin or end at it.
    assert {one.start_s for one in found} <= {2.0 * i for i in range(10)} | {end_s}
    assert {one.end_s for one in found} <= {2.0 * i + 3 for i in range(9)} | {20.0, start_s}


def test_two_broken_places_are_two_gaps() -> None:
    content = film(500, gop=25, options=QUICK)
    found, notes = looked_at(damaged(damaged(content, 0.3, 0.35), 0.6, 0.65))
    assert [note.code for note in notes] == ["gap", "gap"]
    assert len(missing(found, 20.0)) == 2


def test_a_small_fault_costs_no_window() -> None:
    """A gap of less than a second ends none; the times of the frames around it are right."""
    content = film(250, gop=10, container="mp4")
    found, notes = looked_at(damaged(content, 0.4, 0.402))
    assert [note.code for note in notes] == ["gap"]
    assert [(one.start_s, one.end_s) for one in found] == [(0, 3), (2, 5), (4, 7), (6, 9), (8, 10)]


def test_many_gaps_are_summed_up() -> None:
    content = film(500, gop=10, options=QUICK)
    for i in range(14):
        content = damaged(content, 0.05 + 0.05 * i, 0.06 + 0.05 * i)
    _, notes = looked_at(content)
    assert len(notes) == 11
    assert notes[-1].message.startswith("4 more gaps follow, of ")


def test_a_film_that_is_cut_off() -> None:
    whole = faststart(250, gop=25)
    found, notes = looked_at(whole[: len(whole) * 6 // 10])
    assert [note.code for note in notes] == ["truncated"]
    [(start_s, _)] = missing(found, 10.0)
    assert f"{start_s:.3f} s of it can be seen" in notes[0].message
    mkv = film(750, gop=25, container="matroska", options=QUICK)
    found, notes = looked_at(mkv[: len(mkv) // 2])
    assert [note.code for note in notes] == ["header_lies"]
    assert "the header says 30.000 s" in notes[0].message
    [(start_s, _)] = missing(found, 30.0)
    assert 8 < start_s < 20


def test_a_broken_start_and_end(tmp_path: Path) -> None:
    content = film(250, gop=25, container="mp4")
    start, end = content.find(b"mdat") + 4, content.find(b"moov") - 4
    n = end - start
    first = content[:start] + b"\xff" * (n // 4) + content[start + n // 4 :]
    found, notes = looked_at(first)
    [(_, end_s)] = missing(found, 10.0)
    assert missing(found, 10.0) == [(0.0, end_s)] and end_s in (1, 2, 3, 4)  # a key frame a second
    assert f"(0.00 s to {end_s:.2f} s)" in notes[0].message
    last = content[: end - n // 4] + b"\xff" * (n // 4) + content[end:]
    found, notes = looked_at(last)
    [(start_s, _)] = missing(found, 10.0)
    assert notes[0].code == "gap" and f"({start_s:.2f} s to 9.96 s)" in notes[0].message


def test_windows_of_a_stream_say_it_once(tmp_path: Path) -> None:
    path = written(tmp_path, damaged(film(250, gop=25), 0.4, 0.5))
    found = windows(path, 2, modalities=SEEN)
    assert spans(found)[0] == (0, 2) and spans(found)[-1] == (8, 10)
    assert [code for window in found for code in codes(window) if code != "window_partial"] == ["gap"]


def test_sound_goes_on_over_a_gap(tmp_path: Path) -> None:
    """So windows stay whole, and keep what can be seen."""
    content = bytearray(sounding_film(250, samples=noise(10 * 16_000), container="mov"))
    found, _ = looked_at(bytes(content), replace(PLAN, modalities=BOTH))
    assert [(one.start_s, one.end_s) for one in found] == [(0, 3), (2, 5), (4, 7), (6, 9), (8, 10)]
    for place in range(content.find(b"mdat") + 4, content.find(b"moov") - 4):
        content[place] ^= 0xFF if 0.45 < place / len(content) < 0.5 else 0
    session = Session(Clip(bytes(content)), replace(PLAN, modalities=BOTH))
    found = list(session.slices())
    assert "gap" in {note.code for note in session.notes}
    assert [(one.start_s, one.end_s) for one in found] == [(0, 3), (2, 5), (4, 7), (6, 9), (8, 10)]
    assert all("audio" in one.media for one in found)


def pictures(times_s: Sequence[float], keys: Sequence[float] = (), lasts_s: float = 0.0) -> list[Picture]:
    """As a decoder gives them."""
    found = []
    for time_s in times_s:
        frame: Any = SimpleNamespace(key_frame=time_s in keys, duration=lasts_s, time_base=1)
        found.append(Picture(time_s, frame))
    return found


def passed(whole: Continuity, given: Sequence[Picture]) -> list[float | Gap]:
    found = [one for picture in given for one in whole.see(picture)]
    return [one if isinstance(one, Gap) else one.time_s for one in (*found, *whole.finish())]


def test_a_pause_is_a_gap_where_the_film_does_not_say_otherwise() -> None:
    assert passed(Continuity(2.0), pictures([0, 0.5, 1, 4, 4.5])) == [0, 0.5, 1, 4, 4.5]  # five times as long
    assert passed(Continuity(2.0), pictures([0, 0.5, 1, 9, 9.5], keys=[9])) == [0, 0.5, 1, Gap(1.5, 9), 9, 9.5]
    start = [0.25 * i for i in range(10)]
    assert passed(Continuity(4.0), pictures([*start, 4.75])) == [*start, 4.75]
    assert passed(Continuity(4.0), pictures([*start, 5.25], keys=[5.25])) == [*start, Gap(2.5, 5.25), 5.25]
    # What follows a loss is drawn on top of it.
    assert passed(Continuity(4.0), pictures([*start, 5.25, 6.0], keys=[6.0])) == [*start, Gap(2.5, 6.0), 6.0]
    assert passed(Continuity(25.0), pictures([0, 9, 12], lasts_s=9.0)) == [0, 9, 12]
    assert passed(Continuity(None), pictures([0, 5, 10, 15])) == [0, 5, 10, 15]  # a picture in five seconds


def test_behind_a_fault_a_key_frame_is_waited_for() -> None:
    whole = Continuity(2.0)
    assert passed(whole, pictures([0, 0.5], keys=[0])) == [0, 0.5]
    whole.broke(1.0)
    # The picture at 1.0 came out of the broken packet itself, whatever it calls itself.
    assert passed(whole, pictures([0.75, 1.0, 1.5, 2.0, 2.5], keys=[1.0, 2.0])) == [Gap(1.0, 2.0), 2.0, 2.5]
    whole.broke()  # a packet that is not there at all
    assert passed(whole, pictures([3.0, 3.5], keys=[3.0])) == [3.0, 3.5]  # and none is missing
    assert whole.patched
    whole.broke(4.0)
    assert list(whole.finish()) == [] and whole.end_s == 4.0
    assert passed(whole, pictures([4.5, 5.0])) == [Gap(4.0, 5.0)]


def test_a_fault_may_begin_in_the_packet_before() -> None:
    whole = Continuity(2.0)
    first, second = pictures([0, 0.5], keys=[0])
    assert list(whole.see(first)) == []  # nobody knows yet whether it is whole
    assert list(whole.see(second)) == [first]
    whole.broke(1.0, 0.5)
    assert passed(whole, pictures([2.0], keys=[2.0])) == [Gap(0.5, 2.0), 2.0]
    start = Continuity(2.0)
    start.broke(0.5, 0.0)
    assert start.end_s == 0.0
    assert passed(start, pictures([2.0], keys=[2.0])) == [Gap(0.0, 2.0), 2.0]


def test_a_film_without_key_frames_is_believed_again() -> None:
    whole = Continuity(2.0)
    passed(whole, pictures([0, 0.5], keys=[0]))
    whole.broke(1.0)
    assert passed(whole, pictures([0.5 * i for i in range(60, 102)])) == [Gap(1.0, 50.5), 50.5]


def test_what_is_no_fragmented_film_has_no_rest(tmp_path: Path) -> None:
    plain = film(50)
    for content in (plain, plain[:1500], b"", b"\0\0\0\x10ftyp", bytes(100), faststart(20)):
        with fragments.rest(content, 0) as found:
            assert found is None
    cut = film(100, movflags="frag_keyframe+empty_moov")
    path = written(tmp_path, cut)
    starts = [place - 4 for place in range(len(cut)) if cut.startswith(b"moof\0\0\0\x10mfhd", place)]
    assert len(starts) == 10
    for source in (cut, path):
        with fragments.rest(source, starts[3] + 1) as found:
            assert found is not None and found.start == starts[4]
            assert (
                found.seek(0, 2) == len(cut) and found.seek(-10, 1) == len(cut) - 10 and found.tell() == len(cut) - 10
            )
            assert found.read() == cut[-10:]
            found.seek(0)
            whole = b"".join(iter(lambda: found.read(1000), b""))
        assert len(whole) == len(cut)
        assert whole[: starts[0]] == cut[: starts[0]] and whole[starts[4] :] == cut[starts[4] :]
        assert whole[starts[0] + 4 : starts[0] + 8] == b"free"
        size = int.from_bytes(whole[starts[0] + 8 : starts[0] + 16], "big")
        assert starts[0] + size == starts[4]
    with fragments.rest(cut, starts[-1] + 1) as found:
        assert found is None


@pytest.mark.parametrize("n_lost", [16, 32, 160])
def test_packets_that_are_lost_without_a_trace_are_missed(n_lost: int) -> None:
    """Sixteen packets, or twice as many, leave the counters of a transport stream as they were."""
    content = long_film("ts")
    packets = [content[at : at + 188] for at in range(0, len(content), 188)]
    stream = [(packet[1] & 0x1F) << 8 | packet[2] for packet in packets]
    film_stream = max(set(stream), key=stream.count)
    lost = [place for place, one in enumerate(stream) if one == film_stream][305 : 305 + n_lost]
    _, notes = looked_at(b"".join(packet for place, packet in enumerate(packets) if place not in lost))
    assert [note.code for note in notes] == ["gap"]


def test_a_cluster_that_begins_between_key_frames_is_waited_out() -> None:
    """Matroska goes on at the next cluster, which need not begin with a key frame."""
    for gop, part in ((250, 0.02), (100, 0.005)):
        content = film(750, gop=gop, container="matroska", options=QUICK)
        found, notes = looked_at(damaged(content, 0.5, 0.5 + part))
        assert [note.code for note in notes] == ["gap"]
        [(_, end_s)] = missing(found, 30.0)
        assert end_s * RATE % gop == pytest.approx(0, abs=0.1)


def test_a_damaged_packet_inside_a_film_is_no_cut_end() -> None:
    _, notes = looked_at(damaged(long_film("ts"), 0.4, 0.45))
    assert [note.code for note in notes] == ["gap"]
