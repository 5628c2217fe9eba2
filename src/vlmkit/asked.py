"""What `vlmkit.load` is asked for beside names: weights that are no checkpoint, other preprocessing, other replies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from vlmkit.calibration.files import Mode
from vlmkit.checkpoint import MANIFEST, Checkpoint, specs_of
from vlmkit.errors import UnknownNameError, VlmkitError
from vlmkit.llms.lora.identity import is_hub_id
from vlmkit.model import Model
from vlmkit.remote import Server
from vlmkit.task import BuildOptions, Engine, Task, Weights


def refuse_contradictions(
    engine: Engine, server: Server | str | None, weights: Weights, calibration: str, base: Path | str | None
) -> None:
    """Raises `VlmkitError` for choices that cannot both be had, and `UnknownNameError` for no calibration."""
    if calibration not in (*get_args(Mode), "none"):
        raise UnknownNameError("calibration", calibration, [*get_args(Mode), "none"])
    if server is not None and engine != "openai":
        raise VlmkitError(f"a server is for engine='openai' (--engine openai); given engine={engine!r}")
    if base is not None and weights == "random":
        raise VlmkitError(f"weights='random' and the weights in {base} cannot both be had; leave one out")


def foreign(model: str | Path | None) -> Path | str | None:
    """Weights that are no checkpoint of ours: a directory in Hugging Face's layout, or a hub id."""
    if model is None or (Path(model) / MANIFEST).is_file():
        return None
    if (Path(model) / "config.json").is_file():
        return Path(model)
    return model if isinstance(model, str) and is_hub_id(model) else None


def sources(
    task: Task[Any],
    preset: str,
    found: Checkpoint | None,
    base: Path | str | None,
    changes: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Of `BuildOptions`: where weights and preprocessing come from, with the fields of it that were asked for.

    Raises `VlmkitError` naming the fields that there are, where one is asked for that there is not.
    """
    if found is None:
        return {"checkpoint": base, "specs": _changed(None, task.specs(preset), changes)}
    specs = _changed(found.about.specs, {}, changes)
    return {"checkpoint": found.base, "revision": found.about.base.revision, "specs": specs}


def _changed(
    specs: Mapping[str, Any] | None, own: Mapping[str, Any], changes: Mapping[str, Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    if not changes:
        return specs
    made = {**(specs or own)}
    for modality, fields in changes.items():
        known = made.get(modality, {})
        if unknown := sorted(set(fields) - set(known)):
            text = f"{modality}: {', '.join(unknown)}" if known else modality
            raise VlmkitError(f"specs: this head's preprocessing has no {text}; it has: {_told(known or made)}")
        made[modality] = {**known, **fields}
    return made


def _told(known: Mapping[str, Any]) -> str:
    return ", ".join(sorted(known)) or "none"


def _check_taken(built: Model[Any], task: Task[Any], options: BuildOptions, specs: Mapping[str, Any]) -> None:
    taken = specs_of(built)
    for modality, fields in specs.items():
        for name, value in fields.items():
            if taken.get(modality, {}).get(name) != value:
                how = f"weights={options.weights!r} and engine={options.engine!r}"
                raise VlmkitError(f"specs: {task.name} cannot change {modality}: {name} with {how}; leave it out")


def built(
    task: Task[Any], preset: str, options: BuildOptions, specs: Mapping[str, Any], limits: Mapping[str, float]
) -> Model[Any]:
    """The preset's model, with the budget and temper of its replies that were asked for.

    Raises `VlmkitError` for values that cannot be, and for limits of a head that writes no text.
    """
    try:
        built = task.build(preset, options)
    except ValueError as error:
        if not specs:
            raise
        raise VlmkitError(f"specs: {error}") from error
    _check_taken(built, task, options, specs)
    if limits and built.decoder.reads != "generation":
        raise VlmkitError(f"{task.name} writes no text, and has no {_told(limits)}; leave it out")
    try:
        built.limits = replace(built.limits, **limits)  # type: ignore[arg-type]  # what the fields are is asked there
    except (TypeError, ValueError) as error:
        raise VlmkitError(f"limits: {error}") from error
    return built
