"""WebDataset shards of samples: tar files of a few hundred MB, written and read with `webdataset`.

A sample is `KEY.json` (id, truth, meta) with either `KEY.mp4` (the film's own bytes) or `KEY.0000.jpg`, `KEY.0001.jpg`
… (frames of `JPEG_SIDE_PX`). Keys are made of safe characters only; the true id stands in the JSON. `shards.json`
beside the shards counts the samples of each, so that one that is missing or cut off is noticed.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from vlmkit.errors import DataError, MediaError, MissingExtraError
from vlmkit.types import Clip, Sample
from vlmkit_plugins.warehouse.schema import FPS, OperationSpan, parse_span

SHARD_BYTES = 300_000_000
JPEG_SIDE_PX = 336
JPEG_QUALITY = 90
PATTERN = "shard-%06d.tar"
INDEX = "shards.json"
_TAR_END = bytes(2 * tarfile.BLOCKSIZE)
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")

Frames = Callable[[Sample], tuple[Iterable[NDArray[np.uint8]], float]]
"""A sample to its frames `[height, width, 3]` RGB and how many of them make a second."""


def write_shards(
    samples: Iterable[Sample], folder: Path, shard_bytes: int = SHARD_BYTES, frames: Frames | None = None
) -> tuple[Path, ...]:
    """Write samples into `folder/shard-000000.tar` and on, and return the shards.

    The index `shards.json` is written last: a folder whose writing was interrupted has none, and cannot be read.

    A shard is closed once it holds `shard_bytes` of members, so it is larger by less than one sample.

    Args:
        samples: with films as files or bytes, in the order in which they are read again.
        folder: made where it does not exist.
        shard_bytes: 100 to 500 MB in real use.
        frames: gives JPEG members in place of the film; what it yields is scaled to `JPEG_SIDE_PX` squared.

    Raises:
        DataError: shards in the folder already, two ids of one key, a film cut by seconds without `frames`, no sample.
        MediaError: a film that is missing or cannot be read.
        MissingExtraError: `webdataset` is not installed.
    """
    folder = Path(folder).resolve()
    if any(folder.glob("shard-*.tar")):
        raise DataError(f"{folder}: already holds shards; name a new folder or delete them")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INDEX).unlink(missing_ok=True)  # of shards that somebody deleted
    pattern = str(folder).replace("%", "%%") + "/" + PATTERN
    seen: dict[str, str] = {}
    counts: Counter[str] = Counter()
    options = {"encoder": False, "mtime": 0, "verbose": 0}  # bytes in, the same bytes out, nothing on stdout
    with _webdataset().ShardWriter(pattern, maxcount=10**9, maxsize=shard_bytes, **options) as writer:
        for sample in samples:
            key = safe_key(sample.id)
            if key in seen:
                raise DataError(f"ids {seen[key]!r} and {sample.id!r} have the same key {key!r}; rename one")
            seen[key] = sample.id
            writer.write({"__key__": key, **_members(sample, frames)})
            counts[Path(writer.fname).name] += 1
    if not seen:
        raise DataError(f"{folder}: no sample was given, so there is nothing to write")
    (folder / INDEX).write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")
    return tuple(folder / name for name in counts)


def read_shards(folder: Path) -> Iterator[Sample]:
    """The samples of a folder of shards, in the order written: films as bytes, JPEG members as one array of frames.

    Raises `MediaError` where there is no shard, and `DataError` naming the file, or the key of a sample, that cannot be
    read; also where shards and index differ, before the first sample, or a shard has not the samples the index counts.
    """
    folder = Path(folder).resolve()
    counts = _counts(folder)
    reader = _webdataset().tariterators
    for name, count in counts.items():
        shard = folder / name
        found = 0
        with shard.open("rb") as stream:
            _check_end(shard, stream)
            members = reader.tar_file_expander([{"url": shard.name, "stream": stream}])
            try:
                for item in reader.group_by_keys(members):
                    yield _sample(shard, item)
                    found += 1
            except (tarfile.TarError, EOFError):
                raise DataError(f"{shard}: the tar file is damaged or cut off; write it again") from None
        if found != count:
            raise DataError(f"{shard}: holds {found} samples, and {INDEX} says {count}; write it again")


def _counts(folder: Path) -> dict[str, int]:
    """Samples by shard's name, in order, as the index has them; exactly those shards are there."""
    there = {path.name for path in folder.glob("shard-*.tar")}
    if not there:
        raise MediaError(str(folder), "missing", "no shard-*.tar in it; write some with write_shards")
    index = folder / INDEX
    try:
        counts = json.loads(index.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"{index}: missing: copy it too, or write the shards again where that was interrupted"
        ) from None
    except (OSError, ValueError):
        raise DataError(f"{index}: not readable as JSON; write the shards again") from None
    if not isinstance(counts, dict) or not all(type(count) is int for count in counts.values()):
        raise DataError(f"{index}: wanted an object of shard names with counts; write the shards again")
    for names, what in ((counts.keys() - there, "missing"), (there - counts.keys(), f"not in {INDEX}")):
        if names:
            raise DataError(f"{folder}: shards {what}: {', '.join(sorted(names))}")
    return dict(sorted(counts.items()))


