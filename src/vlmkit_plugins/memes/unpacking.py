"""Shards back to samples (shards.py), checked against the files beside them."""

from __future__ import annotations

import io
import json
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from vlmkit.errors import DataError, MediaError
from vlmkit.types import Image, Sample
from vlmkit_plugins.memes.rows import with_meta
from vlmkit_plugins.memes.schema import parse_labels, truth
from vlmkit_plugins.memes.shards import FOLDER, STATS_FILE, webdataset
from vlmkit_plugins.memes.splits import FILE as SPLITS_FILE
from vlmkit_plugins.memes.splits import split_name
from vlmkit_plugins.memes.wording import parts

_TAR_END = bytes(2 * tarfile.BLOCKSIZE)


def has_shards(folder: Path) -> bool:
    """Whether it is a folder that `write_shards` made, or one split's in it."""
    return (folder / FOLDER).is_dir() or any(folder.glob("shard-*.tar"))


def read_splits(file: Path) -> dict[str, str]:
    """Splits by id. Raises `DataError` for what is no object of known splits."""
    data = _json(file)
    names = {key: split_name(value) for key, value in data.items()}
    if unknown := sorted({str(data[key]) for key, name in names.items() if name is None}):
        raise DataError(f"{file}: unknown splits: {', '.join(map(repr, unknown[:5]))}")
    return {key: name for key, name in names.items() if name is not None}


def read_shards(folder: Path) -> Iterator[Sample]:
    """The samples of all splits, or of one where the folder of its shards is given, in the order written.

    The split of a sample is what `splits.json` says. Raises `MediaError` where there is no shard; `DataError` naming
    the file that is missing or damaged, an id without a split, and a split that has not as many samples as
    `stats.json` counts.
    """
    whole = (folder / FOLDER).is_dir()
    root = folder if whole else folder.resolve().parent.parent
    splits, counts = read_splits(root / SPLITS_FILE), _json(root / STATS_FILE).get("split_packed")
    if not isinstance(counts, dict):
        raise DataError(f"{root / STATS_FILE}: split_packed: wanted an object of splits with counts")
    folders = [root / FOLDER / split for split in counts] if whole else [folder]
    for one in folders:
        shards = sorted(one.glob("shard-*.tar"))
        wanted = counts.get(one.resolve().name)
        if not shards and wanted:
            raise MediaError(str(one), "missing", "no shard-*.tar in it; write the shards again")
        found: Counter[str] = Counter()
        for shard in shards:
            for sample in _samples(shard, splits):
                found[sample.id] += 1
                yield sample
        if len(found) != wanted or found.total() != wanted:
            raise DataError(
                f"{one}: holds {found.total()} samples, {len(found)} of them different, and {STATS_FILE} says "
                f"{wanted}; write the shards again"
            )


def _samples(shard: Path, splits: Mapping[str, str]) -> Iterator[Sample]:
    reader = webdataset().tariterators
    with shard.open("rb") as stream:
        _check_end(shard, stream)
        members = reader.tar_file_expander([{"url": shard.name, "stream": stream}])
        try:
            for item in reader.group_by_keys(members):
                yield _sample(shard, item, splits)
        except (tarfile.TarError, EOFError):
            raise DataError(f"{shard}: the tar file is damaged or cut off; write it again") from None


def _sample(shard: Path, item: Mapping[str, Any], splits: Mapping[str, str]) -> Sample:
    where = f"{shard}: {item.get('__key__')}"
    try:
        about = json.loads(item["json"])
        name, dataset, raw = about["id"], about["dataset"], about["labels"]
        text = item["txt"].decode() if "txt" in item else None
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{where}: no readable json member with id, dataset, split and labels") from None
    if name not in splits:
        raise DataError(f"{where}: id {name!r} is not in {SPLITS_FILE}; write the shards again")
    meta = dict(about.get("meta") or {})
    if "meta" not in about and (combined := parts(text or "")):
        text, meta["caption"], meta["lang"] = combined  # shards of others hold the text as a model is given it
    known = None if raw is None else parse_labels(raw, f"{where}: labels")
    meta |= {key: value for key, value in (("dataset", dataset), ("split", splits[name])) if value is not None}
    media: dict[Any, Any] = {"image": Image(item["png"])} if "png" in item else {}
    if not media and not Sample(name, text=text).has_words:
        raise DataError(f"{where}: neither a png nor a txt member")
    return Sample(
        name, media, text=text, truth=None if known is None else truth(known), meta=with_meta(where, None, known, meta)
    )


def _check_end(shard: Path, stream: IO[bytes]) -> None:
    """`tarfile` takes a tar cut between two members for a whole one; a whole one ends in two blocks of zeros."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, size - len(_TAR_END)))
    if stream.read() != _TAR_END:
        raise DataError(f"{shard}: the tar file is damaged or cut off; write it again")
    stream.seek(0)


def _json(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{file}: missing: copy it too, or write the shards again") from None
    except (OSError, ValueError):
        raise DataError(f"{file}: not readable as JSON; write the shards again") from None
    if not isinstance(data, dict):
        raise DataError(f"{file}: wanted an object; given {type(data).__name__}")
    return data
