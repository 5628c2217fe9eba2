"""Single samples: the worst errors with their media, and what happened when in some films."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from vlmkit.evaluate.figures import Case
from vlmkit.evaluate.page.gallery import TEXT_LETTERS, Exhibit, exhibits, film_s, within
from vlmkit.evaluate.page.parts import Plot, Section
from vlmkit.evaluate.page.strips import colours_of, strip_plot
from vlmkit.evaluate.table import figure
from vlmkit.markup import clipped, flat
from vlmkit.types import Clip, Prediction, Problem

if TYPE_CHECKING:
    from vlmkit.evaluate.report import Report

MOST = 12
"""Errors in the gallery, and films with a strip."""
_MEDIA_BYTES = 1_900_000  # of all cards together; plots and tables take the rest of some 3 MB
_LINES = 24  # of the comparison of truth and answer
_LETTERS = 120
_SEEN = 4  # fields that differ and are seen at once


@dataclass(frozen=True)
class Line:
    """One field of truth and answer as text. `wrong`: it is a closed field, and they differ."""

    path: str
    truth: str
    answer: str
    wrong: bool = False
    confidence: str = ""


@dataclass(frozen=True)
class Card:
    """One error: what was given, what was true, what was answered, and what went wrong.

    Attributes:
        truth, answer: their labels. confidence: in the label, or in the whole answer.
        wrong: the closed fields that differ, at most `_SEEN` of them. lines: everything; `more` fields are left out.
        strip: of a film, what happens when.
    """

    sample_id: str
    truth: str
    answer: str | None
    confidence: str
    wrong: tuple[Line, ...]
    lines: tuple[Line, ...]
    more: int
    figures: str
    problems: tuple[Problem, ...]
    exhibits: tuple[Exhibit, ...]
    text: str | None
    raw: str
    strip: str = ""


def cards(report: Report) -> list[Card]:
    """The worst errors, at most `MOST` of them."""
    wrong = {outcome.sample_id for outcome in report.wrong}
    chosen = [case for case in report.cases if case.sample.id in wrong][:MOST]
    media = [exhibits(case.sample) for case in chosen]
    kept = iter(within([exhibit for found in media for exhibit in found], _MEDIA_BYTES))
    colours = _colours(report.cases)
    made = [_card(case, [next(kept) for _ in found]) for case, found in zip(chosen, media, strict=True)]
    pairs = zip(chosen, made, strict=True)
    return [replace(card, strip=_strip(case, colours, "error ")) if _told(case) else card for case, card in pairs]


def films(report: Report) -> Section | None:
    """Strips of some films, evenly through the ranking from the worst to the best."""
    told = list(filter(_told, report.cases))
    if not told:
        return None
    step = max(1.0, (len(told) - 1) / (MOST - 1))
    chosen = [told[round(place * step)] for place in range(min(MOST, len(told)))]
    colours = _colours(told)
    drawn = tuple(Plot(_strip(case, colours), case.sample.id, _about(case)) for case in chosen)
    lead = f"{len(chosen)} of {len(told)} films, evenly from the worst to the best: the truth above, the answer below."
    return Section("films", "What happens when", lead, drawn[:6], drawn[6:])


def _told(case: Case) -> bool:
    return bool(case.true_spans or case.answered_spans)


def _colours(cases: Iterable[Case]) -> dict[str, str]:
    """One a label, the same wherever on the page it is."""
    return colours_of(sorted({span.label for case in cases for span in (*case.true_spans, *case.answered_spans)}))


def _strip(case: Case, colours: Mapping[str, str], kind: str = "") -> str:
    spans = (*case.true_spans, *case.answered_spans)
    end_s = max([*(span.end_s for span in spans), _length_s(case)])
    answered = case.prediction is not None and case.prediction.value is not None
    return strip_plot(case.true_spans, case.answered_spans if answered else None, end_s, colours, kind + case.sample.id)


def _length_s(case: Case) -> float:
    """How long the clip is; 0 where nobody can say, and the spans' own ends have to do."""
    clip = case.sample.media.get("video")
    return (film_s(clip) if isinstance(clip, Clip) else None) or 0.0


def _about(case: Case) -> str:
    problems = ", ".join(case.outcome.problems)
    return _figures(case.outcome.metrics) + (f" · {problems}" if problems else "")


def _card(case: Case, shown: Sequence[Exhibit]) -> Card:
    prediction, outcome = case.prediction, case.outcome
    lines = _lines(case)
    said = (outcome.truth, outcome.answer)  # the label stands above them
    return Card(
        sample_id=case.sample.id,
        truth=outcome.truth,
        answer=outcome.answer,
        confidence=_sure(prediction),
        wrong=tuple(line for line in lines if line.wrong and (line.truth, line.answer) != said)[:_SEEN],
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
    """The confidence in the label; where nobody says, in the whole answer, and that it is that."""
    known = prediction.confidence if prediction else {}
    if "label" in known:
        return f"{known['label']:.3f}"
    return f"{known['reply']:.3f} in the whole answer" if "reply" in known else ""


def _lines(case: Case) -> list[Line]:
    """Truth and answer side by side: closed fields first, and of them those that differ.

    Of answers that are lists the elements that are wrong come first, told by what belongs together and not by place:
    behind one that was missed, every place would differ.
    """
    prediction = case.prediction
    value = prediction.value if prediction else None
    wanted = {**case.true_fields, **_opened(case.sample.truth)}
    given = {**case.answered_fields, **_opened(value)}
    known = prediction.confidence if prediction else {}
    closed = case.true_fields.keys() | case.answered_fields.keys() or wanted.keys() | given.keys()
    lines = [
        Line(
            path or "value",
            clipped(wanted.get(path, "–"), _LETTERS),
            clipped(given.get(path, "–"), _LETTERS),
            value is not None and not case.pairs and path in closed and wanted.get(path) != given.get(path),
            f"{known[path]:.2f}" if path in known else "",
        )
        for path in dict.fromkeys([*case.true_fields, *wanted, *given])
    ]
    apart = [(name, truth, said) for name, truth, said in case.pairs if truth != said and value is not None]
    told = [Line(name, truth or "–", said or "–", True) for name, truth, said in apart]
    return [*told, *sorted(lines, key=lambda line: not line.wrong)]


def _opened(value: object) -> dict[str, str]:
    return {} if value is None else dict(flat(value))


def _figures(metrics: Mapping[str, float | None]) -> str:
    told = [f"{name}\N{NO-BREAK SPACE}{figure(value)}" for name, value in metrics.items() if value is not None]
    return " · ".join(told[:6]) + (f" · and {len(told) - 6} more" if len(told) > 6 else "")
