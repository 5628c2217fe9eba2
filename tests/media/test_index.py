"""What packets tell, against answers worked out by hand."""

from __future__ import annotations

import pytest

from vlmkit.media.index import Index, Packets, index_frames, index_packets, runs_needed

OPEN_GROUPS = [(0, 1), (3, 0), (1, 0), (2, 0), (6, 1), (4, 0), (5, 0), (8, 0), (7, 0)]
"""Stamps and key flags in the order of decoding; 4 and 5 are shown before the key frame 6 that they follow."""


def index(packets: list[tuple[int, int]], hidden: frozenset[int] = frozenset(), last_ticks: int = 2) -> Index:
    found = Packets()
    for stamp, key in packets:
        found.add(stamp, last_ticks if stamp == 8 else 1, key=bool(key), shown=stamp not in hidden)
    return index_packets(found, 0.1, 0.5)


def test_frames_are_listed_as_they_are_shown() -> None:
    film = index(OPEN_GROUPS)
    assert film.stamps.tolist() == list(range(9))
    assert film.times_s.tolist() == pytest.approx([i / 10 for i in range(9)])
    assert film.end_s == pytest.approx(1.0)  # 0.8 and two ticks


def test_a_leading_frame_needs_the_run_before() -> None:
    film = index(OPEN_GROUPS)
    assert runs_needed(film, [2]) == {0: {2}}
    assert runs_needed(film, [7]) == {1: {7}}
    assert runs_needed(film, [5, 8]) == {0: {5}, 1: {5, 8}}


def test_hidden_packets_are_no_frames_but_keep_their_run() -> None:
    film = index(OPEN_GROUPS, hidden=frozenset({0, 1}))
    assert film.stamps.tolist() == [2, 3, 4, 5, 6, 7, 8]
    assert film.times_s[0] == 0.0
    assert runs_needed(film, [0]) == {0: {2}}


def test_the_last_frame_lasts_as_told_or_as_the_others_do() -> None:
    assert index(OPEN_GROUPS, last_ticks=0).end_s == pytest.approx(0.9)
    assert index([(0, 1), (8, 0)], last_ticks=0).end_s == pytest.approx(1.6)
    one = Packets()
    one.add(7, 0, key=True, shown=True)
    assert index_packets(one, 0.1, 0.5).end_s == pytest.approx(0.5)


def test_no_packet_is_no_frame() -> None:
    assert len(index_packets(Packets(), 0.1, 0.5)) == 0
    assert index(OPEN_GROUPS, hidden=frozenset(range(9))).end_s == 0.0


def test_decoded_frames_keep_the_clock_of_the_packets() -> None:
    film = index_frames([7, 5, 6], origin=4, tick_s=0.1, last_s=0.5)
    assert film.times_s.tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert runs_needed(film, [0]) is None
