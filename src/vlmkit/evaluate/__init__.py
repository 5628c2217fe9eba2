"""Scoring answers against truth: joined by id, with denominators, intervals and baselines beside every figure.

Where to look:

- from answers to figures: `files`, `named` and `join` bring answers and samples together, `answered` has all figures
  of one set of answers (`fields`, `labels`, `f1`, `elements`, `probabilities`, `reliability`), `bootstrap` draws them
  again (`weighted`, `whole`: those that are no means), `baselines`, `slices` and `compare` put others beside, and
  `score` makes the report of it;
- for tasks about stretches of time: `matching`, `temporal` and `ranking`;
- the report: `report`, made of `figures`; `cautions` are its warnings, `contract` is metrics.json, `summary` and
  `table` are for terminals, and the package `page` is report.html;
- proofs and trials: `sanity` with `evidence`, `hidden`, `leaks` and `chance`; `robustness` with `disturb`.
"""

from vlmkit.evaluate.compare import compare
from vlmkit.evaluate.files import guard_same_file, guard_self_comparison, read_predictions
from vlmkit.evaluate.named import read_answers
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
    "read_answers",
    "read_predictions",
]
