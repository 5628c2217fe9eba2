"""One MLflow run with a nested run a stage: parameters of two stages differ, and MLflow's cannot be changed.

`transformers` has a callback for MLflow, which writes 150 arguments of its own into one run whose parameters clash in
the second stage; so this speaks to MLflow's client itself. MLflow's own variables are obeyed: `MLFLOW_TRACKING_URI`
(a database file `mlflow.db` here when not set) and `MLFLOW_EXPERIMENT_NAME`.
"""

from __future__ import annotations

import getpass
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from vlmkit.training.trackers import flattened

_KIND = {"mlflow.experimentKind": "custom_model_development"}  # MLflow's pages show training, not chats
_BATCH = 100  # what MLflow takes at once
_LONGEST = 500  # characters of a parameter that every release of MLflow takes


class MlflowTracker:
    """See `Tracker`."""

    def __init__(self, out: Path, known: Mapping[str, Any]) -> None:
        self._client = MlflowClient()
        self._experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME", "vlmkit")
        self._run: str | None = known.get("run_id")
        self._stages: dict[str, str] = dict(known.get("stages", {}))
        self._current = ""

    @property
    def ids(self) -> Mapping[str, Any]:
        """Experiment, run and nested runs."""
        return {"experiment": self._experiment, "run_id": self._run, "stages": self._stages}

    def begin(self, title: str, facts: Mapping[str, Any]) -> None:
        """A run of its own."""
        if self._run is not None:
            self._client.update_run(self._run, status="RUNNING")
            return
        self._run = self._new(title, {"mlflow.source.name": title, "mlflow.source.type": "LOCAL"})
        self._params(self._run, facts)

    def stage(self, name: str, facts: Mapping[str, Any], step: int) -> None:
        """A nested run."""
        if self._current:
            self._client.set_terminated(self._current)
        if name in self._stages:
            self._current = self._stages[name]
            self._client.update_run(self._current, status="RUNNING")
            return
        self._current = self._stages[name] = self._new(name, {"mlflow.parentRunId": str(self._run)})
        self._params(self._current, facts)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Metrics of the nested run."""
        self._metrics(self._current, values, step)

    def over(self, name: str, values: Mapping[str, float]) -> None:
        """Metrics of the run itself, by which runs are compared."""
        self._metrics(str(self._run), {f"{name}/{figure}": value for figure, value in values.items()}, 0)

    def end(self, error: BaseException | None, facts: Mapping[str, str]) -> None:
        """Tags say where the checkpoint is, and which."""
        status = "FINISHED" if error is None else "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
        tags = [RunTag(f"vlmkit.{name}", value) for name, value in facts.items()]
        for run in filter(None, (*self._stages.values(), self._run)):
            self._client.log_batch(run, tags=tags)
        for run in filter(None, (*self._stages.values(), self._run)):  # earlier stages may be of a process that died
            over = run not in (self._current, self._run)
            self._client.set_terminated(run, "FINISHED" if over else status)

    def _new(self, name: str, tags: Mapping[str, str]) -> str:
        found = self._client.get_experiment_by_name(self._experiment)
        home = (
            found.experiment_id if found is not None else self._client.create_experiment(self._experiment, tags=_KIND)
        )
        made = self._client.create_run(home, tags={"mlflow.user": _user(), **tags}, run_name=name)
        return str(made.info.run_id)

    def _metrics(self, run: str, values: Mapping[str, float], step: int) -> None:
        now = int(time.time() * 1000)
        for some in _batches([Metric(_legal(name), value, now, step) for name, value in values.items()]):
            self._client.log_batch(run, metrics=some)

    def _params(self, run: str, facts: Mapping[str, Any]) -> None:
        params = [Param(_legal(name), value[:_LONGEST]) for name, value in flattened(facts).items()]
        for some in _batches(params):
            self._client.log_batch(run, params=some)


def _legal(name: str) -> str:
    return re.sub(r"[^\w./ -]", "_", name.replace("@", "_at_"))


def _batches(things: Sequence[Any]) -> Iterator[list[Any]]:
    rest = iter(things)
    while some := list(islice(rest, _BATCH)):
        yield some


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"
