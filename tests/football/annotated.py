"""Annotation files for tests, and what is in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.football.films import put
from vlmkit.types import Sample
from vlmkit_plugins.football.annotations import Loaded, load

GOAL = {"description": "Player #9 in red scores.", "start_time": "0:0:3", "end_time": "0:0:8", "event": "Goal"}
CARD = {"description": "A yellow card.", "start_time": "0:0:1", "end_time": "0:0:2", "event": "Yellow Card"}


def say(folder: Path, name: str, content: Any) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def lines(*rows: Any) -> str:
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)


def events(sample: Sample) -> list[dict[str, str]]:
    assert sample.truth is not None
    return [event.model_dump() for event in sample.truth.root]


def codes(loaded: Loaded) -> list[str]:
    return [one.code for one in loaded.excluded]


def one(folder: Path, content: Any, **options: Any) -> Loaded:
    """What an annotation of the ten-second film `a.mp4` gives."""
    put(folder, "a.mp4")
    say(folder, "a.json", content)
    return load(folder, **options)
