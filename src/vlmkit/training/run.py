"""From a data folder to a checkpoint: read, hold out, encode once, run the stages, save."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from vlmkit.checkpoint import MANIFEST, Beside, open_checkpoint
from vlmkit.errors import DataError, UnknownNameError, VlmkitError
from vlmkit.head import Head
from vlmkit.loading import open_head, task_named
from vlmkit.seen import Seen, truth_sha256
from vlmkit.training import processes, resume, trackers
from vlmkit.training.auxiliary import teachable
from vlmkit.training.cache import FeatureCache, cache_folder
from vlmkit.training.data import Rows, encode, learning, needed, prepare
from vlmkit.training.loop import restore, run_stage, taught
from vlmkit.training.memory import give_back, keep_freed
from vlmkit.training.resume import Progress
from vlmkit.training.split import hold_out
from vlmkit.training.stage import Stage
from vlmkit.training.stagelog import StageLog
from vlmkit.training.state import trained
from vlmkit.types import Sample

log = logging.getLogger("vlmkit")


@dataclass(frozen=True)
class Order:
    """One call of `vlmkit.train`: what decides the result. The rest of its arguments only decide where and how."""

    task: str
    preset: str
    data: Path
    stage: str | None
    seed: int
    max_steps: int | None
    val: Path | None
    val_share: float
    weights: str
    model: str | None
    precision: str


def run(
    task: str,
    data: Path,
    out: Path,
    *,
    preset: str | None,
    stage: str | None,
    seed: int,
    max_steps: int | None,
    val: Path | None = None,
    val_share: float = 0.1,
    report_to: Sequence[str] = (),
    cache: str | Path | None = None,
    **options: Any,
) -> Path:
    """See `vlmkit.train`."""
    if max_steps is not None and max_steps < 1:
        raise VlmkitError(f"max_steps is at least 1; given {max_steps}")
    if str(options.get("device", "auto")).startswith("cuda:"):
        raise VlmkitError("training takes the first GPU it sees; name another with CUDA_VISIBLE_DEVICES, not device")
    trackers.check(report_to)
    known = task_named(task)
    given = str(options["model"]) if options.get("model") else None
    before = open_checkpoint(Path(given), calibrated=False).about if given else None
    name = known.preset(preset or (before.preset if before else None)).name
    if before is not None and before.calibration:
        log.warning("the calibration of %s will not hold for what is trained from it: vlmkit calibrate", given)
    stages = _chosen(known.stages(name), stage)
    options["precision"] = _precision(options.get("precision", "auto"), stages)
    weights, precision = options.get("weights", "pretrained"), options["precision"]
    order = Order(task, name, data, stage, seed, max_steps, val, val_share, weights, given, precision)
    samples, held = _samples(order, stages)  # before any weights: a typo should cost no download
    options["device"] = processes.join(options.get("device", "auto"))
    try:
        progress = processes.by_first(lambda: Progress.open(out, _decisive(order, stages, samples, held)))
        try:
            torch.manual_seed(seed)  # whatever a recipe draws, a resumed run has to draw again
            head = open_head(task, preset=preset, calibration="none", **options)  # it would not hold afterwards
            _Run(order, stages, head, progress, report_to, FeatureCache(cache_folder(cache))).go(samples, held)
        except BaseException:
            if processes.first():
                progress.abandon()
            raise
    finally:
        processes.leave()
    return out


class _Run:
    """One run, from samples to the written head."""

    def __init__(
        self,
        order: Order,
        stages: Sequence[Stage],
        head: Head[Any],
        progress: Progress,
        report_to: Sequence[str],
        cache: FeatureCache,
    ) -> None:
        self.order, self.stages, self.head, self.progress, self.cache = order, stages, head, progress, cache
        names = report_to if processes.first() else ()
        self.trackers = trackers.Trackers(names, progress.out, progress.note("trackers"))

    def go(self, samples: Sequence[Sample], held: Sequence[Sample]) -> None:
        """Read, train, save."""
        _add_lora(self.head, self.stages, self.order.seed)
        give_back()
        rows, bad = prepare(self.head.model, [*samples, *held], self.stages, self.cache)
        keep_freed()
        if processes.first():
            if self.cache.read or self.cache.encoded:
                found = (self.cache.read, self.cache.encoded, self.cache.folder)
                log.info("features: %d read from the cache, %d encoded (%s)", *found)
            for sample, reason in bad.items():
                log.warning("left out: %s: %s", sample, reason)
        names = {sample.id for sample in held}
        learned = Rows([row for row in rows.items if row.prepared.sample.id not in names])
        validated = Rows([row for row in rows.items if row.prepared.sample.id in names])
        if not len(learned) or (held and not len(validated)):
            which = "held-out samples" if len(learned) else "samples"
            raise DataError(f"none of the {which} can be used; the first: {next(iter(bad.values()), 'none given')}")
        self.stages, missed = teachable(self.stages, learned, asked=self.order.stage is not None)
        for one in self.stages:  # not when hours are spent
            taught(self.head.model, learned, one)
            if one.evals:
                taught(self.head.model, validated, one, held=True)
        facts = {
            "samples": len(learned),
            "val_samples": len(validated),
            "left_out": bad,
            "truth_sha256": truth_sha256([*samples, *held]),
            "synthetic": all(sample.meta.get("synthetic") is True for sample in samples),
        } | ({"stages_left_out": missed} if missed else {})
        try:
            self.trackers.begin(f"vlmkit train {self.order.task}", self._about(facts))
            self._note()
            logs = []
            for number, one in enumerate(self.stages):
                learned, validated = self._settled(number, learned), self._settled(number, validated)
                logs.append(self._stage(number, one, learned, validated if held else None))
            digest = processes.by_first(lambda: self._save(facts, logs, samples))
        except BaseException as error:
            self.trackers.end(error)
            raise
        self.trackers.end(None, {"checkpoint": str(self.progress.out.resolve()), "checkpoint_sha256": digest})

    def _note(self) -> None:
        """Trackers' ids outlive the process, also those of trackers that it was not asked for again."""
        if processes.first():
            self.progress.note("trackers", {**self.progress.note("trackers"), **self.trackers.ids})

    def _settled(self, number: int, rows: Rows) -> Rows:
        """Rows of the encoders that earlier stages trained and no later one does: encoded now, once for all of them."""
        model, left = self.head.model, self.stages[number:]
        if not len(rows):
            return rows
        over = set[int]().union(*(needed(model, stage) for stage in left))
        over -= set[int]().union(*(learning(model, stage) for stage in left))
        known = set(rows[0].kept)
        missing = [index for index in sorted(over) if not model.encoders[index].modalities <= known]
        return encode(model, rows, missing) if missing else rows

    def _stage(self, number: int, stage: Stage, rows: Rows, val: Rows | None) -> StageLog:
        """Train one stage, or take over what an earlier process left of it."""
        model, folder = self.head.model, self.progress.stage(number, stage.name)
        before = resume.finished(folder)
        if before is not None:
            told, weights = before
            model.train_roles(stage.roles)
            restore(model, stage, weights)
            log.info("stage %s: was done already", stage.name)
            return StageLog(**told)
        last = resume.last_checkpoint(folder) if processes.first() else None
        step = int(last.name.rpartition("-")[2]) if last else 0
        if last:
            log.info("stage %s: goes on after step %d", stage.name, step)
        facts = {item.name: getattr(stage, item.name) for item in fields(stage) if item.repr}
        counts = {role: sum(p.numel() for p in model.roles[role].values()) for role in stage.roles}
        self.trackers.stage(stage.name, {**facts, "trained": counts}, step)
        self._note()
        seed, most = self.order.seed, self.order.max_steps
        if processes.first():
            steps = min(stage.steps, most or stage.steps)
            log.info(
                "stage %s (%d of %d, %s): %d steps", stage.name, number + 1, len(self.stages), stage.objective, steps
            )
        done = run_stage(model, rows, stage, folder, seed=seed, max_steps=most, val=val, report=self.trackers.log)
        self.trackers.over(stage.name, done.came_to())
        processes.by_first(lambda: resume.finish(folder, done.to_json(), trained(model, stage)))
        if processes.first():
            kept = f", weights of step {done.kept_step} kept (lowest validation loss)" if done.validation else ""
            said = (stage.name, done.steps, done.seconds, done.losses[-1][1], kept)
            log.info("stage %s: %d steps, %.0f s, loss %.3f%s", *said)
        return done

    def _save(self, facts: dict[str, Any], logs: Sequence[StageLog], samples: Sequence[Sample]) -> str:
        """Write the head; returns the SHA-256 of its manifest."""
        head, order = self.head, self.order
        if head.model.backbone is not None:
            head.model.backbone.own({role for stage in self.stages for role in stage.roles})
        run = {"seed": order.seed, "data": facts, "stages": [one.to_json() for one in logs]}
        ids = {**self.progress.note("trackers"), **self.trackers.ids}
        seen = Seen.of(samples, self.cache.contents)
        head.beside = Beside(seen=seen if head.beside.seen is None else head.beside.seen | seen)
        head.provenance["training"].append(run | ({"trackers": ids} if ids else {}))
        # The shipped head is stored in 16 bits; weights of a preset of real size keep their own type.
        head.save_pretrained(self.progress.head(), half=head.task.presets[order.preset].synthetic)
        self.progress.publish()
        return hashlib.sha256((self.progress.out / MANIFEST).read_bytes()).hexdigest()

    def _about(self, facts: dict[str, Any]) -> dict[str, Any]:
        chosen = {item.name: getattr(self.order, item.name) for item in fields(self.order)}
        total = {role: sum(p.numel() for p in found.values()) for role, found in self.head.model.roles.items()}
        parameters = {role: n for role, n in total.items() if n}
        told = {**facts, "left_out": len(facts["left_out"])}
        return {**chosen, "samples": told, "parameters": parameters, "processes": processes.count()}


