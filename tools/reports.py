"""Writes the reports of all shipped heads, sanity checks and all: `python tools/reports.py reports`.

Every head answers about synthetic samples that it has not learned from. Exit code 1 if a check fails.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import vlmkit
from vlmkit.evaluate import checked, disturbed, evaluate
from vlmkit.plugins import installed

SAMPLES = 64
SEED = 60_061  # of no shipped head's training


def shipped() -> list[str]:
    """Tasks with weights in the package."""
    tasks = {name: installed().registry.get("tasks", name)() for name in vlmkit.tasks()}
    return [name for name, task in tasks.items() if "tiny" in task.presets and task.presets["tiny"].checkpoint]


def write(name: str, folder: Path, n: int = SAMPLES) -> list[str]:
    """One report; the names of the checks that failed."""
    head = vlmkit.load(name, preset="tiny", device="cpu")
    with tempfile.TemporaryDirectory(prefix=f"vlmkit-{name}-") as made:
        data = Path(made) / "data"
        head.task.synth(data, n, SEED, 1)
        samples = list(head.task.read(data))
        if head.beside.seen is not None:
            samples = head.beside.seen.without(samples)  # short texts are drawn alike under any seed
        answers = list(head.predict_many(samples))
        told = f"{len(samples)} synthetic samples, seed {SEED}"
        report = evaluate(head.task, samples, answers, model=f"{name} preset tiny", data=told)
        if head.task.prompt is None:  # without a language model: fast enough to be asked again and again
            report = disturbed(report, head.task, samples, answers, ask=head.predict_many)
        report = checked(report, head.task, samples, answers, ask=head.predict_many, known=head.familiar(samples))
        print(f"{report.save(folder / name) / 'report.html'}", flush=True)
    return [check.name for check in report.sanity if not check.passed]


if __name__ == "__main__":
    failed = {name: checks for name in shipped() if (checks := write(name, Path(sys.argv[1])))}
    for name, checks in failed.items():
        print(f"{name}: failed: {', '.join(checks)}")
    sys.exit(bool(failed))
