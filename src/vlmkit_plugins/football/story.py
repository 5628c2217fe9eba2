"""What happens in a drawn match clip, before anything is drawn: its match, its shots, its events and their words.

Events are as long as 3 to 7 s and begin and end on any frame; between two of them are at least `GAP_S`. Many clips are
as long as the windows that a match is asked about in; and now and then, as such windows do, a clip begins or ends
inside an event, of which then at least `SEEN_S` are shown. The truth has each time to the nearest whole second, halves
up. Every word of a description can be seen: the colour of the shirt, and for some classes the side or the height. The
shirts' numbers are drawn, and told beside the truth: a tiny tower does not learn to read them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import numpy as np

from vlmkit.times import hms
from vlmkit_plugins.football.pen import JERSEYS
from vlmkit_plugins.football.schema import WINDOW_S, Event, EventClass, Events, events_of

FPS = 12
"""Frames a second of a drawn clip."""
DRAWN: tuple[EventClass, ...] = get_args(EventClass)[:8]
"""The classes that are drawn: those of the trained adapter."""
SHORTEST_S, LONGEST_S = 10.0, 30.0
EVENT_S = (3.0, 7.0)
GAP_S = 2.0
SEEN_S = 1.0
NUMBERS = 20
"""Shirts have the numbers from 1 to this."""
_COUNTS = {0: 0.2, 1: 0.28, 2: 0.26, 3: 0.16, 4: 0.1}
_CUT = 0.12  # share of clips that begin, and that end, inside an event
_WINDOWS = 0.4  # share of clips of the length that a match is asked about in
_TRIES = 40
_EXTRAS = ("crowd", "player", "referee", "bench", "net")

_WORDS: dict[EventClass, tuple[str, str]] = {
    "Goal": ("scores with a low shot.", "scores with a high shot."),
    "Penalty Shot": ("takes a penalty.", "takes a penalty."),
    "Red Card": ("gets a red card.", "gets a red card."),
    "Yellow Card": ("gets a yellow card.", "gets a yellow card."),
    "Corner Kick": ("takes a corner from the left.", "takes a corner from the right."),
    "Free Kick": ("takes a free kick.", "takes a free kick."),
    "Throw In": ("throws in from the left.", "throws in from the right."),
    "Offside": ("is offside.", "is offside."),
}  # of the two, the second is for a high ball, or for a player who stands on the right


@dataclass(frozen=True)
class Match:
    """What all clips of a match share: the two teams' colours, and a number that draws the stadium."""

    source: str
    teams: tuple[str, str]
    look: int


@dataclass(frozen=True)
class Shot:
    """What is shown from one cut to the next: an event, play, or something beside it; half-open frames of the clip."""

    kind: str
    start: int
    end: int
    look: int
    number: int = 0
    team: int = 0
    on_right: bool = False
    is_high: bool = False

    @property
    def is_event(self) -> bool:
        """Whether the truth has it."""
        return self.kind in DRAWN


class Story(NamedTuple):
    """A clip before it is drawn: how many frames, which match, which shots without gaps."""

    n_frames: int
    match: Match
    shots: tuple[Shot, ...]

    @property
    def timeline(self) -> list[list[Any]]:
        """`[class, start, end]` an event, in exact seconds."""
        return [
            [shot.kind, round(shot.start / FPS, 4), round(shot.end / FPS, 4)] for shot in self.shots if shot.is_event
        ]

    @property
    def numbers(self) -> list[int]:
        """On the shirt of each event's player."""
        return [shot.number for shot in self.shots if shot.is_event]

    @property
    def truth(self) -> Events:
        """The answer."""
        return events_of([event(shot, self.match) for shot in self.shots if shot.is_event])


def event(shot: Shot, match: Match) -> Event:
    """An event of the answer. Raises `DataError` for a time that is none."""
    kind: EventClass = shot.kind  # type: ignore[assignment]
    second = shot.is_high if kind == "Goal" else shot.on_right
    words = f"A player in {match.teams[shot.team]} {_WORDS[kind][second]}"
    return Event(description=words, start_time=hms(shot.start / FPS), end_time=hms(shot.end / FPS), event=kind)


