"""The outcome of an evaluation: to read in a terminal, and to keep in a folder."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmkit.evaluate.figures import (
    Case,
    Check,
    Comparison,
    FieldTable,
    Outcome,
    Reliability,
    RobustnessRow,
    SliceRow,
    ThresholdCurve,
)
from vlmkit.evaluate.labels import LabelRow
from vlmkit.evaluate.table import figure, text_table
from vlmkit.markup import html_table

if TYPE_CHECKING:
    from vlmkit.calibration.error import RiskCoverage


@dataclass(frozen=True)
class Report:
    """Figures of one task on one data set.

    Attributes:
        n: samples with truth; each stands in every denominator unless the task itself keeps it out.
        metrics: by name; NaN where nothing counted.
        intervals: 95 % percentile bootstrap, by metric.
        baselines: the same metrics for answers that never saw the media, by baseline.
        denominators: samples that counted, by metric.
        labels: one row a label; `entropy_bits` says how much the labels vary.
        failures: how often each problem code came; `missing` counts samples without a prediction.
        missing, unknown, unlabelled: ids without a prediction, predictions without a sample, samples without truth.
        wrong: samples without an answer, or with a figure below half of what a perfect answer gets.
        records: the task's own JSON, one a prediction that has a value.
        fields: the label and each closed field. reliability, risk: by field, for heads that say how sure they are.
        thresholds: by class, for heads that give probabilities. lower_is_better: metrics that are errors.
        slices: by table. rivals: the same metrics for answers that parts of the head gave, by part.
        comparisons: the head against its rivals or another's answers. cases: every scored sample, the worst first.
        sanity, robustness: where they were asked for. columns: the room's own lines of `errors.csv`.
    """

    task: str
    n: int
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    baselines: Mapping[str, Mapping[str, float]]
    model: str = ""
    data: str = ""
    denominators: Mapping[str, int] = field(default_factory=dict)
    labels: tuple[LabelRow, ...] = ()
    entropy_bits: float = 0.0
    failures: Mapping[str, int] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    unlabelled: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    wrong: tuple[Outcome, ...] = ()
    records: tuple[Any, ...] = ()
    fields: tuple[FieldTable, ...] = ()
    reliability: tuple[Reliability, ...] = ()
    risk: tuple[tuple[str, RiskCoverage], ...] = ()
    thresholds: tuple[ThresholdCurve, ...] = ()
    lower_is_better: frozenset[str] = frozenset()
    slices: Mapping[str, tuple[SliceRow, ...]] = field(default_factory=dict)
    rivals: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()
    cases: tuple[Case, ...] = ()
    sanity: tuple[Check, ...] = ()
    robustness: tuple[RobustnessRow, ...] = ()
    columns: tuple[Mapping[str, Any], ...] = ()

    def __repr__(self) -> str:
        return f"Report({self.task!r}, n={self.n}, model={self.model!r}, data={self.data!r})"

    def save(self, directory: str | Path) -> Path:
        """Write `metrics.json`, `predictions.jsonl` (the task's JSON, one a line) and `errors.csv`; give the folder.

        An undefined figure is `null` there, since JSON has no NaN.
        """
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        metrics = json.dumps(self._contract(), ensure_ascii=False, indent=2, allow_nan=False)
        (folder / "metrics.json").write_text(metrics + "\n", encoding="utf-8", errors="backslashreplace")
        lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in self.records)
        (folder / "predictions.jsonl").write_text("".join(lines), encoding="utf-8", errors="backslashreplace")
        with (folder / "errors.csv").open("w", encoding="utf-8", newline="", errors="backslashreplace") as file:
            writer = csv.writer(file)
            names = [name for name in self.metrics if name in self.denominators]
            writer.writerow(["id", "truth", "answer", "problems", *names])
            writer.writerows(_error(outcome, names) for outcome in self.wrong)
        return folder

    def __str__(self) -> str:
        head = f"{self.task}: {self.n} samples" + (f" of {self.data}" if self.data else "")
        head += f", {len(self.labels)} labels, {self.entropy_bits:.2f} bits" + (f"; {self.model}" if self.model else "")
        parts = [head, text_table(*self._figures()), text_table(*self._by_label())]
        if self.failures:
            parts.append("problems: " + ", ".join(f"{code} × {count}" for code, count in self.failures.items()))
        if self.warnings:
            parts.append("\n".join(f"warning: {warning}" for warning in self.warnings))
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        tables = html_table(*self._figures()) + html_table(*self._by_label())
        return tables + "".join(html_table(["warning"], [[warning]]) for warning in self.warnings)

    def _contract(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "n": self.n,
            "metrics": _defined(self.metrics),
            "intervals": {name: [_finite(low), _finite(high)] for name, (low, high) in self.intervals.items()},
            "baselines": {name: _defined(metrics) for name, metrics in self.baselines.items()},
            "model": self.model,
            "data": self.data,
            "denominators": dict(self.denominators),
            "entropy_bits": self.entropy_bits,
            "failures": dict(self.failures),
            "missing": list(self.missing),
            "unknown": list(self.unknown),
            "unlabelled": list(self.unlabelled),
            "warnings": list(self.warnings),
        }

    def _figures(self) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
        header = ["metric", "value", "95 % interval", "n", *self.baselines]
        rows = []
        for name, value in self.metrics.items():
            low, high = self.intervals.get(name, (math.nan, math.nan))
            counted = str(self.denominators.get(name, self.n))
            beside = [figure(baseline.get(name)) for baseline in self.baselines.values()]
            rows.append([name, figure(value), f"{figure(low)} … {figure(high)}", counted, *beside])
        return header, rows

    def _by_label(self) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
        rows = [
            [row.label, str(row.n), str(row.predicted), figure(row.recall), figure(row.precision)]
            for row in self.labels
        ]
        return ["label", "n", "answered", "recall", "precision"], rows


def _error(outcome: Outcome, names: Sequence[str]) -> list[str]:
    figures = [outcome.metrics.get(name) for name in names]
    cells = ["" if value is None else f"{value:g}" for value in figures]
    return [outcome.sample_id, outcome.truth, outcome.answer or "", " ".join(outcome.problems), *cells]


def _defined(figures: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _finite(value) for name, value in figures.items()}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
