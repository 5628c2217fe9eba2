"""From a model's own figures to probabilities that hold: maps, their files, thresholds and errors. Free of torch."""

from vlmkit.calibration.error import (
    Bin,
    RiskCoverage,
    adaptive_ece,
    brier,
    classwise_ece,
    ece,
    log_loss,
    reliability_bins,
    risk_coverage,
)
from vlmkit.calibration.files import LABEL, Calibration, Mode
from vlmkit.calibration.fit import METHODS, Method, cross_fitted, fit_isotonic, fit_platt, fit_temperature
from vlmkit.calibration.maps import Isotonic, Map, Platt, Temperature, wrong_right
from vlmkit.calibration.thresholds import SEED_GRID, Curve, Rule, Threshold, choose, curve

__all__ = [
    "LABEL",
    "METHODS",
    "SEED_GRID",
    "Bin",
    "Calibration",
    "Curve",
    "Isotonic",
    "Map",
    "Method",
    "Mode",
    "Platt",
    "RiskCoverage",
    "Rule",
    "Temperature",
    "Threshold",
    "adaptive_ece",
    "brier",
    "choose",
    "classwise_ece",
    "cross_fitted",
    "curve",
    "ece",
    "fit_isotonic",
    "fit_platt",
    "fit_temperature",
    "log_loss",
    "reliability_bins",
    "risk_coverage",
    "wrong_right",
]
