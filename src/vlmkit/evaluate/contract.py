"""`metrics.json`: a report as plain JSON data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vlmkit.evaluate.labels import LabelRow

if TYPE_CHECKING:
    from vlmkit.calibration.error import RiskCoverage
    from vlmkit.evaluate.report import Report

_POINTS = 128  # of a risk–coverage curve


def contract(report: Report) -> dict[str, Any]:
    """Everything but the samples themselves. An undefined figure is None, since JSON has no NaN."""
    return {
        "task": report.task,
        "n": report.n,
        "metrics": plain(report.metrics),
        "intervals": plain(report.intervals),
        "baselines": plain(report.baselines),
        "model": report.model,
        "data": report.data,
        "denominators": dict(report.denominators),
        "lower_is_better": sorted(report.lower_is_better),
        "entropy_bits": report.entropy_bits,
        "failures": dict(report.failures),
        "missing": list(report.missing),
        "unknown": list(report.unknown),
        "unlabelled": list(report.unlabelled),
        "warnings": list(report.warnings),
        "sanity": plain(report.sanity),
        "robustness": plain(report.robustness),
        "fields": plain(report.fields),
        "reliability": plain(report.reliability),
        "risk": [{"name": name, **_thinned(curve)} for name, curve in report.risk],
        "thresholds": plain(report.thresholds),
        "slices": plain(report.slices),
        "rivals": plain(report.rivals),
        "comparisons": plain(report.comparisons),
    }


def plain(value: Any) -> Any:
    """Dataclasses, mappings and sequences at any depth as JSON data; what is not finite is None."""
    if isinstance(value, LabelRow):
        by_name = {"recall": value.recall, "precision": value.precision, "f1": value.f1}
        return _fields(value) | {name: plain(figure) for name, figure in by_name.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return _fields(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def _fields(value: Any) -> dict[str, Any]:
    return {one.name: plain(getattr(value, one.name)) for one in fields(value)}


def _thinned(curve: RiskCoverage) -> dict[str, Any]:
    at = np.unique(np.linspace(0, len(curve.thresholds) - 1, min(len(curve.thresholds), _POINTS)).astype(int))
    lines = {"thresholds": curve.thresholds, "coverage": curve.coverage, "risk": curve.risk}
    return {"aurc": plain(curve.aurc), **{name: [line[i] for i in at] for name, line in lines.items()}}
