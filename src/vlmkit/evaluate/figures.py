"""What a report is made of beside its headline figures: plain data, that files, tables and plots are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vlmkit.task import Span
from vlmkit.types import Modality, Prediction, Sample

if TYPE_CHECKING:
    from vlmkit.calibration.error import Bin
    from vlmkit.evaluate.labels import LabelRow

Interval = tuple[float, float]
"""The ends of a 95 % percentile bootstrap interval; NaN where no draw defines the figure."""


@dataclass(frozen=True)
class Outcome:
    """One sample: the labels of truth and answer, its problems, its figures. `answer` None: there was none."""

    sample_id: str
    truth: str
    answer: str | None
    problems: tuple[str, ...]
    metrics: Mapping[str, float | None]


@dataclass(frozen=True)
class Case:
    """A scored sample, with all that was given and answered. `prediction` None: there was none.

    `true_spans`, `answered_spans`: what happens when, for the strips of film heads (`Scoring.spans`). `true_fields`,
    `answered_fields`: the closed fields (`Scoring.fields`). `pairs`: what each element of a list is, in truth and as it
    was answered (`Scoring.elements`): `(name, truth, answer)`.
    """

    sample: Sample
    prediction: Prediction[Any] | None
    outcome: Outcome
    true_spans: tuple[Span, ...] = ()
    answered_spans: tuple[Span, ...] = ()
    true_fields: Mapping[str, str] = field(default_factory=dict)
    answered_fields: Mapping[str, str] = field(default_factory=dict)
    pairs: tuple[tuple[str, str | None, str | None], ...] = ()


@dataclass(frozen=True)
class FieldTable:
    """One closed field, or the label: which class was answered where which was true.

    Attributes:
        name: the field's dotted path; `label` for the task's own label.
        classes: `k` of them, the most frequent in the truth first.
        confusion: counts `[k][k + 1]`, `[truth][answer]`; the last column counts samples without an answer.
        rows: one a class, with its F1 and interval, in the order of `classes`.
        metrics, intervals: accuracy and macro-F1 of the field.
        elements: whether elements of lists are counted, and not samples: the last column of the matrix then holds those
            that were missed, and answers that belong to nothing true stand in `rows` alone.
    """

    name: str
    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    rows: tuple[LabelRow, ...]
    metrics: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    elements: bool = False

    @property
    def lacking(self) -> str:
        """What the last column of the matrix counts."""
        return "missed" if self.elements else "no answer"


@dataclass(frozen=True)
class Reliability:
    """How often an answer is right where the head was so and so confident.

    Attributes:
        name: the field's dotted path; `reply` for the whole answer; `label` for a task's class probabilities.
        before: of the model's own figures; None where nothing was calibrated. after: of those that the head gives.
        ece_before, ece_after: the expected calibration error of either.
        n: answers with a confidence; a sample without an answer has none.
        metrics, intervals: `accuracy`, `confidence` (mean), `ECE`, `adaptive ECE`, `Brier`, `AURC` of what the head
            gives; `… before` of the model's own figures.
    """

    name: str
    before: tuple[Bin, ...] | None
    after: tuple[Bin, ...]
    ece_before: float | None
    ece_after: float
    n: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, Interval] = field(default_factory=dict)


@dataclass(frozen=True)
class ThresholdCurve:
    """Precision, recall and F1 of one class by the probability from which it is answered.

    Attributes:
        name: the class.
        chosen: the threshold that the head answers by; None where it has none, or more than one.
        thresholds: ascending; the other three are as long. A precision is NaN where nothing reaches the threshold.
    """

    name: str
    chosen: float | None
    thresholds: tuple[float, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]


@dataclass(frozen=True)
class SliceRow:
    """The figures of the samples that share a slice. `warning` says which of them rest on too little; else empty."""

    slice: str
    n: int
    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval]
    warning: str = ""


@dataclass(frozen=True)
class Difference:
    """One metric of two sets of answers to the same samples.

    Attributes:
        first, second: the metric of each. difference: first less second, with its paired interval.
        better: the share of the resamples in which the first is the better one; ties count half.
    """

    first: float
    second: float
    difference: float
    interval: Interval
    better: float


@dataclass(frozen=True)
class Comparison:
    """Two sets of answers to the same samples. Sample ids that either has no prediction for are listed."""

    first: str
    second: str
    n: int
    resamples: int
    differences: Mapping[str, Difference]
    missing_first: tuple[str, ...] = ()
    missing_second: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """One proof that the evaluation is honest. `detail`: what was found, in a sentence."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class RobustnessRow:
    """What a disturbance of the input costs, over the `n` samples that it applies to.

    Attributes:
        disturbance: `JPEG quality 20`, say. modality: what it disturbs.
        metric: the one that is compared. undisturbed, disturbed: its values on the same samples.
        difference: disturbed less undisturbed; interval: of that, paired.
        relative_loss: the share of the undisturbed figure that is lost; NaN where that is 0.
        left_out: how many samples it does not apply to, by reason. Where it applies to none, figures are NaN.
    """

    disturbance: str
    modality: Modality
    n: int
    metric: str
    undisturbed: float
    disturbed: float
    difference: float
    interval: Interval
    relative_loss: float
    left_out: Mapping[str, int] = field(default_factory=dict)
