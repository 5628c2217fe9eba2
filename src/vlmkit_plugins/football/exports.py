"""Samples to the files that other trainers read, and back without loss: TRL, LLaVA, ms-swift, and the room's own lines.

The question is the task's, word for word, and the answer the very text that the head itself is trained to write. A row
has the sample's id, and its meta as JSON text: a column of a table has to be of one type in every row.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

from vlmkit.errors import DataError, MediaError, UnknownNameError
from vlmkit.manifest import inside, write_rows
from vlmkit.media.content import content_sha256
from vlmkit.types import Clip, Message, Prompt, Sample, Slot
from vlmkit_plugins.football.data import MANIFEST, read_manifest
from vlmkit_plugins.football.rows import Excluded, Row, read_file
from vlmkit_plugins.football.schema import parse_events

Form = Literal["trl", "llava", "ms-swift", "jsonl"]
FORMS: tuple[Form, ...] = get_args(Form)

_ROLES = {"system": "system", "user": "human", "assistant": "gpt"}
# What a tokenizer or a trainer would take for a tag; in JSON text \u003c is the same sign.
_TAG = re.compile(r"<(?=[|/A-Za-z])")


def write(
    samples: Iterable[Sample],
    file: Path,
    form: Form,
    *,
    root: Path | None = None,
    absolute: bool = False,
    prompt: Prompt | None = None,
) -> Path:
    """Write a training file whole or not at all, and return its path: lines, or one array where it ends in `.json`.

    `jsonl` is always lines.

    Args:
        form: `trl` (`messages` of content parts, and `videos`), `llava` (`video`, and `conversations`), `ms-swift`
            (`messages` with `<video>`, and `videos`), or `jsonl`, lines of the room's own manifest.
        root: the folder that paths of films are relative to; the file's own.
        absolute: full paths instead, for trainers that run elsewhere.
        prompt: another question than the task's.

    Raises `DataError` for ids that come twice; for a sample without a film in `root`, with a window of one (cut it
    first), or, but for `jsonl`, without truth; and for a meta that JSON does not hold.
    """
    if form not in FORMS:
        raise UnknownNameError("form", form, FORMS)
    samples, file = list(samples), Path(file)
    top = file.parent if root is None else Path(root)
    if not samples:
        raise DataError(f"{file}: there is no sample to write")
    if twice := [name for name, n in Counter(sample.id for sample in samples).items() if n > 1]:
        raise DataError(f"{len(twice)} ids come more than once: {', '.join(map(repr, twice[:5]))}")
    from vlmkit_plugins.football.head import PROMPT  # which imports the data tools

    made = [_row(sample, form, _film(sample, top, absolute), prompt or PROMPT) for sample in samples]
    if form == "jsonl" or file.suffix.lower() != ".json":
        return write_rows(file, made)
    draft = file.with_name(f".{file.name}.part")
    draft.write_text(json.dumps(made, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    draft.replace(file)
    return file


def read(file: Path, *, root: Path | None = None) -> list[Sample]:
    """The samples of a file that `write` wrote, in any form, or of one that has the same rows.

    Strict: nothing is repaired and nothing left out. For files of others see annotations.py.

    Args:
        root: the folder that the films are in; the file's own.

    Raises `DataError` naming the row for one that is not of these forms, or names a film outside `root`.
    """
    file = Path(file)
    top = file.parent if root is None else Path(root)
    if not file.is_file():
        raise MediaError(str(file), "missing", "no such file")
    rows = list(read_file(file, str(file)))
    if not any(isinstance(row, Row) and row.answers for row in rows):
        return read_manifest(file, top)
    found: dict[str, Sample] = {}
    for row in rows:
        if isinstance(row, Excluded):
            raise DataError(f"{row.where}: {row.message}")
        if not row.id or not row.film:
            raise DataError(f"{row.where}: wanted an id, and one film; given id {row.id!r} and film {row.film!r}")
        if row.id in found:
            raise DataError(f"{row.where}: id {row.id!r} stands before it")
        truth = parse_events([event for _, event in row.events], row.where)
        found[row.id] = Sample(row.id, {"video": Clip(_below(top, row.film, row.where))}, truth=truth, meta=row.meta)
    return list(found.values())


def write_folder(samples: Iterable[Sample], folder: Path) -> Path:
    """A data folder of samples, as `vlmkit train` and `evaluate` read it: films, linked or copied, and a manifest.

    Raises `DataError` for a folder that has a manifest already, and for samples as `write` does; `MediaError` for a
    film that is missing.
    """
    samples, folder = list(samples), Path(folder)
    if (folder / MANIFEST).exists():
        raise DataError(f"{folder}: holds a {MANIFEST} already; give a folder of its own")
    films = [_source(sample) for sample in samples]
    names = Counter(film.name for film in set(films))
    (folder / "videos").mkdir(parents=True, exist_ok=True)
    placed: dict[Path, Path] = {}
    for film in dict.fromkeys(films):
        digest = content_sha256(os.fsencode(film.absolute()))[:8]
        placed[film] = folder / "videos" / (film.name if names[film.name] == 1 else f"{digest}-{film.name}")
        _link(film, placed[film])
    moved = [replace(one, media={"video": Clip(placed[film])}) for one, film in zip(samples, films, strict=True)]
    write(moved, folder / MANIFEST, "jsonl")
    return folder


def _row(sample: Sample, form: Form, film: str, prompt: Prompt) -> dict[str, Any]:
    meta = _meta(sample)
    if form == "jsonl":
        truth = {} if sample.truth is None else {"truth": sample.truth.model_dump(mode="json")}
        return {"id": sample.id, "video": film, **truth, **({"meta": json.loads(meta)} if sample.meta else {})}
    if sample.truth is None:
        raise DataError(f"{sample.id}: it has no truth, so there is nothing to learn; leave it out, or write 'jsonl'")
    answer = _TAG.sub(r"\\u003c", sample.truth.model_dump_json())
    if form == "llava":
        said = [{"from": _ROLES[one.role], "value": _text(one, "<video>\n")} for one in prompt.messages]
        turns = [*said, {"from": "gpt", "value": answer}]
        return {"id": sample.id, "video": [film], "conversations": turns, "meta": meta}
    messages: list[dict[str, Any]] = []
    if form == "trl":
        # The film stands in `videos` only: as a key of one part it would become a key of all parts in a table, and
        # chat templates that look for the key would see a film in every part.
        messages += [{"role": one.role, "content": [_part(part) for part in one.parts]} for one in prompt.messages]
        messages.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
    else:
        messages += [{"role": one.role, "content": _text(one, "<video>")} for one in prompt.messages]
        messages.append({"role": "assistant", "content": answer})
    return {"id": sample.id, "messages": messages, "videos": [film], "meta": meta}


def _part(part: str | Slot) -> dict[str, str]:
    return {"type": "text", "text": part} if isinstance(part, str) else {"type": part.modality}


def _text(message: Message, film: str) -> str:
    return "".join(part if isinstance(part, str) else film for part in message.parts)


def _meta(sample: Sample) -> str:
    """As JSON text. Raises `DataError` for what would not come back as it is."""
    try:
        text = json.dumps(dict(sample.meta), ensure_ascii=False, allow_nan=False)
        text.encode()
        sample.id.encode()
        if json.loads(text) == sample.meta:
            return text
    except (TypeError, ValueError):
        pass
    raise DataError(f"{sample.id}: id or meta: holds what JSON does not (tuples, keys that are no text, NaN, ...)")


def _source(sample: Sample) -> Path:
    """The whole file that a sample is about."""
    clip = sample.media.get("video")
    if not isinstance(clip, Clip) or not isinstance(clip.source, str | Path):
        raise DataError(f"{sample.id}: wanted a film that is a file; others cannot be named in a row")
    if clip.start_s is not None or clip.end_s is not None:
        window = f"{clip.start_s} to {clip.end_s} s"
        raise DataError(f"{sample.id}: it is about {window} of its film, and rows are about whole ones; cut it first")
    return Path(clip.source)


def _film(sample: Sample, top: Path, absolute: bool) -> str:
    film = _source(sample)
    try:
        name = film.absolute().relative_to(top.absolute()).as_posix()
    except ValueError:
        name = ""
    if not name or _below(top, name, sample.id).absolute() != film.absolute():
        raise DataError(f"{sample.id}: {film} does not lie in {top}; give the folder that films are in as root")
    return film.absolute().as_posix() if absolute else name


def _below(top: Path, name: str, where: str) -> Path:
    """A film in the folder, by its path from there or by its full one."""
    if Path(name).is_absolute() and Path(name).is_relative_to(top.absolute()):
        name = Path(name).relative_to(top.absolute()).as_posix()
    return inside(top, name, f"{where}: video")


def _link(film: Path, target: Path) -> None:
    if not film.is_file():
        raise MediaError(str(film), "missing", "no such film")
    try:
        os.link(film.resolve(), target)
    except FileExistsError:
        if content_sha256(film) != content_sha256(target):
            raise DataError(f"{target}: another film is there already; give a folder of its own") from None
    except OSError:  # another file system, or one without links
        shutil.copy2(film, target)
