"""What the figures of a page mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vlmkit.evaluate.report import Report


def definitions(report: Report) -> list[tuple[str, str]]:
    """Names and a sentence or two each, of what this report holds; the task's own figures first."""
    return [*told_by_task(report), *_definitions(report)]


def told_by_task(report: Report) -> Iterator[tuple[str, str]]:
    """The points of the task's own definitions that name a metric of this report in backticks, or its `label`."""
    known = {*report.metrics, *(["label"] if report.labels else [])}
    points: list[str] = []
    for line in report.definitions.splitlines():
        if line.startswith("- "):
            points.append(line[2:])
        elif points and line.startswith("  "):
            points[-1] += " " + line.strip()
        elif points and line.strip():
            break
    for point in points:
        names = [name for name in re.findall(r"`([^`]+)`", point) if name in known]
        if names:
            title, text = ", ".join(dict.fromkeys(names)), point.replace("`", "")
            yield title, text.removeprefix(f"{title}: ")


def _definitions(report: Report) -> Iterator[tuple[str, str]]:
    yield (
        "n",
        "Samples with truth. A sample without an answer counts as wrong; it is never left out in silence.",
    )
    yield (
        "95 % interval",
        "The 2.5th and 97.5th percentile of the figure over resamples of these samples, drawn with replacement "
        "(percentile bootstrap). It tells how far the figure would move on more samples of the same kind.",
    )
    if report.baselines:
        yield (
            "baselines",
            "Answers that never look at a sample, scored in the same way: " + ", ".join(report.baselines) + ". Those "
            "that learn, learn from the truths of these very samples, which favours them.",
        )
    if report.labels or report.fields:
        yield "precision", "Of the answers with this class, the share that is right."
        yield "recall", "Of the samples of this class, the share that was answered so; no answer is a miss."
        if lists := [one.name for one in report.fields if one.elements]:
            yield (
                f"by class of {', '.join(lists)}",
                "What is counted are the elements of the answers, and not samples. Missed: true ones that nothing of "
                "their class was answered for; false: answered ones that belong to no true one of their class.",
            )
        yield "F1", "The harmonic mean of precision and recall. Macro-F1 is its mean over the classes that occur."
    if report.reliability or "ECE" in report.metrics:
        yield (
            "ECE",
            "Expected calibration error: the mean distance between confidence and the share that is right, over 15 "
            "bins of equal width, weighted by their answers (the reliability-diagram definition). Adaptive: over bins "
            "of equally many answers; classwise: of each class's probability, the mean over classes. Resampling makes "
            "these errors larger, so that their intervals reach down to the figure at least, and no interval of a "
            "difference would be worth anything.",
        )
        yield "Brier", "The mean squared distance between a confidence and what happened, 0 or 1."
    if "AUROC" in report.metrics:
        yield "AUROC", "How often a sample of the class has a higher probability of it than one of another; ties half."
        yield "PR-AUC", "Average precision: precision at each threshold, weighted by the recall that it adds."
        yield "log loss", "The mean of minus the logarithm of the probability of what was true."
    if any("BPSN AUC" in row.metrics for rows in report.slices.values() for row in rows):
        yield (
            "BPSN, BNSP AUC",
            "AUROC of positives outside a slice against negatives in it, and the other way round. Low: being in the "
            "slice alone raises, or lowers, the probability.",
        )
    if report.risk:
        yield (
            "AURC",
            "Area under the risk–coverage curve: the share of wrong answers, averaged over how much is answered when "
            "the surest come first.",
        )
    if report.thresholds:
        yield "threshold", "A class is answered where its probability is at least this."
    if report.comparisons or report.robustness:
        yield "paired", "Differences are drawn over the same resampled samples on both sides, so that luck cancels."
