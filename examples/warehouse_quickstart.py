"""Draw clips, ask the shipped head about them, score it: `python examples/warehouse_quickstart.py [FOLDER]`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import vlmkit
from vlmkit.loading import task_named


def main(folder: Path, n: int = 8) -> vlmkit.Report:
    """Everything goes under `folder`; gives the report."""
    data = folder / "clips"
    seed, workers = 11, 1
    task_named("warehouse").synth(data, n, seed, workers)

    head = vlmkit.load("warehouse", preset="tiny")
    for prediction in head.predict_many(head.task.read(data)):
        print(prediction.sample_id, prediction.value or prediction.problems)

    report = head.evaluate(data)
    print(report)
    report.save(folder / "report")
    return report


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="warehouse-")))
