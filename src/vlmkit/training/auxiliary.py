"""Stages that only get encoders going, "attributes" and "probe": data without their labels can do without them."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from vlmkit.errors import DataError
from vlmkit.training import processes
from vlmkit.training.attributes import occurring
from vlmkit.training.data import Rows
from vlmkit.training.objectives import happening
from vlmkit.training.stage import Stage

log = logging.getLogger("vlmkit")


def teachable(stages: Sequence[Stage], rows: Rows, *, asked: bool) -> tuple[list[Stage], dict[str, str]]:
    """The stages that samples have labels for, and `{stage: reason}` of those that are left out, with one warning each.

    Args:
        asked: a stage was asked for by name; then it is not left out.

    Raises `DataError` for such a stage, and where no stage is left.
    """
    reasons = {stage.name: why for stage in stages if (why := _unlabelled(stage, rows))}
    kept = [stage for stage in stages if stage.name not in reasons]
    for name, why in reasons.items():
        if asked or not kept:
            raise DataError(
                f"stage {name!r}: {why}; bring samples that have them (`vlmkit synth` writes such), or train without "
                "this stage: it only gets encoders going, and a run of all stages leaves it out (stage=, --stage)"
            )
        if processes.first():
            log.warning(
                "stage %s: left out: %s. It only gets encoders going that start from random weights; its own layers "
                "are thrown away",
                name,
                why,
            )
    return kept, reasons


def _unlabelled(stage: Stage, rows: Rows) -> str | None:
    found: Collection[object]
    if stage.objective == "attributes":
        found = occurring(rows, stage)
    elif stage.objective == "probe":
        found = happening(rows, stage)
    else:
        return None
    if found:
        return None
    named = f" (meta {', '.join(map(repr, stage.label_names))})" if stage.label_names else ""
    return f"none of the {len(rows)} samples has the labels that it learns from{named}"