def descriptions() -> list[str]:
    """Every description there is: what a small model has to have words for."""
    return [
        f"A player in {colour} {words}"
        for endings in _WORDS.values()
        for words in dict.fromkeys(endings)
        for colour in JERSEYS
    ]


def match_of(seed: int, number: int) -> Match:
    """Match `number` of `seed`."""
    rng = np.random.default_rng([seed, number, 1])
    first, second = rng.permutation(list(JERSEYS))[:2]
    return Match(f"S{seed:04d}_m{number:05d}", (str(first), str(second)), int(rng.integers(2**31)))


def tell(match: Match, rng: np.random.Generator, seconds: float | None = None, n_events: int | None = None) -> Story:
    """A clip of this match. Length and number of events are drawn where not given; too many events become fewer."""
    n_frames = round((_length_s(rng) if seconds is None else seconds) * FPS)
    wanted = int(rng.choice(list(_COUNTS), p=list(_COUNTS.values()))) if n_events is None else n_events
    spans: list[tuple[int, int]] = []
    while wanted and not (spans := _spans(n_frames, wanted, rng)):
        wanted -= 1
    shots: list[Shot] = []
    at = 0
    for start, end in [*spans, (n_frames, n_frames)]:
        shots.extend(_between(at, start, rng))
        if end > start:
            shots.append(_event(start, end, rng))
        at = end
    return Story(n_frames, match, tuple(shots))


def _length_s(rng: np.random.Generator) -> float:
    drawn = float(rng.uniform(SHORTEST_S, LONGEST_S))
    return WINDOW_S if rng.random() < _WINDOWS else drawn


def _spans(n_frames: int, n: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Where the events are; none where they do not fit."""
    for _ in range(_TRIES):
        lengths = rng.integers(round(EVENT_S[0] * FPS), round(EVENT_S[1] * FPS) + 1, n)
        least = np.full(n + 1, round(GAP_S * FPS))
        least[0] = least[-1] = 0
        hidden = [0, 0]
        for side, place in ((0, 0), (1, n - 1)):
            if rng.random() < _CUT and not (n == 1 and any(hidden)):
                hidden[side] = int(rng.integers(1, max(2, lengths[place] - round(SEEN_S * FPS))))
        free = n_frames + sum(hidden) - int(lengths.sum() + least.sum())
        if free < 0:
            continue
        cuts = np.sort(rng.integers(0, free + 1, n))
        gaps = np.diff(np.concatenate([[0], cuts, [free]])) + least
        if hidden[0]:
            gaps[1] += gaps[0]
            gaps[0] = 0
        if hidden[1]:
            gaps[-2] += gaps[-1]
            gaps[-1] = 0
        starts = np.cumsum(gaps[:-1]) + np.concatenate([[0], np.cumsum(lengths[:-1])]) - hidden[0]
        return [(max(0, int(s)), min(n_frames, int(s + k))) for s, k in zip(starts, lengths, strict=True)]
    return []


def _event(start: int, end: int, rng: np.random.Generator) -> Shot:
    kind = DRAWN[int(rng.integers(len(DRAWN)))]
    number, team = 1 + int(rng.integers(NUMBERS)), int(rng.integers(2))
    on_right, is_high = bool(rng.random() < 0.5), bool(rng.random() < 0.5)
    return Shot(kind, start, end, int(rng.integers(2**31)), number, team, on_right, is_high)


def _between(start: int, end: int, rng: np.random.Generator) -> list[Shot]:
    """Play, cut now and then, sometimes with a look at something else."""
    shots = []
    at = start
    while at < end:
        other = rng.random() < 0.3
        length = int(rng.integers(round(1.0 * FPS), round(3.0 * FPS)) if other else rng.integers(3 * FPS, 12 * FPS))
        until = end if end - at - length < FPS else at + length
        kind = _EXTRAS[int(rng.integers(len(_EXTRAS)))] if other else "play"
        number, team = 1 + int(rng.integers(NUMBERS)), int(rng.integers(2))
        shots.append(Shot(kind, at, until, int(rng.integers(2**31)), number, team, bool(rng.random() < 0.5)))
        at = until
    return shots
