"""`calibration_{mode}.json` and `thresholds_{mode}.json`: what lies beside the weights of a calibrated head."""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from vlmkit.calibration.maps import Map, Temperature, map_from_json, wrong_right
from vlmkit.errors import CheckpointError, DataError

log = logging.getLogger("vlmkit")

Mode = Literal["full", "pilot"]
"""Which calibration: the one that is served, or a first try on few samples. Both may lie in one folder."""

LABEL = "abuse_hate"  # the label that thresholds are of, where the caller names none
BEST_F1 = "best_f1"  # beside the labels of `thresholds_{mode}.json`; some files lack it
DEFAULT = Temperature(1.0)
THRESHOLD = 0.5


@dataclass(frozen=True)
class Calibration:
    """Maps and thresholds of a head.

    Attributes:
        maps: by name: members of a head without a language model; else dotted field paths, and `reply`.
        thresholds: by the same names: label to the probability from which on it is given, and `best_f1` beside it.
        mode: which of the two calibrations it is.
    """

    maps: Mapping[str, Map]
    thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    mode: Mode = "full"

    def map(self, name: str) -> Map:
        """The map of that name; temperature 1, which changes nothing, where there is none."""
        return self.maps.get(name, DEFAULT)

    def holds(self, name: str, confidence: float) -> float:
        """How probable it is that an answer of that confidence is right: maps of the classes (wrong, right)."""
        return float(self.map(name).probabilities(wrong_right([confidence]))[0, 1])

    def threshold(self, name: str, label: str | None = None) -> float:
        """The threshold of that name; .5 where there is none. Without `label` it is that of the only label."""
        labels = {key: value for key, value in self.thresholds.get(name, {}).items() if key != BEST_F1}
        if label is not None:
            return labels.get(label, THRESHOLD)
        if len(labels) > 1:
            raise CheckpointError(f"{name} has thresholds of {', '.join(sorted(labels))}; name one of them")
        return next(iter(labels.values()), THRESHOLD)

    def write(self, directory: Path) -> tuple[Path, ...]:
        """Write both files, each whole or not at all; without thresholds only the first. Gives their paths."""
        files: dict[str, Any] = {_maps(self.mode): {name: one.to_json() for name, one in self.maps.items()}}
        if self.thresholds:
            files[_thresholds(self.mode)] = {name: dict(one) for name, one in self.thresholds.items()}
        for name, data in files.items():
            text = json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False)
            draft = directory / f".{name}.part"
            draft.write_text(text + "\n", encoding="utf-8")
            os.replace(draft, directory / name)
        return tuple(directory / name for name in files)


@runtime_checkable
class Calibratable(Protocol):
    """A decoder whose figures can be calibrated; None for its own."""

    calibration: Calibration | None


def read(directory: Path, mode: Mode = "full") -> Calibration | None:
    """The calibration of that mode; None where the folder has neither file.

    Where one of the two is missing its defaults stand in (temperature 1, threshold .5), and a warning says so when it
    is the first.

    Raises `CheckpointError` naming file and entry for anything that is no number where one belongs, a temperature of 0
    or below, and a threshold outside 0..1.
    """
    paths = [directory / _maps(mode), directory / _thresholds(mode)]
    if not any(path.is_file() for path in paths):
        return None
    if not paths[0].is_file():
        log.warning("%s is missing: the figures of %s are taken as they are (temperature 1)", *paths)
    maps, thresholds = (_entries(path) if path.is_file() else {} for path in paths)
    return Calibration(
        {name: _map(paths[0], name, value) for name, value in maps.items()},
        {name: _labels(paths[1], name, value) for name, value in thresholds.items()},
        mode,
    )


def modes(directory: Path) -> tuple[Mode, ...]:
    """The calibrations that a folder has."""
    return tuple(
        mode for mode in get_args(Mode) if any((directory / name(mode)).is_file() for name in (_maps, _thresholds))
    )


def names(mode: Mode) -> tuple[str, str]:
    """File names of that mode: maps, thresholds."""
    return _maps(mode), _thresholds(mode)


def _maps(mode: Mode) -> str:
    return f"calibration_{mode}.json"


def _thresholds(mode: Mode) -> str:
    return f"thresholds_{mode}.json"


def _entries(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise CheckpointError(f"{path}: not JSON; calibrate again: vlmkit calibrate") from None
    if not isinstance(data, dict):
        raise CheckpointError(f"{path}: wanted an object by name; given {type(data).__name__}")
    return data


def _map(path: Path, name: str, value: object) -> Map:
    try:
        return map_from_json(value)
    except DataError as error:
        raise CheckpointError(f"{path}: {name}: {error}") from None


def _labels(path: Path, name: str, value: object) -> dict[str, float]:
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: {name}: wanted {{label: threshold}}; given {value!r:.80}")
    for label, figure in value.items():
        real = isinstance(figure, int | float) and not isinstance(figure, bool) and math.isfinite(figure)
        if not real or not 0 <= figure <= 1:
            raise CheckpointError(f"{path}: {name}.{label}: wanted a number within 0..1; given {figure!r:.80}")
    return {label: float(figure) for label, figure in value.items()}
