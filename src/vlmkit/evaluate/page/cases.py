"""Single samples: the worst errors with their media, and what happened when in some films."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vlmkit.evaluate.figures import Case
from vlmkit.evaluate.page.gallery import TEXT_LETTERS, Exhibit, exhibits, within
from vlmkit.evaluate.page.sections import Plot, Section
from vlmkit.evaluate.page.strips import colours_of, strip_plot
from vlmkit.evaluate.table import figure
from vlmkit.markup import clipped, flat
from vlmkit.types import Clip, Prediction, Problem

if TYPE_CHECKING:
    from vlmkit.evaluate.report import Report

MOST = 12
"""Errors in the gallery, and films with a strip."""
_MEDIA_BYTES = 1_900_000  # of all cards together; plots and tables take the rest of some 3 MB
_LINES = 16  # of the comparison of truth and answer
_LETTERS = 120


@dataclass(frozen=True)
class Line:
    """One field of truth and answer as text; `right` is whether they are the same."""

    path: str
    truth: str
    answer: str
    right: bool
    confidence: str = ""


@dataclass(frozen=True)
class Card:
    """One error: what was given, what was true, what was answered, and what went wrong."""

    sample_id: str
    truth: str
    answer: str | None
    confidence: str
    lines: tuple[Line, ...]
    more: int
    figures: str
    problems: tuple[Problem, ...]
    exhibits: tuple[Exhibit, ...]
    text: str | None
    raw: str


def cards(report: Report) -> list[Card]:
    """The worst errors, at most `MOST` of them."""
    wrong = {outcome.sample_id for outcome in report.wrong}
    chosen = [case for case in report.cases if case.sample.id in wrong][:MOST]
    media = [exhibits(case.sample) for case in chosen]
    kept = iter(within([exhibit for found in media for exhibit in found], _MEDIA_BYTES))
    return [_card(case, [next(kept) for _ in found]) for case, found in zip(chosen, media, strict=True)]


def films(report: Report) -> Section | None:
    """Strips of some films, evenly through the ranking from the worst to the best."""
    told = [case for case in report.cases if case.true_spans or case.answered_spans]
    if not told:
        return None
    step = max(1.0, (len(told) - 1) / (MOST - 1))
    chosen = [told[round(place * step)] for place in range(min(MOST, len(told)))]
    colours = colours_of(sorted({span.label for case in told for span in (*case.true_spans, *case.answered_spans)}))
    drawn = tuple(Plot(_strip(case, colours), case.sample.id, _about(case)) for case in chosen)
    lead = f"{len(chosen)} of {len(told)} films, evenly from the worst to the best: the truth above, the answer below."
    return Section("films", "What happens when", lead, drawn[:6], drawn[6:])


def _strip(case: Case, colours: Mapping[str, str]) -> str:
    spans = (*case.true_spans, *case.answered_spans)
    end_s = max([*(span.end_s for span in spans), _length_s(case)])
    answered = case.prediction is not None and case.prediction.value is not None
    return strip_plot(case.true_spans, case.answered_spans if answered else None, end_s, colours, case.sample.id)


def _length_s(case: Case) -> float:
    """How long the clip is, where the sample says so without its film being opened."""
    clip = next((media for media in case.sample.media.values() if isinstance(media, Clip)), None)
    return clip.end_s - (clip.start_s or 0.0) if clip is not None and clip.end_s is not None else 0.0


def _about(case: Case) -> str:
    problems = ", ".join(case.outcome.problems)
    return _figures(case.outcome.metrics) + (f" · {problems}" if problems else "")


def _card(case: Case, shown: Sequence[Exhibit]) -> Card:
    prediction, outcome = case.prediction, case.outcome
    lines = _lines(case.sample.truth, prediction)
    sure = _sure(prediction)
    return Card(
        sample_id=case.sample.id,
        truth=outcome.truth,
        answer=outcome.answer,
        confidence=sure,
        lines=tuple(lines[:_LINES]),
        more=max(0, len(lines) - _LINES),
        figures=_figures(outcome.metrics),
        problems=_problems(prediction),
        exhibits=tuple(shown),
        text=None if case.sample.text is None else clipped(case.sample.text, TEXT_LETTERS),
        raw=clipped(prediction.raw) if prediction and prediction.value is None and prediction.raw else "",
    )


def _problems(prediction: Prediction[Any] | None) -> tuple[Problem, ...]:
    if prediction is None:
        return (Problem("missing", "there is no prediction of this sample; it counts as wrong", fatal=True),)
    return tuple(sorted(prediction.problems, key=lambda problem: not problem.fatal))


def _sure(prediction: Prediction[Any] | None) -> str:
    """The confidence in the whole answer, or in its label."""
    known = prediction.confidence if prediction else {}
    name = next((name for name in ("reply", "label") if name in known), None)
    return "" if name is None else f"{known[name]:.3f}"


def _lines(truth: object, prediction: Prediction[Any] | None) -> list[Line]:
    """Truth and answer side by side; what differs comes first."""
    wanted = dict(flat(truth))
    given = dict(flat(prediction.value)) if prediction is not None and prediction.value is not None else {}
    known = prediction.confidence if prediction else {}
    lines = [
        Line(
            path or "value",
            clipped(wanted.get(path, "–"), _LETTERS),
            clipped(given.get(path, "–"), _LETTERS),
            wanted.get(path) == given.get(path),
            f"{known[path]:.2f}" if path in known else "",
        )
        for path in dict.fromkeys([*wanted, *given])
    ]
    return sorted(lines, key=lambda line: line.right)


def _figures(metrics: Mapping[str, float | None]) -> str:
    told = [f"{name} {figure(value)}" for name, value in metrics.items() if value is not None]
    return " · ".join(told[:6]) + (f" · and {len(told) - 6} more" if len(told) > 6 else "")
