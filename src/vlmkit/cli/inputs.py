"""Files and folders of the command line to samples."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from vlmkit.cli.guard import say
from vlmkit.errors import MediaError
from vlmkit.task import Task
from vlmkit.types import Clip, Image, Media, Modality, Sample, Sound

# Which files of a folder are taken; a file named by itself is taken whatever it is called.
SUFFIXES: Mapping[Modality, frozenset[str]] = {
    "image": frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}),
    "audio": frozenset({".aac", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav"}),
    "video": frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm"}),
}
_MEDIA: Mapping[Modality, Callable[[Path], Media]] = {"image": Image, "audio": Sound, "video": Clip}


def samples_of(task: Task[Any], given: Mapping[Modality, Sequence[Path]], text: str | None) -> list[Sample]:
    """One sample a file; several kinds of media together make one sample, and then one file of each is wanted.

    Raises:
        typer.BadParameter: a modality that the task does not read or lacks, or kinds that cannot be paired.
        MediaError: a folder without a file of the kind, when nothing else was given.
    """
    present = {modality: paths for modality, paths in given.items() if paths}
    _check(task, frozenset(present) | (frozenset({"text"}) if text is not None else frozenset()))
    files = {modality: _expand(modality, paths) for modality, paths in present.items()}
    named = [path for paths in files.values() for path in paths]
    answerable = bool(text and text.strip()) and task.requires <= {"text"}
    if named and not answerable and not any(os.path.exists(path) for path in named):  # before weights are loaded
        raise MediaError(str(named[0]), "missing", "there is no such file, and nothing else was given")
    counts = {modality: len(paths) for modality, paths in files.items()}
    if len(files) > 1 and set(counts.values()) != {1}:
        listed = ", ".join(f"{count} of {modality}" for modality, count in counts.items())
        raise typer.BadParameter(f"give several files of one kind, or one file of each kind; given {listed}")
    if len(files) == 1:
        ((modality, paths),) = files.items()
        media = [{modality: _MEDIA[modality](path)} for path in paths]
    else:
        paths = [path for (path,) in files.values()][:1]
        media = [{modality: _MEDIA[modality](path) for modality, (path,) in files.items()}]
    return [Sample(key, items, text) for key, items in zip(_ids(paths) or ["text"], media, strict=True)]


def _check(task: Task[Any], given: frozenset[Modality]) -> None:
    reads = " ".join(f"--{modality}" for modality in sorted(task.accepts))
    for modality in sorted(given - task.accepts):
        raise typer.BadParameter(f"task {task.name!r} does not read {modality}; it takes {reads}")
    for modality in sorted(task.requires - given):
        raise typer.BadParameter(f"task {task.name!r} needs --{modality}")
    if not given:
        raise typer.BadParameter(f"task {task.name!r} needs something to look at: {reads}")


def _expand(modality: Modality, paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if not os.path.isdir(path):  # unlike Path's, false for names that the system refuses
            found.append(path)
            continue
        inside = [file for file in sorted(path.iterdir()) if file.is_file() and not file.name.startswith(".")]
        kept = [file for file in inside if file.suffix.lower() in SUFFIXES[modality]]
        if not kept:
            kinds = " ".join(sorted(SUFFIXES[modality]))
            deeper = next((folder for folder in sorted(path.iterdir()) if folder.is_dir()), None)
            kinds += f"; did you mean {deeper}?" if deeper else ""
            empty = MediaError(str(path), "empty", f"no {modality} file in this folder (looked for {kinds})")
            if len(paths) == 1:
                raise empty
            say(f"vlmkit: {empty}")
            found.append(path)  # counted as a sample that cannot be read; the others are answered
            continue
        if len(kept) < len(inside):
            say(f"vlmkit: {path}: {len(inside) - len(kept)} files are no {modality} by their name, and were left out")
        found.extend(kept)
    return found


def _ids(paths: Sequence[Path]) -> list[str]:
    """The shortest names that tell the files apart."""
    for name in (lambda path: path.stem, lambda path: path.name, str):
        ids = [name(path) for path in paths]
        if len(set(ids)) == len(ids):
            return ids
    raise typer.BadParameter("the same file is given twice")
