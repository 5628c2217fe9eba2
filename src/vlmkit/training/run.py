"""From a data folder to a checkpoint: read, prepare once, run the stages, save."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vlmkit.checkpoint import open_checkpoint
from vlmkit.errors import CheckpointError, UnknownNameError, VlmkitError
from vlmkit.head import Head
from vlmkit.loading import open_head, task_named
from vlmkit.training.data import prepare
from vlmkit.training.sft import run_stage
from vlmkit.training.stage import Stage
from vlmkit.types import Sample

log = logging.getLogger("vlmkit")


def run(
    task: str,
    data: Path,
    out: Path,
    *,
    preset: str | None,
    stage: str | None,
    seed: int,
    max_steps: int | None,
    **options: Any,
) -> Path:
    """See `vlmkit.train`."""
    if out.exists() and any(out.iterdir()):
        raise CheckpointError(f"{out} is not empty; name a new folder")
    if max_steps is not None and max_steps < 1:
        raise VlmkitError(f"max_steps is at least 1; given {max_steps}")
    if str(options.get("device", "auto")).startswith("cuda:"):
        raise VlmkitError("training takes the first GPU it sees; name another with CUDA_VISIBLE_DEVICES, not device")
    samples = list(task_named(task).read(data))  # before any weights: a typo should cost no download
    head = _open(task, preset, stage, options)
    stages = _chosen(head.task.stages(head.provenance["preset"]), stage)
    _add_lora(head, stages)
    rows, bad = prepare(head.model, samples)
    for sample, reason in bad.items():
        log.warning("left out: %s: %s", sample, reason)
    with TemporaryDirectory() as scratch:
        logs = [
            run_stage(head.model, rows, one, Path(scratch) / one.name, seed=seed, max_steps=max_steps) for one in stages
        ]
    trained_on = {
        "samples": len(rows),
        "left_out": bad,
        "truth_sha256": _truth_sha(samples),
        "synthetic": all(sample.meta.get("synthetic") is True for sample in samples),
    }
    head.provenance["training"].append({"seed": seed, "data": trained_on, "stages": [one.to_json() for one in logs]})
    # The shipped head is stored in 16 bits; weights of a preset of real size keep their own type.
    head.save_pretrained(out, half=head.task.presets[head.provenance["preset"]].synthetic)
    for one in logs:
        log.info("stage %s: %d steps, %.0f s, loss %.3f", one.name, one.steps, one.seconds, one.losses[-1][1])
    return out


def _open(task: str, preset: str | None, stage: str | None, options: dict[str, Any]) -> Head[Any]:
    """The head to train. Whole weights are trained in fp32: steps are lost between the steps of 16 bits."""
    known = task_named(task)
    name = preset or (open_checkpoint(Path(options["model"])).about.preset if options.get("model") else None)
    stages = _chosen(known.stages(known.preset(name).name), stage)
    if options.get("precision", "auto") == "auto" and any(set(one.roles) - {"lora"} for one in stages):
        options = {**options, "precision": "fp32"}
    return open_head(task, preset=preset, **options)


def _chosen(stages: Sequence[Stage], wanted: str | None) -> Sequence[Stage]:
    if wanted is None:
        return stages
    found = [stage for stage in stages if wanted in (stage.name, stage.objective)]
    if not found:
        raise UnknownNameError("stage", wanted, [stage.name for stage in stages])
    return found


def _add_lora(head: Head[Any], stages: Sequence[Stage]) -> None:
    spec = next((stage.lora for stage in stages if stage.lora is not None), None)
    if spec is None or head.model.roles["lora"]:
        return
    if head.model.backbone is None:
        raise VlmkitError("this model takes no LoRA adapter")
    matched = head.model.backbone.add_lora(**spec)
    log.info("LoRA reaches %d modules, the first is %s", len(matched), matched[0])


def _truth_sha(samples: Sequence[Sample]) -> str:
    """One digest over ids and truths: which data a head has seen, for leak checks later."""
    rows = sorted((sample.id, repr(sample.truth)) for sample in samples)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
