"""HTML of plain data, with nothing but the standard library: tables, and the card of one prediction in a notebook.

Every text is escaped. Styles stand in the elements, since notebook viewers drop style sheets, and colours are inherited
or grey, so that cards read on light and dark.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vlmkit.types import Prediction, Problem

LONGEST = 400
"""Letters of one value that are shown; the rest is counted."""
_MOST_ROWS = 40
_DEEPEST = 8
_ABSENT = "–"
_LINE = "border:0;border-top:1px solid rgba(128,128,128,.35);padding:.25em .8em .25em 0;text-align:left"
_PALE = "opacity:.7"
_BLUE, _RED, _AMBER = "#2f7fc1", "#c8553d", "#b7791f"  # read on white and on near-black


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of text as a table in HTML; every cell is escaped."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def plain(text: str) -> str:
    """Text with its control characters and lone surrogates made visible, so that no page breaks on them."""
    return "".join(_visible(letter) for letter in text)


def clipped(text: str, longest: int = LONGEST) -> str:
    """The first `longest` letters; how many there are in all, where some are left out."""
    return text if len(text) <= longest else f"{text[:longest]} … ({len(text):,} characters)"


def flat(value: object) -> list[tuple[str, str]]:
    """The leaves of an answer as text, by dotted path: models of pydantic, dataclasses, mappings and lists are opened.

    A value without parts has the path "".
    """
    return list(_leaves(value, "", 0))


def prediction_card(prediction: Prediction[Any]) -> str:
    """What a notebook shows of one prediction: the value with confidences, what was seen, problems, which weights."""
    used = ", ".join(prediction.used) or "nothing"
    state = "no answer" if prediction.value is None else "answer"
    parts = [
        f"<b><bdi>{_text(prediction.sample_id)}</bdi></b> "
        f'<span style="{_PALE}">{state} · seen: {_text(used)}{_sure(prediction)}</span>',
        _problems(prediction.problems),
        _values(prediction),
    ]
    if prediction.value is None and prediction.raw:
        parts.append(f'<div style="{_PALE}">the model wrote: <bdi>{_text(clipped(prediction.raw))}</bdi></div>')
    if origin := _origin(prediction):
        parts.append(f'<div style="{_PALE};font-size:.85em;padding-top:.4em">{_text(origin)}</div>')
    frame = "border:1px solid rgba(128,128,128,.35);border-radius:6px;padding:.7em 1em;max-width:46em;line-height:1.4"
    return f'<div style="{frame};overflow-x:auto;overflow-wrap:break-word">{"".join(parts)}</div>'


def _sure(prediction: Prediction[Any]) -> str:
    whole = prediction.confidence.get("reply")
    if whole is None:
        return ""
    own = prediction.uncalibrated.get("reply")
    return f" · confidence {whole:.3f}" + ("" if own is None else f", {own:.3f} before calibration")


def _values(prediction: Prediction[Any]) -> str:
    leaves = [] if prediction.value is None else flat(prediction.value)
    paths = {path for path, _ in leaves}
    rest = [(path, _ABSENT) for path in prediction.confidence if path not in paths and path != "reply"]
    rows = [_row(path, text, prediction) for path, text in [*leaves, *rest][:_MOST_ROWS]]
    if (more := len(leaves) + len(rest) - _MOST_ROWS) > 0:
        rows.append(f'<tr><td colspan="3" style="{_LINE};{_PALE}">… and {more} more</td></tr>')
    table = "border-collapse:collapse;margin:.5em 0 0;font-variant-numeric:tabular-nums"
    return f'<table style="{table}"><tbody>{"".join(rows)}</tbody></table>' if rows else ""


def _row(path: str, text: str, prediction: Prediction[Any]) -> str:
    name, shown = _text(path or "value"), _text(clipped(text))
    cells = f'<td style="{_LINE};{_PALE}">{name}</td><td style="{_LINE}"><bdi>{shown}</bdi></td>'
    sure = prediction.confidence.get(path)
    bar = "" if sure is None else _bar(sure, prediction.uncalibrated.get(path))
    return f'<tr>{cells}<td style="{_LINE}">{bar}</td></tr>'


def _bar(share: float, own: float | None) -> str:
    width = 100 * min(max(share, 0.0), 1.0) if math.isfinite(share) else 0.0
    track = "display:inline-block;width:5em;height:.55em;border-radius:.3em;background:rgba(128,128,128,.25)"
    fill = f"display:block;width:{width:.0f}%;height:100%;border-radius:.3em;background:{_BLUE}"
    before = "" if own is None else f' <span style="{_PALE}">({own:.3f} before calibration)</span>'
    return f'<span style="{track}"><span style="{fill}"></span></span> {share:.3f}{before}'


def _problems(problems: Sequence[Problem]) -> str:
    lines = []
    for problem in sorted(problems, key=lambda one: not one.fatal):
        colour, word = (_RED, "fatal") if problem.fatal else (_AMBER, "note")
        where = f" ({_text(problem.where)})" if problem.where else ""
        told = f"<b>{_text(problem.code)}</b>{where}: <bdi>{_text(clipped(problem.message))}</bdi>"
        lines.append(f'<div style="border-left:3px solid {colour};padding-left:.6em;margin:.4em 0">{word} {told}</div>')
    return "".join(lines)


def _origin(prediction: Prediction[Any]) -> str:
    known, base = prediction.provenance, prediction.provenance.get("base")
    told = [str(known[name]) for name in ("task", "preset") if known.get(name)]
    weights = known.get("checkpoint") or (base.get("id") if isinstance(base, Mapping) else base)
    told += [f"weights {weights}"] if weights else []
    told += ["trained on synthetic data only"] if known.get("synthetic") else []
    took_s = sum(prediction.timing_s.values())
    told += [f"{took_s:.2f} s"] if took_s else []
    return " · ".join(told)


def _leaves(value: object, path: str, depth: int) -> Iterator[tuple[str, str]]:
    parts = None if depth >= _DEEPEST else _parts(value)
    if parts is None:
        yield path, _told(value)
        return
    if not parts:
        yield path, "none"
    for name, part in parts:
        yield from _leaves(part, f"{path}{name}" if name.startswith("[") else f"{path}.{name}".strip("."), depth + 1)


def _parts(value: object) -> list[tuple[str, object]] | None:
    """Names and values of what a value is made of; None where it is one thing."""
    if hasattr(value, "model_dump"):
        value = value.model_dump()
    if is_dataclass(value) and not isinstance(value, type):
        return [(field.name, getattr(value, field.name)) for field in fields(value)]
    if isinstance(value, Mapping):
        return [(str(name), part) for name, part in value.items()]
    if isinstance(value, list | tuple) and any(_parts(part) is not None for part in value):
        return [(f"[{place}]", part) for place, part in enumerate(value)]
    return None


def _told(value: object) -> str:
    if value is None:
        return _ABSENT
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(_told(part) for part in value) or "none"
    return str(value)


def _text(text: str) -> str:
    return html.escape(plain(text))


def _visible(letter: str) -> str:
    code = ord(letter)
    if code < 32 and letter not in "\n\t":
        return chr(0x2400 + code)  # Unicode's pictures of control characters stand in their order
    return f"\\u{code:04x}" if 0xD800 <= code < 0xE000 or 0x7F <= code < 0xA0 else letter
