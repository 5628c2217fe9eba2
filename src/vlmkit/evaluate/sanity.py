"""Proofs that an evaluation is honest; each can fail, and says by what."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from vlmkit.errors import DataError, MissingExtraError
from vlmkit.evaluate import files
from vlmkit.evaluate.chance import baselines_below_one, dropped_predictions, shuffled_truth
from vlmkit.evaluate.evidence import Ask, Evidence, Unmade, gathered
from vlmkit.evaluate.figures import Check
from vlmkit.evaluate.hidden import alike, hidden
from vlmkit.evaluate.join import listed
from vlmkit.evaluate.leaks import Trait, traits
from vlmkit.evaluate.report import Report
from vlmkit.task import Task
from vlmkit.types import Prediction, Sample

T = TypeVar("T")

HIDDEN = 64  # samples that are asked again
_BY_LUCK = 1e-3


def checked(
    report: Report,
    task: Task[T],
    samples: Iterable[Sample],
    predictions: Iterable[Prediction[T]],
    *,
    ask: Ask[T] | None = None,
    known: Sequence[str] | None = None,
    seed: int = 0,
) -> Report:
    """The report with its checks; one that cannot be made is no check, and a warning says why.

    1. *hidden truth*: up to 64 samples are asked again under neutral names, without truth and without other meta than
       `Scoring.inputs`; the answers have to be the same. Where a head never says the same twice, they may not be right
       the first time alone.
    2. *label leak*: the class must not be told from what is no content (leaks.py).
    3. *self-comparison*: the truth, given as predictions, has to be refused.
    4. *baselines below 1*: no answer that never looks is perfect.
    5. *shuffled truth*: against shuffled truths the head's own answers fall to the level of chance.
    6. *dropped predictions*: leaving answers out raises no score, and each is counted as missing.
    7. *unseen samples*: the head has not learned from these samples, nor is it calibrated on them.

    Args:
        known: what `Head.familiar` says of the samples; None where that cannot be told.
        ask: the head; None for answers out of a file, which the first check cannot be made of.

    Raises:
        DataError: as `evaluate` does.
    """
    evidence = gathered(task, list(samples), predictions, ask, seed)
    made, warnings = [], []
    for name, check in _CHECKS.items():
        try:
            passed, detail = check(evidence)
        except (Unmade, MissingExtraError) as error:
            warnings.append(f"the check {name!r} could not be made: {error}")
            continue
        made.append(Check(name, passed, detail))
    if known is None:
        warnings.append(
            "the check 'unseen samples' could not be made: no record of what these answers were learned from"
        )
    else:
        made.append(Check("unseen samples", not known, "; ".join(known) or "none of them was learned from"))
    failed = [f"the check {one.name!r} failed: {one.detail}" for one in made if not one.passed]
    return replace(report, sanity=tuple(made), warnings=(*failed, *report.warnings, *warnings))


def hidden_truth(evidence: Evidence[T]) -> tuple[bool, str]:
    """Whether answers stay the same where the truth cannot be read."""
    if evidence.ask is None:
        raise Unmade("the answers come from a file; give a head to ask")
    pairs = zip(evidence.joined.samples, evidence.joined.answers, strict=True)
    answered = [(sample, answer) for sample, answer in pairs if answer is not None]
    if not answered:
        raise Unmade("no sample has an answer")
    generator = np.random.default_rng(evidence.seed)
    drawn = generator.choice(len(answered), min(HIDDEN, len(answered)), replace=False)
    chosen = [answered[place] for place in sorted(drawn)]
    with tempfile.TemporaryDirectory(prefix="vlmkit-") as folder:
        inputs = evidence.task.scoring.inputs
        given = [hidden(sample, place, Path(folder), inputs) for place, (sample, _) in enumerate(chosen)]
        found = [answer.value for answer in evidence.ask(given)]
    first = [answer.value for _, answer in chosen]
    if all(map(alike, first, found)):
        return True, f"{len(chosen)} samples were asked again without truth and names; all answers are the same"
    again = [answer.value for answer in evidence.ask([sample for sample, _ in chosen])]  # in batches of the same size
    steady = [alike(*pair) for pair in zip(first, again, strict=True)]
    read = [
        sample.id
        for (sample, _), same, old, new in zip(chosen, steady, again, found, strict=True)
        if same and not alike(old, new)
    ]
    if read:
        return False, (
            f"{len(read)} of {len(chosen)} answers change when truth, id, file names and meta are hidden: "
            f"{listed(read)}; the head reads more than it is asked with (meta that is part of the question: "
            f"{', '.join(sorted(inputs)) or 'none'})"
        )
    if not all(steady):
        told = f"{steady.count(False)} of {len(chosen)} answers differ when the same sample is asked twice"
        if worse := _worse(evidence, [sample for sample, _ in chosen], first, again):
            return False, f"{told}: {worse}; the head knows samples by their place among the others"
        raise Unmade(told)
    return True, f"{len(chosen)} samples were asked again without truth and names; all answers are the same"


def _worse(evidence: Evidence[T], samples: Sequence[Sample], first: Sequence[Any], again: Sequence[Any]) -> str:
    """How many labels are right the first time alone, and how many the second, unless drawn answers may do as much.

    By the sign test, one-sided.
    """
    label = evidence.task.scoring.label
    truths = [label(sample.truth) for sample in samples if sample.truth is not None]
    right = [
        [value is not None and label(value) == truth for value, truth in zip(values, truths, strict=True)]
        for values in (first, again)
    ]
    lost = sum(one and not two for one, two in zip(*right, strict=True))
    gained = sum(two and not one for one, two in zip(*right, strict=True))
    n = lost + gained
    p = sum(math.comb(n, k) for k in range(lost, n + 1)) / 2**n
    return f"{lost} right ones become wrong, and {gained} wrong ones right" if p < _BY_LUCK else ""


def label_leak(evidence: Evidence[T]) -> tuple[bool, str]:
    """Whether the class is told by anything that is no content."""
    labels = [str(label) for label in evidence.head.label.truths]
    places = {sample.id: place for place, sample in enumerate(evidence.every)}
    order = [places[sample.id] for sample in evidence.joined.samples]
    found = traits(evidence.joined.samples, labels, order, seed=evidence.seed)
    if not found:
        raise Unmade("fewer than two classes have ten samples")
    leaks = [trait for trait in found if trait.leaks]
    if leaks:
        return False, f"the class can be told from {'; '.join(map(_told, leaks))}"
    return True, f"balanced accuracy of what is no content: {'; '.join(map(_told, found))}"


def _told(trait: Trait) -> str:
    beside = f"chance {trait.chance:.2f}" + ("" if trait.p is None else f", p {trait.p:.3f}")
    return f"{trait.name} {trait.accuracy:.2f} ({beside})"


def self_comparison(evidence: Evidence[T]) -> tuple[bool, str]:
    """Whether the truth is refused as predictions."""
    n = len(evidence.joined.samples)
    if n < files.COPIED:
        raise Unmade(f"{n} samples, and copies are known from {files.COPIED} on")
    copies = [Prediction(one.id, one.truth) for one in evidence.joined.samples]
    try:
        files.guard_self_comparison(evidence.joined.samples, copies)
    except DataError:
        return True, "the truth, given as predictions, is refused"
    return False, "the truth, given as predictions, was taken for answers"


_CHECKS: dict[str, Callable[[Evidence[Any]], tuple[bool, str]]] = {
    "hidden truth": hidden_truth,
    "label leak": label_leak,
    "self-comparison": self_comparison,
    "baselines below 1": baselines_below_one,
    "shuffled truth": shuffled_truth,
    "dropped predictions": dropped_predictions,
}
