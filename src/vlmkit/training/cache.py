"""Rows of frozen encoders on disk: computed once, found again by what they were computed from.

A file is named by the encoder (weights, preprocessing, class), the modality, and the bytes of the media that the
encoder opens for it. A safetensors file a sample and modality; facts and notes are JSON in its header.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vlmkit.media.content import Contents
from vlmkit.protocols import Encoder
from vlmkit.types import Features, Media, Modality, Problem, Sample

log = logging.getLogger("vlmkit")

_FORMAT = "1"
_HEADER = "vlmkit"  # one entry: safetensors writes several in any order


def cache_folder(given: str | Path | None) -> Path:
    """Where rows are kept: what was given, else `VLMKIT_CACHE`, else a folder of the user's own cache."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(given or os.environ.get("VLMKIT_CACHE") or home / "vlmkit" / "features")


@dataclass(frozen=True)
class Kept:
    """What an encoder found in one modality of one sample, and what it said about the medium."""

    features: Features
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[Problem] = ()


def fingerprint(encoder: Encoder) -> str:
    """SHA-256 of what decides an encoder's rows: class, preprocessing, weights and their type, vlmkit's version."""
    digest = hashlib.sha256()
    kind = type(encoder)
    about = [_FORMAT, version("vlmkit"), f"{kind.__module__}.{kind.__qualname__}", encoder.spec]
    digest.update(json.dumps(about, sort_keys=True, default=str).encode())
    for name, value in sorted(encoder.module.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(_bytes(value))
    return digest.hexdigest()


class FeatureCache:
    """The folder. A file that cannot be read is computed again; a failure to write costs a warning, not the run.

    Attributes:
        read, encoded: how many modalities of samples were found, and how many had to be computed.
        contents: digests of the media that it was asked about.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.read = 0
        self.encoded = 0
        self.contents = Contents()
        self._complained = False

    def key(self, encoder: Encoder, mark: str, sample: Sample, modality: Modality) -> str | None:
        """The name of one modality's rows; None for media that cannot be opened, which the encoder will say better.

        Args:
            mark: the encoder's `fingerprint`.
        """
        opened: list[Any] = [mark, modality]
        if "text" in encoder.reads:
            opened.append(sample.text)
        try:
            opened += [
                [name, self._digest(sample.media[name])] for name in sorted(encoder.reads & frozenset(sample.media))
            ]
        except (OSError, ValueError, TypeError):
            return None
        return hashlib.sha256(json.dumps(opened).encode()).hexdigest()

    def get(self, key: str, width: int) -> Kept | None:
        """Rows of this name; None where there are none, or where the file is damaged."""
        path = self._path(key)
        if not path.is_file():
            return None
        try:
            return _read(path, key, width)
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            log.warning("%s: damaged (%s); its rows are computed again", path, error)
            return None

    def put(self, key: str, kept: Kept) -> None:
        """Write in one step: nobody ever sees half a file. Facts that JSON would change are not written at all."""
        tensors = _tensors(kept.features)
        about = {
            "format": _FORMAT,
            "key": key,
            "lengths": list(kept.features.lengths),
            "facts": dict(kept.facts),
            "notes": [asdict(note) for note in kept.notes],
            "sha256": _sum(tensors),
        }
        try:
            text = json.dumps(about)
        except (TypeError, ValueError):
            return
        if json.loads(text) != about:
            return
        try:
            _write(self._path(key), tensors, {_HEADER: text})
        except OSError as error:
            if not self._complained:
                log.warning("%s: rows cannot be kept (%s)", self.folder, error)
            self._complained = True

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.safetensors"

    def _digest(self, medium: Media) -> list[Any]:
        """Kind, window and content of a medium."""
        cut = [getattr(medium, f.name) for f in fields(medium) if f.name != "source"]
        return [type(medium).__name__, cut, self.contents.sha256(medium.source)]


def _tensors(features: Features) -> dict[str, Tensor]:
    found = {name: getattr(features, name) for name in ("values", "times_s", "grid", "step_s")}
    found |= {f"deep.{index}": layer for index, layer in enumerate(features.deep)}
    return {name: value.detach().cpu().contiguous() for name, value in found.items() if value is not None}


def _read(path: Path, key: str, width: int) -> Kept:
    with safe_open(path, framework="pt") as file:
        about = json.loads((file.metadata() or {})[_HEADER])
        found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
    lengths = tuple(about["lengths"])
    values = found["values"]
    if about["key"] != key or about["sha256"] != _sum(found):
        raise ValueError("its content is not what was written")
    if values.shape != (sum(lengths), width):
        raise ValueError(f"rows of shape {tuple(values.shape)}, wanted {(sum(lengths), width)}")
    deep = tuple(found[f"deep.{index}"] for index in range(sum(name.startswith("deep.") for name in found)))
    rows = Features(values, lengths, found.get("times_s"), found.get("grid"), deep, found.get("step_s"))
    return Kept(rows, about["facts"], tuple(Problem(**note) for note in about["notes"]))


def _write(path: Path, tensors: dict[str, Tensor], about: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    os.close(handle)
    try:
        save_file(tensors, name, about)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _sum(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tuple(tensors[name].shape)}".encode())
        digest.update(_bytes(tensors[name]))
    return digest.hexdigest()


def _bytes(value: Tensor) -> Any:
    flat = value.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data if flat.numel() else b""
