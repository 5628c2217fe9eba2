"""Labels of all data sets in one taxonomy, by maps that are data (labels/*.json), and a report of what is known.

A map says which columns it reads and which values they may have, and how each label comes out of them:

- `{"of": column, "values": {value: label}}`: one column.
- `{"any_of": [columns], "values"}`: what any of them says; 0 only where all of them say so.
- `{"majority_of": [columns], "values"}`: more than half of the annotators; a tie is unknown. The first column that is
  given counts; `annotators.label` is the `label` of each of the `annotators`.
- `{"groups_of": [columns], "values": {value: [groups]}}`: the groups that more than half of the annotators name.
- `{"cases": [{"when": {column: value}, "label"}]}`: the first that fits.

What a map does not say is unknown (None). `whole` names the column that labels are which are no object.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from vlmkit.errors import DataError, UnknownNameError
from vlmkit.types import Sample
from vlmkit_plugins.memes.schema import Labels, parse_labels

LABELS = ("abuse_hate", "offensive", "target_type", "target_group")
"""The labels of the taxonomy, in the order of reports."""

_FOLDER = Path(__file__).parent / "labels"
_BLANK = frozenset({"", "nan", "null"})

Votes = Mapping[str, Sequence[frozenset[str]]]
"""By column, what each annotator said; one annotator where the data set has one value."""


@dataclass(frozen=True)
class LabelMap:
    """How one data set's labels become ours.

    Attributes:
        whole: the column that labels which are no object stand for.
        text_raw: what its text is: the `words` in the picture, or a `post` beside it.
        columns: the values that each column may have.
        labels: the rule of each label.
    """

    dataset: str
    source: str
    about: tuple[str, ...]
    whole: str
    text_raw: Literal["words", "post"]
    columns: Mapping[str, frozenset[str]]
    labels: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Coverage:
    """How many samples of one data set have each label known; `hateful` of them are."""

    dataset: str
    n: int
    known: Mapping[str, int]
    hateful: int

    def __str__(self) -> str:
        told = ", ".join(f"{name} {count}" for name, count in self.known.items())
        return f"{self.dataset}: {self.n} samples; known: {told}; hateful: {self.hateful}"


def datasets() -> tuple[str, ...]:
    """The data sets with a map, by name."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.json")))


@cache
def load(dataset: str) -> LabelMap:
    """The map of a data set. Raises `UnknownNameError`."""
    if dataset not in datasets():
        raise UnknownNameError("data set", dataset, datasets())
    data = json.loads((_FOLDER / f"{dataset}.json").read_text(encoding="utf-8"))
    columns = {name: frozenset(values) for name, values in data.pop("columns").items()}
    return LabelMap(**{**data, "about": tuple(data["about"]), "columns": columns})


def labels(dataset: str, raw: Any, where: str, unknown: Counter[str]) -> Labels:
    """The labels that a data set's own ones come to; all None where it gives none.

    Values that the map does not know are counted in `unknown`, as `dataset.column 'value'`, and never guessed at.
    Raises `DataError` for an object without any column of the map, `UnknownNameError` for a data set without a map.
    """
    rules = load(dataset)
    aux = {"dataset": dataset, "labels_raw": raw}
    if raw is None:
        return Labels(aux=aux)
    given = raw if isinstance(raw, Mapping) else {rules.whole: raw}
    heads = {column.partition(".")[0] for column in rules.columns}
    if given and not heads & set(given):
        raise DataError(
            f"{where}: labels_raw: has {', '.join(map(repr, sorted(given)))}; {dataset} has {', '.join(sorted(heads))}"
        )
    votes = {column: _votes(given, column) for column in rules.columns}
    for column, said in votes.items():
        strange = [value for vote in said for value in vote if value not in rules.columns[column]]
        unknown.update(f"{dataset}.{column} {value!r}" for value in strange)
    found = {name: _label(rule, votes) for name, rule in rules.labels.items()}
    return parse_labels({**found, "aux": aux}, f"{where}: {dataset}")


