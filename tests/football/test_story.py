from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from vlmkit_plugins.football.pen import JERSEYS
from vlmkit_plugins.football.schema import CLASSES, WINDOW_S, Event, parse_events, reply_of
from vlmkit_plugins.football.story import (
    DRAWN,
    EVENT_S,
    FPS,
    GAP_S,
    LONGEST_S,
    SEEN_S,
    SHORTEST_S,
    Match,
    Shot,
    Story,
    descriptions,
    event,
    match_of,
    tell,
)

MATCH = Match("m", ("red", "blue"), 1)


def stories(n: int) -> list[Story]:
    """Clips of as many matches."""
    return [tell(match_of(1, k), np.random.default_rng([1, k])) for k in range(n)]


def test_stories_keep_the_rules() -> None:
    classes: Counter[str] = Counter()
    counts: Counter[int] = Counter()
    borders: Counter[str] = Counter()
    windows = 0
    for story in stories(800):
        windows += story.n_frames == WINDOW_S * FPS
        assert SHORTEST_S * FPS <= story.n_frames <= LONGEST_S * FPS
        assert [shot.start for shot in story.shots] == [0, *(shot.end for shot in story.shots[:-1])]
        assert story.shots[-1].end == story.n_frames
        assert all(shot.end > shot.start for shot in story.shots)
        events = [shot for shot in story.shots if shot.is_event]
        for before, after in itertools.pairwise(events):
            assert after.start - before.end >= GAP_S * FPS
        for shot in events:
            is_cut = shot.start == 0 or shot.end == story.n_frames
            assert (SEEN_S if is_cut else EVENT_S[0]) * FPS <= shot.end - shot.start <= EVENT_S[1] * FPS
            borders.update(["start"] * (shot.start == 0) + ["end"] * (shot.end == story.n_frames))
            classes[shot.kind] += 1
        counts[len(events)] += 1
    assert set(classes) == set(DRAWN) == set(CLASSES[:8])
    assert min(classes.values()) > 0.7 * classes.total() / 8
    assert set(counts) == set(range(5))
    assert 0.14 < counts[0] / counts.total() < 0.26
    assert min(borders.values()) > 40
    assert 0.35 < windows / 800 < 0.45  # as many as are as long as what a match is asked about in


def test_the_truth_is_a_legal_answer_about_its_clip() -> None:
    for story in stories(60):
        dumped = story.truth.model_dump(mode="json")
        assert parse_events(dumped, "truth") == story.truth
        reply_of(-(-story.n_frames // FPS)).model_validate(dumped)
        assert [[one.event, one.start_s, one.end_s] for one in story.truth.root] == [
            [kind, np.floor(start + 0.5), np.floor(end + 0.5)] for kind, start, end in story.timeline
        ]


@pytest.mark.parametrize(("frame", "clock"), [(0, "0:0:0"), (5, "0:0:0"), (6, "0:0:1"), (17, "0:0:1"), (18, "0:0:2")])
def test_times_are_to_the_nearest_second_halves_up(frame: int, clock: str) -> None:
    assert event(Shot("Goal", frame, 40, 0, 7), MATCH).start_time == clock


def test_words_say_what_can_be_seen() -> None:
    def said(kind: str, team: int = 0, *, on_right: bool = False, is_high: bool = False) -> str:
        return event(Shot(kind, 0, 40, 0, 10, team, on_right, is_high), MATCH).description

    assert said("Goal", is_high=True) == "A player in red scores with a high shot."
    assert said("Goal", on_right=True) == said("Goal") == "A player in red scores with a low shot."
    assert said("Corner Kick", 1, on_right=True) == "A player in blue takes a corner from the right."
    assert said("Offside", on_right=True, is_high=True) == said("Offside")


def test_the_words_are_all_known() -> None:
    known = descriptions()
    assert len(known) == len(set(known)) == 11 * len(JERSEYS)
    assert {one.description for story in stories(100) for one in story.truth.root} <= set(known)
    Event(description=max(known, key=len), start_time="0:0:0", end_time="0:0:3", event="Goal")


def test_a_length_and_a_number_of_events_can_be_asked_for() -> None:
    rng = np.random.default_rng(3)
    story = tell(MATCH, rng, 600, 0)
    assert (story.n_frames, story.timeline) == (7200, [])
    assert {"play", "crowd", "player", "referee", "bench", "net"} == {shot.kind for shot in story.shots}
    assert {len(tell(MATCH, rng, 30, 4).timeline) for _ in range(20)} == {4}
    assert max(len(tell(MATCH, rng, 10, 4).timeline) for _ in range(20)) <= 3  # four have no room


def test_matches_have_two_teams_and_a_name_of_their_own() -> None:
    matches = [match_of(2, k) for k in range(50)]
    assert len({match.source for match in matches}) == 50
    assert all(match.teams[0] != match.teams[1] for match in matches)
    assert {team for match in matches for team in match.teams} == set(JERSEYS)