def _samples(order: Order, stages: Sequence[Stage]) -> tuple[list[Sample], list[Sample]]:
    """What is learned from, and what is validated on, where a stage validates."""
    known = task_named(order.task)
    samples = list(known.read(order.data))
    held: list[Sample] = []
    if any(stage.evals for stage in stages):
        if order.val is not None:
            held = list(known.read(order.val))
        else:
            samples, held = hold_out(samples, order.val_share)
    elif order.val is not None:
        raise VlmkitError("val was given (--val), and no stage of this preset validates; leave it out")
    if twice := {sample.id for sample in samples} & {sample.id for sample in held}:
        raise DataError(f"{len(twice)} samples are in data and in val, the first is {min(twice)!r}")
    blind = [sample.id for sample in (*samples, *held) if sample.truth is None]
    if blind and any(stage.objective == "sft" for stage in stages):
        raise DataError(f"{len(blind)} samples have no truth to learn from, the first is {blind[0]!r}")
    if not samples:
        raise DataError(f"{order.data}: no samples in it")
    if kept_back := Counter(split for one in samples if (split := one.meta.get("split")) in ("val", "test")):
        told = ", ".join(f"{n} of split {split}" for split, n in sorted(kept_back.items()))
        log.warning("learning from samples that the data keep back (%s); name one split to learn from it alone", told)
    return samples, held


