"""A small task whose answers give probabilities, closed fields and confidences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from vlmkit.task import Scoring, Task
from vlmkit.testing.fakes import colours
from vlmkit.types import Prediction, Sample


@dataclass(frozen=True)
class Spam:
    """Whether a message is spam (`yes` or `no`), in which tongue it is, and how probable spam is."""

    label: str
    tongue: str = "en"
    p: float = 0.5


def row(truth: Spam, answer: Spam | None) -> dict[str, float | None]:
    """One figure a sample."""
    return {"accuracy": float(answer is not None and answer.label == truth.label)}


def baselines(truths: Sequence[Spam], ids: Sequence[str], seed: int) -> dict[str, list[Spam]]:
    """The most frequent label, with its frequency."""
    often = Counter(truth.label for truth in truths)
    label = "yes" if often["yes"] > often["no"] else "no"
    return {"majority": [Spam(label, "en", often["yes"] / len(truths))] * len(ids)}


SCORING = Scoring[Spam](
    row=row,
    combine=lambda means: {},
    baselines=baselines,
    label=lambda spam: spam.label,
    fields=lambda spam: {"tongue": spam.tongue},
    right=lambda truth, answer: (truth.label, truth.tongue) == (answer.label, answer.tongue),
    probabilities=lambda spam: {"no": 1 - spam.p, "yes": spam.p},
    thresholds=lambda spam: {"yes": 0.5},
    slices=lambda sample: {"tongue": sample.truth.tongue} if sample.truth else {},
)


def task(scoring: Scoring[Spam] = SCORING) -> Task[Spam]:
    """The task, with a way of scoring."""
    found: Task[Any] = colours()
    return replace(
        found,
        name="spam",
        result=Spam,
        scoring=scoring,
        to_json=lambda one: asdict(one.value) if one.value else {},
        from_json=_from_json,
    )


def _from_json(record: Mapping[str, object]) -> tuple[str, Spam]:
    fields = dict(record)
    return str(fields.pop("id")), Spam(**fields)  # type: ignore[arg-type]


def messages(n: int = 60, seed: int = 0) -> list[Sample]:
    """Two in five are spam; two tongues."""
    rng = np.random.default_rng(seed)
    truths = [Spam("yes" if hit else "no", "de" if de else "en") for hit, de in rng.random((n, 2)) < (0.4, 0.3)]
    return [Sample(f"m{i:03d}", text=f"message {i}", truth=truth) for i, truth in enumerate(truths)]


def answered(samples: Sequence[Sample], *, skill: float = 1.0, seed: int = 1) -> list[Prediction[Spam]]:
    """Answers by a noisy probability; more skill, less noise. Confidences are those of the given label."""
    rng = np.random.default_rng(seed)
    found = []
    for sample in samples:
        truth = sample.truth
        assert isinstance(truth, Spam)
        centre = skill * (1 if truth.label == "yes" else -1)
        p = float(1 / (1 + np.exp(-2 * (centre + rng.normal()))))
        label = "yes" if p >= 0.5 else "no"
        tongue = truth.tongue if rng.random() < 0.8 else "en"
        sure = max(p, 1 - p)
        confidence = {"label": sure, "tongue": 0.8, "reply": 0.8 * sure}
        raw = {name: value**2 for name, value in confidence.items()}
        found.append(Prediction(sample.id, Spam(label, tongue, p), confidence=confidence, uncalibrated=raw))
    return found
