"""Scoring answers against truth: joined by id, with denominators, intervals and baselines beside every figure."""

from vlmkit.evaluate.compare import compare
from vlmkit.evaluate.files import guard_same_file, guard_self_comparison, read_predictions
from vlmkit.evaluate.report import Report, guard_folder
from vlmkit.evaluate.robustness import disturbed
from vlmkit.evaluate.sanity import checked
from vlmkit.evaluate.score import evaluate

__all__ = [
    "Report",
    "checked",
    "compare",
    "disturbed",
    "evaluate",
    "guard_folder",
    "guard_same_file",
    "guard_self_comparison",
    "read_predictions",
]