def _decisive(
    order: Order, stages: Sequence[Stage], samples: Sequence[Sample], held: Sequence[Sample]
) -> dict[str, Any]:
    """What has to be the same for a run to go on."""
    chosen = {item.name: getattr(order, item.name) for item in fields(order)}
    plan = [{item.name: getattr(stage, item.name) for item in fields(stage) if item.repr} for stage in stages]
    return {**chosen, "truth_sha256": truth_sha256([*samples, *held]), "stages": plan}


def _precision(asked: str, stages: Sequence[Stage]) -> str:
    """Whole weights are trained in fp32: steps are lost between the steps of 16 bits."""
    return "fp32" if asked == "auto" and any(set(stage.roles) - {"lora"} for stage in stages) else asked


def _chosen(stages: Sequence[Stage], wanted: str | None) -> Sequence[Stage]:
    if wanted is None:
        return stages
    found = [stage for stage in stages if wanted in (stage.name, stage.objective)]
    if not found:
        raise UnknownNameError("stage", wanted, [stage.name for stage in stages])
    return found


def _add_lora(head: Head[Any], stages: Sequence[Stage], seed: int) -> None:
    spec = next((stage.lora for stage in stages if stage.lora is not None), None)
    if spec is None or head.model.roles["lora"]:
        return
    if head.model.backbone is None:
        raise VlmkitError("this model takes no LoRA adapter")
    torch.manual_seed(seed)
    matched = head.model.backbone.add_lora(**spec)
    log.info("LoRA reaches %d modules, the first is %s", len(matched), matched[0])
