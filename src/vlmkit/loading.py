"""From a name or a folder to a head: which task, preset and weights are meant, and whether they belong together."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import reduce
from importlib.metadata import version
from operator import or_
from pathlib import Path
from typing import Any, Literal

from vlmkit import asked
from vlmkit import checkpoint as checkpoints
from vlmkit.calibration.files import Calibratable, Mode
from vlmkit.errors import AdapterError, CheckpointError, VlmkitError
from vlmkit.head import Head
from vlmkit.model import Model
from vlmkit.plugins import installed
from vlmkit.remote import Server
from vlmkit.seen import Seen
from vlmkit.task import BuildOptions, Engine, Precision, Preset, Task, Weights

log = logging.getLogger("vlmkit")


def load(
    name: str | Path,
    *,
    preset: str | None = None,
    model: str | Path | None = None,
    adapter: str | Path | None = None,
    engine: Engine = "local",
    server: Server | str | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    weights: Weights = "pretrained",
    calibration: Mode | Literal["none"] = "full",
    specs: Mapping[str, Mapping[str, Any]] | None = None,
    limits: Mapping[str, float] | None = None,
) -> Head[Any]:
    """A head, ready to answer.

    Args:
        name: a task (`vlmkit.tasks()` lists them), or a checkpoint directory.
        preset: which weights of the task; its real ones when not given. `tiny` works offline.
        model: a checkpoint directory, which knows its preset; or weights in place of the preset's own: a directory in
            Hugging Face's layout, or a hub id.
        adapter: a PEFT directory trained on the preset's base; on a server also a name there.
        engine: "local" is `transformers` in this process, "vllm" is vLLM in it, "openai" a server.
        server: where the engine "openai" is, such as "http://127.0.0.1:8000/v1", and how it is asked.
        device: "auto", "cpu", "cuda", "cuda:1" …
        precision: "auto" is bf16 on a GPU and fp32 on a CPU. "int8" rounds the language model's weights, for CPUs; an
            adapter is merged first.
        weights: "random" builds the preset at full size without any download.
        calibration: which one of the checkpoint is applied, where it has any; "none" for the model's own figures.
        specs: fields of the preprocessing to change, by modality, such as `{"video": {"fps": 2.0}}`.
        limits: fields of `Limits` that replies have unless a call says otherwise, such as `{"temperature": 0.6}`.

    Raises `UnknownNameError`, `CheckpointError`, `AdapterError` or `WiringError`; each says what to type.
    """
    head = open_head(
        name,
        preset=preset,
        model=model,
        adapter=adapter,
        engine=engine,
        server=server,
        device=device,
        precision=precision,
        weights=weights,
        calibration=calibration,
        specs=specs,
        limits=limits,
    )
    raw = head.model.backbone.untrained if head.model.backbone else ()
    if raw and weights == "pretrained":
        task, chosen = head.task.name, head.provenance["preset"]
        raise CheckpointError(
            f"{task}/{chosen}: {', '.join(raw)} have never been trained, so its answers would be noise; train them: "
            f"vlmkit train {task} --preset {chosen} --data DIR -o OUT, and load OUT; or take preset='tiny'"
        )
    return head


def open_head(
    name: str | Path,
    *,
    preset: str | None = None,
    model: str | Path | None = None,
    adapter: str | Path | None = None,
    engine: Engine = "local",
    server: Server | str | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    weights: Weights = "pretrained",
    calibration: Mode | Literal["none"] = "full",
    specs: Mapping[str, Mapping[str, Any]] | None = None,
    limits: Mapping[str, float] | None = None,
) -> Head[Any]:
    """Like `load`, and also heads with parts that were never trained: what training starts from."""
    base = asked.foreign(model)
    asked.refuse_contradictions(engine, server, weights, calibration, base)
    calibrated = calibration != "none"
    task, chosen, found = _chosen(name, preset, model if base is None else None, weights, calibrated, base)
    changed = found.differs(task) if found else ()
    options = BuildOptions(
        weights=weights,
        **asked.sources(task, chosen.name, found, base, specs or {}),
        engine=engine,
        device=device,
        precision=precision,
        adapter=Path(adapter) if adapter is not None else found.adapter if found else None,
        server=Server(server) if isinstance(server, str) else server,
    )
    built = asked.built(task, chosen.name, options, specs or {}, limits or {})
    reached, own = _adapt(built, Path(adapter) if adapter is not None else None, found, calibrated)
    built.eval()
    beside = _beside(built, found if adapter is None else own, [one for one in (found, own) if one], calibration)
    if precision == "int8":
        from vlmkit.edge import seal

        seal(built)
    history = [*(found.history if found else ()), *(own.history if own else ())]
    provenance = {
        "vlmkit": version("vlmkit"),
        "task": task.name,
        "preset": chosen.name,
        "engine": engine,
        "weights": weights,
        "synthetic": bool(history) and all(run["data"]["synthetic"] for run in history),
        "checkpoint": found.directory.name if found else base.name if isinstance(base, Path) else None,
        "base": checkpoints.base_of(built),
        "adapter": options.adapter.name if options.adapter is not None else None,
        "adapted_modules": len(reached) if reached or options.adapter is None else None,  # a server does not tell
        **getattr(built.engine, "about", {}),
        "specs": checkpoints.specs_of(built),
        **({"limits": asdict(built.limits)} if limits else {}),
        "hashes": checkpoints.contract(task),
        "changed_since_training": list(changed),
        "calibration": beside.calibration.mode if beside.calibration else None,
        "training": history,
    }
    _caution(provenance, precision)
    return Head(task, built, provenance, beside)


def _caution(provenance: Mapping[str, Any], precision: Precision) -> None:
    """What a user has to know of a head before its first answer."""
    if provenance["synthetic"]:
        name = f"{provenance['task']}/{provenance['preset']}"
        log.warning("%s was trained on synthetic data only; do not act on its answers", name)
    if provenance["calibration"] is not None and precision in ("int8", "int4"):
        log.warning("the calibration was fitted without %s; measure it again: vlmkit evaluate", precision)


def task_named(name: str) -> Task[Any]:
    """A registered task. Raises `UnknownNameError` listing the choices."""
    task: Task[Any] = installed().registry.get("tasks", name)()
    return task


def _chosen(
    name: str | Path,
    preset: str | None,
    model: str | Path | None,
    weights: Weights,
    calibrated: bool,
    base: str | Path | None,
) -> tuple[Task[Any], Preset, checkpoints.Checkpoint | None]:
    """Which task and preset are meant, and the checkpoint that holds them where there is one."""
    folder = Path(model) if model is not None else _as_folder(name)
    found = checkpoints.open_checkpoint(folder, calibrated=calibrated) if folder is not None else None
    task: Task[Any] = task_named(found.about.task if found is not None and model is None else str(name))
    if found is not None:
        _refuse_contradiction(found, preset, weights)
    chosen = task.preset(preset or (found.about.preset if found else None))
    if found is None and base is None and chosen.checkpoint is not None and weights == "pretrained":
        found = checkpoints.open_checkpoint(chosen.checkpoint, calibrated=calibrated)
    return task, chosen, found


def _refuse_contradiction(found: checkpoints.Checkpoint, preset: str | None, weights: Weights) -> None:
    if weights == "random":
        raise VlmkitError(f"weights='random' and the weights in {found.directory} cannot both be had; leave one out")
    if preset is not None and preset != found.about.preset:
        raise VlmkitError(f"{found.directory} holds preset {found.about.preset!r}, not {preset!r}; leave preset out")


def _adapt(
    model: Model[Any], adapter: Path | None, found: checkpoints.Checkpoint | None, calibrated: bool
) -> tuple[tuple[str, ...], checkpoints.Checkpoint | None]:
    """Names of the adapted modules, and what an adapter from elsewhere says of itself, if it is one of ours."""
    inside = found.adapter if found else None
    if adapter is None and inside is None:
        return (), None
    if adapter is not None and inside is not None:
        raise VlmkitError(f"{inside} has an adapter already; merge it first (vlmkit adapter merge), or leave one out")
    if model.backbone is None:
        raise VlmkitError("this model takes no LoRA adapter")
    if adapter is None or not (adapter / checkpoints.MANIFEST).is_file():
        return model.backbone.load_adapter(adapter or Path(str(inside))), None
    own = checkpoints.open_checkpoint(adapter, calibrated=calibrated)  # one of ours: checked as a whole, then read
    if own.adapter is None:
        raise AdapterError(f"{adapter} is a checkpoint without an adapter; load it as it is (--model {adapter})")
    return model.backbone.load_adapter(adapter), own


def _beside(
    model: Model[Any],
    calibrated: checkpoints.Checkpoint | None,
    sources: Sequence[checkpoints.Checkpoint],
    mode: Mode | Literal["none"],
) -> checkpoints.Beside:
    """Samples that these checkpoints learned from, and the calibration of the one that it was fitted to, applied."""
    records = [one.seen or Seen.unknown() for one in sources if one.about.training]
    seen = reduce(or_, records) if records else None
    if mode == "none":
        return checkpoints.Beside(seen=seen)
    if calibrated is None:
        if mode != "full":
            raise CheckpointError(f"calibration {mode!r} was asked for, and these weights come with none")
        if any(one.about.calibration for one in sources):
            log.warning(
                "the calibration of %s does not hold with another adapter, and is left out", sources[0].directory
            )
        return checkpoints.Beside(seen=seen)
    found, record = calibrated.calibration(mode)
    if found is None:
        if model.decoder.reads == "tokens":
            log.warning("%s is not calibrated: temperature 1, thresholds of .5", calibrated.directory)
        return checkpoints.Beside(seen=seen)
    if not isinstance(model.decoder, Calibratable):
        raise CheckpointError(
            f"{calibrated.directory}: {type(model.decoder).__name__} takes no calibration; load with 'none'"
        )
    model.decoder.calibration = found
    return checkpoints.Beside(found, record, seen)


def _as_folder(name: str | Path) -> Path | None:
    if isinstance(name, Path) or "/" in name or "\\" in name or (Path(name) / checkpoints.MANIFEST).is_file():
        return Path(name)
    return None
