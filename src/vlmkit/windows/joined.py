"""The answers about the windows of a film as one answer about the film."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Generic, TypeVar

from vlmkit.decoders.confidence import renumbered
from vlmkit.errors import VlmkitError
from vlmkit.task import Merged, Window, Windowing
from vlmkit.times import hms
from vlmkit.types import Prediction, Problem, Sample

T = TypeVar("T")


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What was answered about `[start_s, end_s)` of a film."""

    start_s: float
    end_s: float
    prediction: Prediction[T]

    @property
    def value(self) -> T | None:
        """None where the window is lost."""
        return self.prediction.value

    def __str__(self) -> str:
        return f"{hms(self.start_s)} to {hms(self.end_s)}"


def joined(
    sample: Sample, windowing: Windowing[T], answers: Sequence[Answer[T]], notes: Sequence[Problem] = ()
) -> Prediction[T]:
    """One prediction out of the windows' own, which come in order.

    Values are joined by `windowing.merge`. A window without one is lost: the problem `window_lost` says which stretch
    that is and why, and is fatal only where every window is. Problems of windows say their time, and `where` is their
    place in `provenance["windows"]`; one that many windows have is said once. Confidence in an element is that of the
    window it comes from; in `reply` it is the product over the windows, as that of a longer reply would be. `raw`
    holds one line of JSON a window. Seconds are summed.

    Args:
        notes: problems of the film itself.
    """
    problems = [*notes, *_told(answers), *_lost(answers)]
    answered = [answer for answer in answers if answer.value is not None]
    merged: Merged[T] | None = None
    if answered:
        try:
            windows = [Window(one.start_s, one.end_s, one.value) for one in answered if one.value is not None]
            merged = windowing.merge(windows)
        except VlmkitError as error:
            problems.append(Problem("unmerged", f"its windows make no answer: {error}", fatal=True))
    origins = merged.origins if merged is not None else ()
    told = [one.prediction for one in answers]
    listed = [{"start_s": one.start_s, "end_s": one.end_s, "answered": one.value is not None} for one in answers]
    return Prediction(
        sample.id,
        None if merged is None else merged.value,
        tuple(problems),
        confidence=_sure([one.prediction.confidence for one in answered], origins),
        uncalibrated=_sure([one.prediction.uncalibrated for one in answered], origins),
        used=tuple(sorted({modality for one in told for modality in one.used})),
        raw=_raw(answers),
        timing_s=_summed([one.timing_s for one in told]),
        provenance={"windows": listed},
    )


def _told(answers: Sequence[Answer[T]]) -> Iterator[Problem]:
    """What windows say of themselves beside why they are lost."""
    seen: dict[tuple[str, str, str | None], list[int]] = {}
    for place, answer in enumerate(answers):
        for problem in answer.prediction.problems:
            if not problem.fatal:
                seen.setdefault((problem.code, problem.message, problem.where), []).append(place)
    for (code, message, where), places in seen.items():
        more = f", and {len(places) - 1} windows more" if len(places) > 1 else ""
        at = f"windows.{places[0]}" + (f".{where}" if where else "")
        yield Problem(code, f"{answers[places[0]]}{more}: {message}", at)


def _lost(answers: Sequence[Answer[T]]) -> Iterator[Problem]:
    """One problem for lost windows that follow each other for one reason."""
    all_lost = all(answer.value is None for answer in answers)
    places = groupby(range(len(answers)), key=lambda place: _reasons(answers[place]))
    for reasons, run in places:
        if not reasons:
            continue
        first, *rest = run
        start, end = answers[first], answers[rest[-1] if rest else first]
        many = f" ({1 + len(rest)} windows)" if rest else ""
        why = "; ".join(f"{one.code}: {one.message}" for one in start.prediction.problems if one.fatal)
        unseen = ", ".join(f"{hms(a)} to {hms(b)}" for a, b in _unseen(start.start_s, end.end_s, answers))
        only = f"; no other window shows {unseen}" if unseen and not all_lost else ""
        text = f"no answer about {hms(start.start_s)} to {hms(end.end_s)}{many}: {why}{only}"
        yield Problem("window_lost", text, f"windows.{first}", fatal=all_lost)


def _reasons(answer: Answer[T]) -> tuple[str, ...]:
    return tuple(problem.code for problem in answer.prediction.problems if problem.fatal)


def _unseen(start_s: float, end_s: float, answers: Sequence[Answer[T]]) -> Iterator[tuple[float, float]]:
    """The parts of a stretch that no answered window shows."""
    for answer in answers:
        if answer.value is None or answer.end_s <= start_s or answer.start_s >= end_s:
            continue
        if answer.start_s > start_s:
            yield start_s, answer.start_s
        start_s = max(start_s, answer.end_s)
    if start_s < end_s:
        yield start_s, end_s


def _sure(windows: Sequence[Mapping[str, float]], origins: Sequence[tuple[int, int]]) -> dict[str, float]:
    places: dict[int, dict[int, int]] = {}
    for new, (window, old) in enumerate(origins):
        places.setdefault(window, {})[old] = new
    found: dict[str, float] = {}
    for window, said in enumerate(windows):
        found |= {path: p for path, p in renumbered(said, places.get(window, {})).items() if path != "reply"}
    whole = [said["reply"] for said in windows if "reply" in said]
    if whole and len(whole) == len(windows):
        found["reply"] = math.prod(whole)
    return found


def _raw(answers: Sequence[Answer[T]]) -> str | None:
    if all(answer.prediction.raw is None for answer in answers):
        return None
    rows = ({"start_s": one.start_s, "end_s": one.end_s, "raw": one.prediction.raw} for one in answers)
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)


def _summed(timings: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for timing in timings for name in timing)
    return {name: math.fsum(timing.get(name, 0.0) for timing in timings) for name in names}
