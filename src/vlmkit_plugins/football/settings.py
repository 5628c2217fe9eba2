"""The original's settings: `.env` and environment, below the command line and above what a preset has by itself.

They are read for the command line. In Python nothing is read unless it is asked for:
`vlmkit.load("football", **settings.read().load())`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, SettingsConfigDict

from vlmkit.errors import VlmkitError
from vlmkit.settings import Settings

FILE = ".env"
ENVIRONMENT = "environment"
NOT_USED: Mapping[str, str] = {
    "MAX_LENGTH": "the context is the model's own",
    "MAX_IMAGE_FRAMES": "a question holds one film",
}
"""Keys of the original that nothing here hangs on, and why."""
_NEAR = 0.88  # of difflib: a letter too few, too many, or two in the wrong order
_CALLED = {
    "model": "model_path",
    "adapter": "lora_path",
    "device": "device",
    "temperature": "temperature",
    "top_p": "top_p",
    "max_tokens": "max_tokens",
    "repetition_penalty": "repetition_penalty",
    "fps": "video_fps",
    "max_frames": "max_video_frames",
    "results": "output_dir",
}
_WEIGHTS = ("model_path", "lora_path")

Level = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    BeforeValidator(lambda given: given.upper() if isinstance(given, str) else given),
]


class Environment(BaseSettings):
    """The keys by their names in lower case; None where neither the environment nor the file has one."""

    model_config = SettingsConfigDict(
        env_file=FILE, env_file_encoding="utf-8-sig", env_ignore_empty=True, extra="ignore", frozen=True
    )

    model_path: str | None = None
    """Weights in place of the preset's own: a checkpoint of vlmkit, a directory in Hugging Face's layout, a hub id."""
    lora_path: Path | None = None
    """A LoRA adapter, as PEFT writes it."""
    device: str | None = None
    temperature: float | None = Field(None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(None, gt=0, le=1)
    max_tokens: int | None = Field(None, ge=1)
    repetition_penalty: float | None = Field(None, gt=0, allow_inf_nan=False)
    video_fps: float | None = Field(None, gt=0, allow_inf_nan=False)
    max_video_frames: int | None = Field(None, ge=1)
    output_dir: Path | None = None
    """Where result files go."""
    log_level: Level | None = None


def read(given: Mapping[str, Any] | None = None, folder: Path = Path()) -> Settings:
    """What holds: the command line before the environment, that before `.env` in `folder`, that before the preset's.

    A preset that the command line names (or `weights="random"`) is a choice of weights: it stands above `MODEL_PATH`
    and `LORA_PATH`, and a note says so.

    Args:
        given: what the command line gave, by the names of its options.

    Raises `VlmkitError` in one line for a value that cannot be, with its key and where it comes from, and for a file
    that is no UTF-8 text.
    """
    given = dict(given or {})
    file = folder / FILE
    origins = {**dict.fromkeys(_in_file(file), str(file)), **dict.fromkeys(_in_environment(), ENVIRONMENT)}
    named = {field: given[name] for name, field in _CALLED.items() if given.get(name) is not None}
    notes = list(_strange(file))
    values = _checked(named, origins, file)
    if "preset" in given or given.get("weights") == "random":
        left = [name for name in _WEIGHTS if name in values and origins.get(name) and name not in named]
        values = {name: value for name, value in values.items() if name not in left}
        if left:
            keys = " and ".join(name.upper() for name in left)
            notes.append(f"the command line says which weights are meant; {keys} ({origins[left[0]]}) left out")
    said = [f"{name.upper()}={value} ({origins[name]})" for name, value in values.items() if name not in named]
    notes += [f"settings: {', '.join(said)}"] if said else []
    found = {name: values[field] for name, field in _CALLED.items() if field in values}
    return Settings.of(found, log_level=values.get("log_level"), notes=tuple(notes))


def _checked(named: Mapping[str, Any], origins: Mapping[str, str], file: Path) -> dict[str, Any]:
    try:
        # in one mapping: type checkers take the signature for that of the fields
        return Environment(**{"_env_file": file, **named}).model_dump(exclude_none=True)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).lower()
        given = str(first["input"])
        if name in named:
            option = next(option for option, field in _CALLED.items() if field == name)
            raise VlmkitError(f"--{option.replace('_', '-')} {given}: {first['msg']}") from None
        raise VlmkitError(f"{name.upper()}={given!r} ({origins[name]}): {first['msg']}") from None


def _in_environment() -> dict[str, Any]:
    return EnvSettingsSource(Environment)()


def _in_file(file: Path) -> dict[str, Any]:
    try:
        return DotEnvSettingsSource(Environment, env_file=file)()
    except UnicodeDecodeError:
        raise VlmkitError(f"{file}: it is no UTF-8 text; wanted lines such as TEMPERATURE=0.6") from None


def _strange(file: Path) -> Iterator[str]:
    """Keys of the file that look like ours, and are none: nobody else's `.env` has a MODELPATH."""
    if not file.is_file():
        return
    known = [name.upper() for name in Environment.model_fields]
    plain = {name.replace("_", ""): name for name in known}
    for key in dotenv_values(file, encoding="utf-8-sig", interpolate=False):
        called = key.upper()
        if called in NOT_USED:
            yield f"{file}: {key} is not used: {NOT_USED[called]}"
        if called in known or called in NOT_USED:
            continue
        close = difflib.get_close_matches(called, known, 1, _NEAR)
        if near := plain.get(called.replace("_", "")) or next(iter(close), None):
            yield f"{file}: {key} is not read; did you mean {near}?"
