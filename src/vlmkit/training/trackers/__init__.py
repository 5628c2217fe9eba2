"""Where a run is followed from outside: MLflow, TensorBoard, Weights & Biases. One run each, its stages inside it."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from vlmkit.errors import MissingExtraError, UnknownNameError, VlmkitError

log = logging.getLogger("vlmkit")

# name: import name of its package, the extra that brings it, where its class is
_KNOWN = {
    "mlflow": ("mlflow", "mlflow", "vlmkit.training.trackers.mlflow:MlflowTracker"),
    "tensorboard": ("tensorboard", "train", "vlmkit.training.trackers.tensorboard:TensorBoardTracker"),
    "wandb": ("wandb", "wandb", "vlmkit.training.trackers.wandb:WandbTracker"),
}


class Tracker(Protocol):
    """One service."""

    @property
    def ids(self) -> Mapping[str, Any]:
        """What the checkpoint remembers, and what a resumed run goes on with."""
        ...

    def begin(self, title: str, facts: Mapping[str, Any]) -> None:
        """The run starts, or goes on."""
        ...

    def stage(self, name: str, facts: Mapping[str, Any], step: int) -> None:
        """A stage starts, or goes on after a step."""
        ...

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Figures of the stage."""
        ...

    def over(self, name: str, values: Mapping[str, float]) -> None:
        """What a stage came to, for the run as a whole."""
        ...

    def end(self, error: BaseException | None, facts: Mapping[str, str]) -> None:
        """The run is over, or failed; `facts` say where its checkpoint is."""
        ...


def check(names: Iterable[str]) -> None:
    """Raises `UnknownNameError` for a tracker that there is not, `MissingExtraError` for one that is not installed."""
    for name in names:
        if name not in _KNOWN:
            raise UnknownNameError("tracker", name, _KNOWN)
        package, extra, _ = _KNOWN[name]
        if find_spec(package) is None:
            raise MissingExtraError(package, extra)


class Trackers:
    """All that were asked for, as one."""

    def __init__(self, names: Sequence[str], out: Path, known: Mapping[str, Any]) -> None:
        """`known`: the ids of the same run before it was stopped."""
        self._all: dict[str, Tracker] = {}
        for name in dict.fromkeys(names):
            home, _, kind = _KNOWN[name][2].partition(":")
            self._all[name] = getattr(import_module(home), kind)(out, known.get(name, {}))

    @property
    def ids(self) -> dict[str, Any]:
        """By tracker."""
        return {name: dict(tracker.ids) for name, tracker in self._all.items()}

    def begin(self, title: str, facts: Mapping[str, Any]) -> None:
        """The run starts, or goes on. Raises `VlmkitError` for a service that does not answer: nothing is lost yet."""
        for name, tracker in self._all.items():
            try:
                tracker.begin(title, facts)
            except Exception as error:  # each service has its own
                raise VlmkitError(f"{name} does not take this run: {error}; leave --report-to {name} out") from error

    def stage(self, name: str, facts: Mapping[str, Any], step: int) -> None:
        """A stage starts, or goes on after a step."""
        for tracker_name, tracker in self._all.items():
            try:
                tracker.stage(name, facts, step)
            except Exception as error:  # as below
                log.warning("%s does not take stage %s: %s", tracker_name, name, error)

    def log(self, step: int, values: Mapping[str, Any]) -> None:
        """Figures of the stage; a service that does not answer costs a warning, not the run."""
        for name, tracker in self._all.items():
            try:
                tracker.log(step, _finite(values))
            except Exception as error:  # each service has its own
                log.warning("%s does not take the figures of step %d: %s", name, step, error)

    def over(self, stage: str, values: Mapping[str, Any]) -> None:
        """What a stage came to."""
        for name, tracker in self._all.items():
            try:
                tracker.over(stage, _finite(values))
            except Exception as error:  # as above
                log.warning("%s does not take what stage %s came to: %s", name, stage, error)

    def end(self, error: BaseException | None = None, facts: Mapping[str, str] | None = None) -> None:
        """The run is over, or failed."""
        for name, tracker in self._all.items():
            try:
                tracker.end(error, facts or {})
            except Exception as failure:  # the head is written by now, or another error is on its way
                log.warning("%s was not told that the run is over: %s", name, failure)


def _finite(values: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(v) for name, v in values.items() if isinstance(v, int | float) and math.isfinite(v)}


def flattened(facts: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested facts as `{"a.b": text}`."""
    found: dict[str, str] = {}
    for name, value in facts.items():
        if isinstance(value, Mapping):
            found |= flattened(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = str(value)
    return found
