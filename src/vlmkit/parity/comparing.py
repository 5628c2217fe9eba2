"""Two accounts of the same samples, held against each other. Free of torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from vlmkit.errors import DataError
from vlmkit.parity.record import Record, Told, recorded, told
from vlmkit.types import ROW, Sample

if TYPE_CHECKING:
    from vlmkit.head import Head

_END, _CUT, _NOTHING = -2, -3, -4  # ends of sequences, as ids that no vocabulary has
_SIGNS = {ROW: "(row)", _END: "(end)", _CUT: "(budget)", _NOTHING: "(nothing)"}


@dataclass(frozen=True)
class Place:
    """Where two sequences of ids part.

    Attributes:
        at: how many ids are the same before it.
        reference, other: what stands there, as text; "#7" for an id that nobody could spell.
        margin: how far the reference's token was ahead of its next best one (a difference of log-probabilities); the
            other's where the reference does not tell; None where neither does.
    """

    at: int
    reference: str
    other: str
    margin: float | None = None


@dataclass(frozen=True)
class Row:
    """One sample through the reference and one other engine. None: one of the two cannot tell.

    Attributes:
        prompt, grids, tokens, text: whether they are the same; `prompt_at` and `token_at` say where not.
        value: whether both gave the same value; None where neither gave any, for the same reasons.
        answered: whether one of the two gave a value.
        gap: the largest difference between log-probabilities of the tokens before they part.
    """

    id: str
    engine: str
    prompt: bool | None
    grids: bool | None
    tokens: bool | None
    text: bool | None
    value: bool | None
    answered: bool
    prompt_at: Place | None = None
    token_at: Place | None = None
    gap: float | None = None


@dataclass(frozen=True)
class Parity:
    """Engines compared with the first of them.

    Attributes:
        versions: of the libraries, by engine.
        cautions: what makes a difference say less about the engines than it seems to.
    """

    task: str
    reference: str
    engines: tuple[str, ...]
    rows: tuple[Row, ...]
    versions: Mapping[str, Mapping[str, str]]
    cautions: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether values are the same wherever there are any, and there are some."""
        return self.answered and all(row.value is not False for row in self.rows)

    @property
    def answered(self) -> bool:
        """Whether any sample got a value from anybody."""
        return any(row.answered for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON data."""
        return {"agrees": self.agrees, **asdict(self)}

    def __str__(self) -> str:
        """As tables for a terminal."""
        from vlmkit.parity.table import drawn

        return drawn(self)


def compare(heads: Mapping[str, Head[Any]], samples: Iterable[Sample], batch_size: int = 8) -> Parity:
    """The same samples through several heads, by the names that they are to be called by; the first is the reference.

    Raises like `told` and `compare_records`.
    """
    given = list(samples)
    return compare_records({name: recorded(head, told(head, given, batch_size)) for name, head in heads.items()})


def compare_records(records: Mapping[str, Record]) -> Parity:
    """Accounts of the same samples, by name; the first is the reference.

    Raises `DataError` for fewer than two, for other tasks, for other samples, and for none.
    """
    if len(records) < 2:
        raise DataError(f"parity wants two engines or more; given {', '.join(records) or 'none'}")
    (reference, first), *others = records.items()
    rows: list[Row] = []
    cautions: list[str] = []
    for name, record in others:
        _refuse_others(reference, first, name, record)
        cautions += _cautions(reference, first, name, record)
        theirs = {row.id: row for row in record.samples}
        words = {**record.words, **first.words}
        made = [_row(name, one, theirs[one.id], words) for one in first.samples]
        if n_without := sum(row.value is None for row in made):
            said = f"{n_without} of {len(made)} samples got no value from {reference} and none from {name}"
            cautions.append(f"{said}: nothing was compared there")
        rows += made
    versions = {name: dict(record.versions) for name, record in records.items()}
    return Parity(first.task, reference, tuple(name for name, _ in others), tuple(rows), versions, tuple(cautions))


def _refuse_others(reference: str, first: Record, name: str, record: Record) -> None:
    if record.task != first.task:
        raise DataError(f"{reference} answered {first.task!r} and {name} {record.task!r}; compare engines of one task")
    if not first.samples:
        raise DataError(f"{reference} was asked about no sample, so there is nothing to compare")
    ours, theirs = {one.id: one.content for one in first.samples}, {one.id: one.content for one in record.samples}
    if apart := sorted(ours.keys() ^ theirs.keys()):
        raise DataError(
            f"{reference} was asked about {len(ours)} samples and {name} about {len(theirs)}, and {len(apart)} are not "
            f"in both, such as {apart[0]!r}; ask both about the same (--data and -n)"
        )
    if changed := [key for key, content in ours.items() if content != theirs[key]]:
        raise DataError(f"{changed[0]!r} had another content when {name} was asked; ask again about the same files")


def _cautions(reference: str, first: Record, name: str, record: Record) -> list[str]:
    said = []
    for part, what in first.contract.items():
        if record.contract.get(part) != what:
            said.append(f"{name} was asked with another {part} than {reference}: another version of the task")
    for part, given in first.weights.items():
        other = record.weights.get(part)
        if other != given and (part == "adapter" or None not in (given, other)):  # a server may not tell its base
            said.append(f"{part}: {given!r} in {reference}, {other!r} in {name}")
    return said


def _row(name: str, one: Told, other: Told, words: Mapping[int, str]) -> Row:
    prompt, token = _prompts(one, other, words), _tokens(one, other, words)
    return Row(
        id=one.id,
        engine=name,
        prompt=_known(one.prompt_ids, other.prompt_ids),
        grids=_known(one.grids, other.grids),
        tokens=None if one.ids is None or other.ids is None else token is None,
        text=_known(one.text, other.text),
        value=_same_outcome(one, other),
        answered=one.value is not None or other.value is not None,
        prompt_at=prompt,
        token_at=token,
        gap=_gap(one, other),
    )


def _known(one: object, other: object) -> bool | None:
    return None if one is None or other is None else one == other


def _same_outcome(one: Told, other: Told) -> bool | None:
    if one.value is None and other.value is None:
        return None if one.problems == other.problems else False
    return one.value == other.value


def _prompts(one: Told, other: Told, words: Mapping[int, str]) -> Place | None:
    if one.prompt_ids is None or other.prompt_ids is None:
        return None
    return _parted([*one.prompt_ids, _END], [*other.prompt_ids, _END], words)


def _tokens(one: Told, other: Told, words: Mapping[int, str]) -> Place | None:
    """Where the replies part; a reply that ended and one that hit its budget part there."""
    if one.ids is None or other.ids is None:
        return None
    found = _parted([*one.ids, _stop(one)], [*other.ids, _stop(other)], words)
    if found is None:
        return None
    margins = [each.margins[found.at] for each in (one, other) if each.margins and found.at < len(each.margins)]
    return Place(found.at, found.reference, found.other, margins[0] if margins else None)


def _stop(one: Told) -> int:
    return {"end": _END, "length": _CUT}.get(str(one.stop), _NOTHING)


def _parted(ours: Sequence[int], theirs: Sequence[int], words: Mapping[int, str]) -> Place | None:
    same = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))
    if same == len(ours) == len(theirs):
        return None
    a, b = (each[same] if same < len(each) else _NOTHING for each in (ours, theirs))
    return Place(same, _spelled(a, words), _spelled(b, words))


def _spelled(token: int, words: Mapping[int, str]) -> str:
    return _SIGNS.get(token) or (repr(words[token]) if token in words else f"#{token}")


def _gap(one: Told, other: Told) -> float | None:
    if one.ids is None or other.ids is None or one.logprobs is None or other.logprobs is None:
        return None
    same = next((i for i, (a, b) in enumerate(zip(one.ids, other.ids, strict=False)) if a != b), None)
    pairs = list(zip(one.logprobs, other.logprobs, strict=False))[:same]
    return max((abs(a - b) for a, b in pairs), default=None)
