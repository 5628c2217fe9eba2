"""How a report is compared with the truth, and what answers that never look would get.

A marker is *observable* in a sample where the truth does not say `not_observed`: something in the sample shows it. It
is *absent* where nothing in the sample could (data.absent); between the two lie markers that a text could have told
and did not. A missing answer counts as wrong in each figure; words are not scored.

- `ears`, `tail`, `posture`, `vocalization`: right where observable. `…_macro_f1`: the same as the mean F1 of the
  values that occur; `not_observed` for an observable marker is a miss.
- `ethogram_group`, `affective_state`, `arousal_level`, `risk_rating`: right.
- `fields`: the share of the eight closed fields that are right, `not_observed` included; `exact`: all of them are.
- `risk_recall`: of samples of risk 4 or 5, those answered 4 or 5; `risk_precision`: of those answered 4 or 5, the ones
  that are, so that crying wolf shows.
- `not_observed_recall`: of the markers that are not observable, those answered `not_observed`.
- `not_observed_recall@absent`: the same a sample for absent markers, which the grammar forces. `valid`: there is an
  answer, hence JSON of the schema. These two say nothing about seeing; no baseline is compared in them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from vlmkit.errors import DataError
from vlmkit.evaluate.f1 import f1_counts, macro_f1
from vlmkit.task import Scoring
from vlmkit.types import Sample
from vlmkit_plugins.purrsight.data import absent
from vlmkit_plugins.purrsight.schema import (
    MARKERS,
    NOT_OBSERVED,
    RISKY,
    VOCABULARY,
    CatReport,
    blanked,
    parse_report,
    risks,
)


def row(truth: CatReport, answer: CatReport | None) -> dict[str, float | None]:
    """The figures of one sample."""
    wanted, given = truth.fields, answer.fields if answer else {}
    right = {name: float(given.get(name) == value) for name, value in wanted.items()}
    seen = {name: None if wanted[name] == NOT_OBSERVED else right[name] for name in MARKERS}
    risky = wanted["risk_rating"] in RISKY
    return {
        **right,
        **seen,
        "fields": sum(right.values()) / len(right),
        "exact": float(all(right.values())),
        "risk_recall": float(given.get("risk_rating") in RISKY) if risky else None,
    }


def counts(truth: CatReport, answer: CatReport | None) -> dict[str, float]:
    """What the figures that are no means of samples are made from."""
    given = answer.fields if answer else {}
    blank = [name for name in MARKERS if truth.fields[name] == NOT_OBSERVED]
    found = {"not_observed:true": float(len(blank))}
    found["not_observed:hit"] = float(sum(given.get(name) == NOT_OBSERVED for name in blank))
    found["risk:said"] = float(given.get("risk_rating") in RISKY)
    found["risk:hit"] = float(given.get("risk_rating") in RISKY and truth.fields["risk_rating"] in RISKY)
    for marker in (name for name in MARKERS if name not in blank):
        found |= f1_counts(marker, str(truth.fields[marker]), str(given[marker]) if given else None)
    return found


def fields(report: CatReport) -> dict[str, str]:
    """The eight closed fields by their paths in a reply."""
    parts = {"physical_markers": report.diagnostic.physical_markers, "classification": report.diagnostic.classification}
    return {f"diagnostic.{part}.{name}": str(value) for part, found in parts.items() for name, value in found}


def right(truth: CatReport, answer: CatReport) -> bool:
    """All eight closed fields are the true ones; what is said in words is not judged."""
    return answer.fields == truth.fields


def combine(means: Mapping[str, float]) -> dict[str, float]:
    """Macro-F1 by marker, the recall of `not_observed`, the precision of alarms."""
    return {
        **{f"{marker}_macro_f1": macro_f1(marker, means) for marker in MARKERS},
        "not_observed_recall": _ratio(means["not_observed:hit"], means["not_observed:true"]),
        "risk_precision": _ratio(means["risk:hit"], means["risk:said"]),
    }


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def checks(sample: Sample, answer: CatReport | None) -> dict[str, float | None]:
    """What every legal answer fulfils: that it is there, and invents no marker."""
    missing, given = absent(sample), answer.fields if answer else {}
    blank = sum(given.get(marker) == NOT_OBSERVED for marker in missing)
    return {
        "valid": float(answer is not None),
        "not_observed_recall@absent": blank / len(missing) if missing else None,
    }


def forced(sample: Sample, answer: CatReport) -> CatReport:
    """An answer as the grammar would let it be given about this sample."""
    return blanked(answer, absent(sample))


def baselines(truths: Sequence[CatReport], ids: Sequence[str], seed: int) -> dict[str, list[CatReport]]:
    """What can be answered without looking: one answer an id, for each of three ways; `forced` is applied to all.

    - `constant`: the one true report with most fields right over `truths`, blank markers not counted.
    - `majority`: each marker's most frequent observed value, and the most frequent class of each field; of the risk
      ratings the most frequent that goes with the others.
    - `chance`: markers, and classes that go together, uniformly at random; the same for the same seed.

    Raises `DataError` without truths.
    """
    if not truths:
        raise DataError("baselines learn from truths, and none was given")
    often = {name: Counter(truth.fields[name] for truth in truths) for name in VOCABULARY}
    for marker in MARKERS:
        del often[marker][NOT_OBSERVED]  # what a sample forces, a baseline has not to guess
    best = max(truths, key=lambda truth: sum(often[name][value] for name, value in truth.fields.items()))
    rng = np.random.default_rng(seed)
    return {
        "constant": [best] * len(ids),
        "majority": [_majority(often)] * len(ids),
        "chance": [_chance(rng) for _ in ids],
    }


def _majority(often: Mapping[str, Counter[str | int]]) -> CatReport:
    found = {name: max(values, key=lambda value: often[name][value]) for name, values in VOCABULARY.items()}
    legal = risks(str(found["ethogram_group"]), str(found["affective_state"]))
    return _report({**found, "risk_rating": max(legal, key=lambda value: often["risk_rating"][value])})


def _chance(rng: np.random.Generator) -> CatReport:
    found = {name: _pick(values[:-1], rng) for name, values in VOCABULARY.items()}  # not_observed stands last
    legal = risks(str(found["ethogram_group"]), str(found["affective_state"]))
    return _report({**found, "risk_rating": _pick(legal, rng)})


def _pick(values: Sequence[str | int], rng: np.random.Generator) -> str | int:
    return values[int(rng.integers(len(values)))]


def _report(fields: Mapping[str, str | int]) -> CatReport:
    parts = {
        "physical_markers": {name: fields[name] for name in MARKERS},
        "classification": {name: fields[name] for name in VOCABULARY if name not in MARKERS},
    }
    words = {"behavioral_summary": "An answer that never looked.", "human_actionable_insight": "无"}
    return parse_report({"diagnostic": parts, **words}, "baseline")


SCORING = Scoring(
    row=row,
    combine=combine,
    baselines=baselines,
    label=lambda report: report.diagnostic.classification.affective_state,
    counts=counts,
    checks=checks,
    forced=forced,
    fields=fields,
    right=right,
)
