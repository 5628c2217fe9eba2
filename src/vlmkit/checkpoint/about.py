"""What `vlmkit.json` and the README of a checkpoint say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from vlmkit.calibration.files import Mode
from vlmkit.calibration.record import Record


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Base(_Strict):
    """Whose weights they are: those of a hub id at a revision, or nobody else's."""

    id: str | None
    revision: str | None


class Hashes(_Strict):
    """SHA-256 of what weights and code have to agree on."""

    prompt: str
    reply: str
    specs: str


class Data(BaseModel):
    """What a run was trained on; a task may say more."""

    model_config = ConfigDict(frozen=True, extra="allow")

    synthetic: bool


class Run(BaseModel):
    """One call of `vlmkit train`; it may say more."""

    model_config = ConfigDict(frozen=True, extra="allow")

    data: Data


class Manifest(_Strict):
    """`vlmkit.json`. `training` lists every run that made these weights, oldest first.

    `hashes.specs` covers task, preset and preprocessing: none of them can be edited without the others.
    """

    format: Literal[1]
    vlmkit: str
    task: str
    preset: str
    base: Base
    specs: dict[str, dict[str, Any]]
    hashes: Hashes
    training: list[Run]
    calibration: dict[Mode, Record] = Field(default_factory=dict)
    files: dict[str, str]


def card(about: Mapping[str, Any]) -> str:
    """The README of a checkpoint, from the data of its manifest."""
    runs = about["training"]
    base = f"Base: {about['base']['id'] or 'weights that only exist here'}."
    if runs and all(run["data"]["synthetic"] for run in runs):
        base += " Trained on synthetic data only: it shows that the software works, not that it is right about anything"
        base += " real."
    if not runs:
        base += " Not trained."
    for mode, record in about.get("calibration", {}).items():
        base += f" Calibrated ({mode}) on {record['n']} samples of {record['data']}."
    training = json.dumps(runs, ensure_ascii=False)
    return (
        f"---\nlibrary_name: vlmkit\ntags: [vlmkit, {about['task']}]\n---\n\n"
        f"# {about['task']} ({about['preset']})\n\n{base}\n\n"
        f'```python\nimport vlmkit\n\nhead = vlmkit.load("path/to/this/folder")\n```\n\n'
        f"Training, as `vlmkit train` recorded it:\n\n```json\n{training}\n```\n"
    )
