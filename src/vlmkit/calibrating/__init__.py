"""From a head and samples that it has not learned from to a calibration beside its weights."""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import torch

from vlmkit.calibrating.evidence import answers, gathered, members
from vlmkit.calibration.figures import Evidence, Row, cautions, measured
from vlmkit.calibration.files import BEST_F1, LABEL, Calibratable, Calibration, Mode, names
from vlmkit.calibration.fit import METHODS, Method
from vlmkit.calibration.maps import Map, Platt, Temperature
from vlmkit.calibration.record import Change, Record
from vlmkit.calibration.thresholds import Rule
from vlmkit.checkpoint.about import card
from vlmkit.checkpoint.files import MANIFEST, sha256
from vlmkit.decoders.linear import LinearDecoder
from vlmkit.errors import DataError, UnknownNameError, VlmkitError
from vlmkit.evaluate.table import figure, text_table
from vlmkit.head import Head
from vlmkit.loading import load
from vlmkit.seen import truth_sha256
from vlmkit.types import Sample

Watched = Callable[[Iterable[Any], int], Iterable[Any]]
"""The same items, for whoever wants to see how far it is; the number says how many there will be."""

log = logging.getLogger("vlmkit")

_NAMED = 5  # ids that an error spells out


@dataclass(frozen=True)
class Outcome:
    """One calibration: the maps, and how much they change.

    Attributes:
        directory: the checkpoint that it lies in. record: what its manifest keeps of it.
    """

    task: str
    directory: Path
    calibration: Calibration
    record: Record
    rows: tuple[Row, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before the figures are believed."""
        return self.record.warnings

    def __str__(self) -> str:
        about = f"{self.task}: calibration {self.calibration.mode!r} on {self.record.n} samples of {self.record.data}"
        header = ["name", "n", "positives", "map", "ECE", "after", "Brier", "after", "log loss", "after"]
        header += ["threshold", "F1", "precision", "recall"]
        told = "after: by maps that were fitted without the samples that they are measured on (5 folds)"
        parts = [about, text_table(header, [_cells(row) for row in self.rows]), told]
        if self.warnings:
            parts.append("\n".join(f"warning: {warning}" for warning in self.warnings))
        return "\n\n".join(parts)


def calibrate(
    task: str,
    *,
    data: str | Path,
    model: str | Path,
    method: Method | None = None,
    threshold: Rule | None = None,
    mode: Mode = "full",
    without_learned: bool = False,
    device: str = "auto",
    batch_size: int = 8,
    watched: Watched = lambda items, n: items,
) -> Outcome:
    """Fit a calibration to samples with truth, and write it into the head's checkpoint; one of that mode is replaced.

    Heads without a language model get a map for every member, over its logits; others one for each closed field and
    for the whole `reply`, over the log-odds of its token probabilities. A name that cannot be fitted (all its answers
    are right, say) gets none, and a warning says so.

    Args:
        data: a folder that the task reads, none of which the head may have learned from.
        model: the checkpoint directory.
        method: a temperature for members; Platt for answers in words, whose token probabilities are off by a factor
            that no temperature can undo.
        threshold: how the thresholds of heads with two classes are chosen; by macro-F1 when not given.
        mode: "pilot" for a first try, beside the one that is served. watched: shows how far it is.
        without_learned: leave out samples that the head has learned from, and count them, instead of refusing all.

    Raises:
        DataError: samples by whose id or content the head has learned, ids that come twice, no truth, logits that are
            NaN or infinite, nothing that could be fitted.
        VlmkitError: a head that has nothing to calibrate, a threshold where there is no label.
    """
    _refuse_unknown(method, mode)
    head = load(task, model=model, calibration="none", device=device)
    linear = _classifier(head, threshold)
    samples = _samples(head, Path(data))
    unseen, warnings, checked = _unseen(head, samples, without_learned)
    known = [sample for sample in unseen if sample.truth is not None]
    said = members(head, linear, known, batch_size) if linear else answers(head, known, batch_size)
    evidence, silent = gathered(watched(said, len(known)), linear)
    reasons = {"learned_from": len(samples) - len(unseen), "no_truth": len(unseen) - len(known), **silent}
    left = {reason: count for reason, count in reasons.items() if count}
    warnings += _unused(left, len(samples))
    rule: Rule | None = (threshold or "macro-f1") if linear and len(linear.classes) == 2 else None
    rows, doubts = _rows(evidence, method or ("temperature" if linear else "platt"), rule)
    record = Record(
        vlmkit=version("vlmkit"),
        data=Path(data).resolve().name,
        truth_sha256=truth_sha256(known),
        n=len(samples) - sum(left.values()),
        left_out=left,
        threshold=rule if rule is None or isinstance(rule, str) else f"{rule[0]}={rule[1]:g}",
        checked_against_training=checked,
        names={row.name: row.fitted for row in rows},
        warnings=(*warnings, *doubts),
    )
    calibration = Calibration({row.name: row.map for row in rows}, _thresholds(rows, head.model.decoder), mode)
    write(Path(model), calibration, record)
    return Outcome(task, Path(model), calibration, record, tuple(rows))


def write(directory: Path, calibration: Calibration, record: Record) -> None:
    """Put a calibration into a checkpoint in place of one of the same mode; the manifest lists it last."""
    path = directory / MANIFEST
    about = json.loads(path.read_text(encoding="utf-8"))
    mode = calibration.mode
    files = {name: digest for name, digest in about["files"].items() if name not in names(mode)}
    written = {one.name: sha256(one) for one in calibration.write(directory)}
    for name in set(names(mode)) - set(written):
        (directory / name).unlink(missing_ok=True)
    if before := about.get("calibration", {}).get(mode):
        log.warning("%s: the calibration %r on %d samples is replaced", directory, mode, before["n"])
    records = {**about.get("calibration", {}), mode: record.model_dump(mode="json")}
    about |= {"calibration": records, "files": dict(sorted({**files, **written}.items()))}
    (directory / "README.md").write_text(card(about), encoding="utf-8")
    draft = directory / f".{MANIFEST}.part"
    draft.write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(draft, path)


def _refuse_unknown(method: str | None, mode: str) -> None:
    if mode not in get_args(Mode):
        raise UnknownNameError("calibration", mode, get_args(Mode))
    if method is not None and method not in METHODS:
        raise UnknownNameError("calibration method", method, METHODS)


def _classifier(head: Head[Any], threshold: Rule | None) -> LinearDecoder[Any] | None:
    """The head's classifiers; None for one that answers in words. Refuses what cannot be calibrated as it was asked."""
    decoder, task = head.model.decoder, head.task.name
    if not isinstance(decoder, Calibratable):
        raise VlmkitError(f"{type(decoder).__name__}, which reads the answers of {task}, takes no calibration")
    linear = decoder if isinstance(decoder, LinearDecoder) else None
    if threshold is not None and (linear is None or len(linear.classes) != 2):
        raise VlmkitError(f"{task} gives no label of two, so it has no threshold to choose; leave threshold out")
    return linear


def _samples(head: Head[Any], data: Path) -> list[Sample]:
    samples = list(head.task.read(data))
    if twice := [key for key, count in Counter(sample.id for sample in samples).items() if count > 1]:
        raise DataError(f"{data}: {len(twice)} ids come more than once: {_list(twice)}; each sample counts once")
    if all(sample.truth is None for sample in samples):
        raise DataError(f"{data}: {len(samples)} samples and no truth to calibrate with")
    return samples


def _unseen(head: Head[Any], samples: Sequence[Sample], leave_out: bool) -> tuple[Sequence[Sample], list[str], bool]:
    """What the head has not learned from, what is to be said about that, and whether it could be told at all."""
    seen = head.beside.seen
    if seen is not None and leave_out:
        samples = seen.without(samples)
    elif seen is not None and (met := seen.meets(samples)):
        kinds = (("id", met.ids), ("content", met.contents))
        how = [f"{len(ids)} by {what} ({_list(ids)})" for what, ids in kinds if ids]
        raise DataError(
            f"the head has learned from some of these {len(samples)} samples: {', '.join(how)}; on them it is surer "
            "than on others, so give samples that it has never seen, or leave these out (without_learned=True, "
            "--without-learned)"
        )
    if seen is not None and seen.complete:
        return samples, [], True
    text = "cannot be checked: not all training samples of this head are on record; make sure that none of these is one"
    return samples, [text], False


def _unused(left: Mapping[str, int], n: int) -> list[str]:
    listed = ", ".join(f"{code} × {count}" for code, count in left.items())
    return [f"{sum(left.values())} of {n} samples could not be used: {listed}"] if left else []


def _rows(evidence: Sequence[Evidence], method: Method, rule: Rule | None) -> tuple[list[Row], list[str]]:
    """A map for every name that can be fitted, and what to know about them."""
    rows, doubts = list[Row](), list[str]()
    for one in evidence:
        if not one.labels:
            doubts.append(f"{one.name} is asked about none of these samples, and not calibrated")
            continue
        try:
            row = measured(one, method, rule)
        except DataError as error:
            if not _all_finite(one):
                raise DataError(f"{one.name}: {error}") from None
            doubts.append(f"{one.name} is not calibrated: {error}")
            continue
        rows.append(row)
        doubts += [f"{one.name}: {said}" for said in (*cautions(one), *row.fitted.notes)]
    if not rows:
        raise DataError("; ".join(doubts) or "none of the samples gave an answer, so there is nothing to calibrate")
    return rows, doubts


def _all_finite(evidence: Evidence) -> bool:
    return bool(torch.tensor(evidence.logits, dtype=torch.float64).isfinite().all())


def _thresholds(rows: Sequence[Row], decoder: object) -> dict[str, dict[str, float]]:
    label = getattr(decoder, "label", LABEL)
    chosen = {row.name: row.fitted.threshold for row in rows}
    return {name: {label: one.value, BEST_F1: one.f1} for name, one in chosen.items() if one is not None}


def _cells(row: Row) -> list[str]:
    fitted, chosen = row.fitted, row.fitted.threshold
    changes = [cell for change in (fitted.ece, fitted.brier, fitted.log_loss) for cell in _change(change)]
    at = [chosen.value, chosen.f1, chosen.precision, chosen.recall] if chosen else [None] * 4
    positives = "–" if fitted.positives is None else str(fitted.positives)
    return [row.name, str(fitted.n), positives, _map(row.map), *changes, *map(figure, at)]


def _change(change: Change) -> tuple[str, str]:
    return figure(change.before), figure(change.after)


def _map(found: Map) -> str:
    if isinstance(found, Temperature):
        return f"T = {found.t:.3f}"
    if isinstance(found, Platt):
        return "Platt " + ", ".join(f"{a:.2f} z {b:+.2f}" for a, b in zip(found.slope, found.intercept, strict=True))
    return f"isotonic, {sum(map(len, found.x))} points"


def _list(ids: Sequence[str]) -> str:
    rest = len(ids) - _NAMED
    return ", ".join(ids[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
