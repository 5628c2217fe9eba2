"""The outcome of an evaluation: to read in a terminal, and to keep in a folder."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmkit.errors import DataError, MissingExtraError
from vlmkit.evaluate.contract import contract
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
from vlmkit.evaluate.summary import summary

if TYPE_CHECKING:
    from vlmkit.calibration.error import RiskCoverage


PAGE = "report.html"

log = logging.getLogger("vlmkit")


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
        definitions: how the task says that its figures are made: the docstring of the module that makes them.
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
    definitions: str = ""

    def __repr__(self) -> str:
        return f"Report({self.task!r}, n={self.n}, model={self.model!r}, data={self.data!r})"

    def save(self, directory: str | Path) -> Path:
        """Write the report into a folder, over an older report if one is there; give the folder.

        `metrics.json` (an undefined figure is `null`, since JSON has no NaN), `predictions.jsonl` (the task's JSON, one
        a line), `errors.csv` (the room's own columns of every sample where it has some, else the wrong answers), and
        `report.html`, which is left out, and says so in the warnings, without the extra `report`.

        Raises `DataError` for a folder that holds anything else.
        """
        folder = guard_folder(directory)
        folder.mkdir(parents=True, exist_ok=True)
        page, warnings = self._page()
        metrics = contract(replace(self, warnings=(*self.warnings, *warnings)))
        _write(folder / "metrics.json", json.dumps(metrics, ensure_ascii=False, indent=2, allow_nan=False) + "\n")
        _write(
            folder / "predictions.jsonl", "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in self.records)
        )
        with (folder / "errors.csv").open("w", encoding="utf-8", newline="", errors="backslashreplace") as file:
            csv.writer(file).writerows(self._errors())
        if page is None:
            (folder / PAGE).unlink(missing_ok=True)  # of an older report
        else:
            _write(folder / PAGE, page)
        return folder

    def __str__(self) -> str:
        return summary(self)

    def _repr_html_(self) -> str:
        from vlmkit.evaluate.page import notebook

        return notebook(self)

    def _page(self) -> tuple[str | None, tuple[str, ...]]:
        from vlmkit.evaluate.page import render

        try:
            return render(self), ()
        except MissingExtraError as error:
            told = f"{PAGE} is left out: {error}"
            log.warning(told)
            return None, (told,)

    def _errors(self) -> Iterator[Sequence[Any]]:
        if self.columns:
            names = list(dict.fromkeys(name for row in self.columns for name in row))
            yield names
            yield from ([row.get(name, "") for name in names] for row in self.columns)
            return
        names = [name for name in self.metrics if name in self.denominators]
        yield ["id", "truth", "answer", "problems", *names]
        yield from (_error(outcome, names) for outcome in self.wrong)


def guard_folder(directory: str | Path) -> Path:
    """The folder, if a report can be written there: it is new, empty, or holds an older report. Raises `DataError`."""
    folder = Path(directory)
    nearest = next((one for one in (folder, *folder.absolute().parents) if one.exists()), folder)
    if nearest.exists() and not nearest.is_dir():
        raise DataError(f"{nearest}: a folder for the report was wanted, and this is a file")
    if nearest != folder or not any(folder.iterdir()):
        return folder
    try:
        older = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        older = None
    if not isinstance(older, dict) or not {"task", "n", "metrics", "baselines"} <= older.keys():
        raise DataError(f"{folder}: holds other things than a report, and is left as it is; give a new folder")
    return folder


def _error(outcome: Outcome, names: Sequence[str]) -> list[str]:
    figures = [outcome.metrics.get(name) for name in names]
    cells = ["" if value is None else f"{value:g}" for value in figures]
    return [outcome.sample_id, outcome.truth, outcome.answer or "", " ".join(outcome.problems), *cells]


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8", errors="backslashreplace")