def coverage(samples: Iterable[Sample]) -> tuple[Coverage, ...]:
    """How many of each label are known in each data set, from `meta["dataset"]` and `meta["labels"]`."""
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for sample in samples:
        rows.setdefault(str(sample.meta.get("dataset")), []).append(sample.meta.get("labels") or {})
    return tuple(
        Coverage(
            name,
            len(found),
            {label: sum(one.get(label) is not None for one in found) for label in LABELS},
            sum(one.get("abuse_hate") == 1 for one in found),
        )
        for name, found in sorted(rows.items())
    )


def _votes(given: Mapping[str, Any], column: str) -> list[frozenset[str]]:
    head, _, item = column.partition(".")
    value = given.get(head)
    if item and isinstance(value, Mapping):
        value = value.get(item)
    elif item and isinstance(value, list):
        value = [one.get(item) if isinstance(one, Mapping) else one for one in value]
    found = [_words(one) for one in (value if isinstance(value, list) else [value])]
    return [vote for vote in found if vote]


def _words(value: Any) -> frozenset[str]:
    values = value if isinstance(value, list) else [value]
    return frozenset(word for one in values if one is not None and (word := _word(one)) not in _BLANK)


def _word(value: Any) -> str:
    if isinstance(value, bool | float) and math.isfinite(value) and value == int(value):
        value = int(value)  # 1, 1.0 and true are one value to a spreadsheet
    return str(value).strip().casefold()


def _label(rule: Mapping[str, Any], votes: Votes) -> Any:
    if "cases" in rule:
        return next((case["label"] for case in rule["cases"] if _fits(case["when"], votes)), None)
    kind = next(kind for kind in _RULES if kind in rule)
    columns = [rule[kind]] if isinstance(rule[kind], str) else rule[kind]
    return _RULES[kind](rule["values"], [votes[column] for column in columns])


def _fits(when: Mapping[str, str], votes: Votes) -> bool:
    return all(list(votes[column]) == [frozenset({value})] for column, value in when.items())


def _of(values: Mapping[str, Any], columns: Sequence[Sequence[frozenset[str]]]) -> Any:
    return _said(values, columns[0][0]) if len(columns[0]) == 1 else None


def _any_of(values: Mapping[str, Any], columns: Sequence[Sequence[frozenset[str]]]) -> Any:
    said = [_of(values, [column]) for column in columns]
    if all(one == 0 for one in said):
        return 0
    hits = [one for one in said if one is not None and one != 0]
    return hits[0] if hits and all(one == hits[0] for one in hits) else None


def _majority_of(values: Mapping[str, Any], columns: Sequence[Sequence[frozenset[str]]]) -> Any:
    votes = next((column for column in columns if column), ())
    ((label, count),) = Counter(_said(values, vote) for vote in votes).most_common(1) or [(None, 0)]
    return label if 2 * count > len(votes) else None


def _groups_of(values: Mapping[str, Any], columns: Sequence[Sequence[frozenset[str]]]) -> list[str] | None:
    votes = next((column for column in columns if column), ())
    named = [frozenset(group for value in vote for group in values.get(value) or ()) for vote in votes]
    counts = Counter(group for groups in named for group in groups)
    nobody = sum(all(values.get(value) == [] for value in vote) for vote in votes)
    found = sorted(group for group, count in counts.items() if 2 * count > len(votes))
    return found or ([] if 2 * nobody > len(votes) else None)


def _said(values: Mapping[str, Any], vote: frozenset[str]) -> Any:
    """The one label of what an annotator said; None where that is several, or none."""
    found = [values.get(value) for value in vote]
    return found[0] if found and all(one == found[0] for one in found) else None


_RULES: Mapping[str, Callable[[Mapping[str, Any], Sequence[Sequence[frozenset[str]]]], Any]] = {
    "of": _of,
    "any_of": _any_of,
    "majority_of": _majority_of,
    "groups_of": _groups_of,
}