def _check_end(shard: Path, stream: IO[bytes]) -> None:
    """`tarfile` takes a tar cut between two members for a whole one; a whole one ends in two blocks of zeros."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, size - len(_TAR_END)))
    if stream.read() != _TAR_END:
        raise DataError(f"{shard}: the tar file is damaged or cut off; write it again")
    stream.seek(0)


def safe_key(sample_id: str) -> str:
    """A key without dots, slashes or blanks; an id that had to be changed gets a digest, so that two stay two."""
    key = _UNSAFE.sub("_", sample_id)
    return key if key == sample_id else f"{key}-{sha256(sample_id.encode()).hexdigest()[:8]}"


def _members(sample: Sample, frames: Frames | None) -> dict[str, Any]:
    clip = sample.media.get("video")
    if not isinstance(clip, Clip):
        raise DataError(f"{sample.id}: a shard holds films, and this sample has none")
    truth = sample.truth.model_dump() if isinstance(sample.truth, OperationSpan) else None
    about: dict[str, Any] = {"id": sample.id, "truth": truth, "meta": dict(sample.meta)}
    if frames is not None:
        pictures, fps = frames(sample)
        members = {f"{index:04d}.jpg": _jpeg(picture) for index, picture in enumerate(pictures)}
        return {**members, "json": _json({**about, "fps": fps})}
    if clip.start_s is not None or clip.end_s is not None:
        raise DataError(f"{sample.id}: a window of a longer film cannot be stored as its bytes; give frames=")
    return {"mp4": _film(clip), "json": _json(about)}


def _json(about: Mapping[str, Any]) -> bytes:
    return json.dumps(about, ensure_ascii=False).encode()


def _film(clip: Clip) -> bytes:
    if isinstance(clip.source, bytes):
        return clip.source
    if not isinstance(clip.source, str | Path):
        raise DataError(f"{clip.name}: an array has no film bytes; give frames= to store it as JPEG")
    try:
        return Path(clip.source).read_bytes()
    except FileNotFoundError:
        raise MediaError(clip.name, "missing", "no such file") from None
    except OSError:
        raise MediaError(clip.name, "unreadable", "the file cannot be read") from None


def _jpeg(picture: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    square = Pillow.fromarray(picture).resize((JPEG_SIDE_PX, JPEG_SIDE_PX), Pillow.Resampling.BICUBIC)
    square.save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()


def _sample(shard: Path, item: Mapping[str, Any]) -> Sample:
    where = f"{shard.name}: {item.get('__key__')}"
    try:
        about = json.loads(item["json"])
        name, truth, meta = about["id"], about["truth"], about["meta"]
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{where}: no readable json member with id, truth and meta") from None
    pictures = sorted(key for key in item if key.endswith(".jpg"))
    if "mp4" in item:
        clip = Clip(item["mp4"])
    elif pictures:
        clip = Clip(np.stack([_picture(item[key], where) for key in pictures]), fps=float(about.get("fps", FPS)))
    else:
        raise DataError(f"{where}: neither an mp4 nor jpg members")
    return Sample(name, {"video": clip}, truth=None if truth is None else parse_span(truth, where), meta=meta)


def _picture(data: bytes, where: str) -> NDArray[np.uint8]:
    try:
        return np.asarray(Pillow.open(io.BytesIO(data), formats=["JPEG"]).convert("RGB"))
    except (OSError, SyntaxError):
        raise DataError(f"{where}: a jpg member is no JPEG") from None


def _webdataset() -> Any:
    try:
        import webdataset
    except ImportError:
        raise MissingExtraError("webdataset", "data") from None
    return webdataset
