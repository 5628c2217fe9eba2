"""Scoring answers against truth: joined by id, with denominators, intervals and baselines beside every figure."""

from vlmkit.evaluate.files import guard_same_file, guard_self_comparison, read_predictions
from vlmkit.evaluate.report import Report
from vlmkit.evaluate.score import evaluate

__all__ = ["Report", "evaluate", "guard_same_file", "guard_self_comparison", "read_predictions"]
