"""WebDataset shards of memes, written with `webdataset`: `shards/{split}/shard-000000.tar`, split and figures beside.

A sample is `KEY.json` (`id`, `dataset`, `split`, `labels`, `meta`), `KEY.png` where it has a picture and `KEY.txt`, its
plain words, where it has any. Boxes of words (`meta["ocr"]`) are moved into the picture as it is stored. Keys are made
of safe characters only, because WebDataset cuts names at their first dot; the true id stands in the JSON. `splits.json`
gives every id its split, and counts when the shards are read again.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from PIL import Image as Pillow

from vlmkit.errors import DataError, MediaError, MissingExtraError
from vlmkit.media import WHOLE, open_image
from vlmkit.types import Image, Sample
from vlmkit_plugins.memes.gates import Gates, named, positives
from vlmkit_plugins.memes.splits import write_plan

Fit = Literal["squash", "pad", "keep"]

FOLDER, PATTERN, STATS_FILE = "shards", "shard-%06d.tar", "stats.json"
SHARD_SAMPLES = 5000
SIDE_PX = 384
"""Of the square that pictures are scaled to: what SigLIP base 384 looks at."""
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_GIVEN = ("dataset", "split", "labels")  # of meta: these stand at the top of the JSON


def write_shards(
    samples: Iterable[Sample],
    folder: Path,
    *,
    splits: Mapping[str, str] | None = None,
    side_px: int = SIDE_PX,
    fit: Fit = "squash",
    shard_samples: int = SHARD_SAMPLES,
    gates: Gates | None = None,
) -> dict[str, Any]:
    """Build a folder of shards whole or not at all, and return its `stats.json`.

    Args:
        samples: in the order in which each split is read again.
        folder: new, or empty.
        splits: by id (splits.plan); `meta["split"]` where not given.
        side_px: of the square; pictures that a head will look at in another size are better kept.
        fit: `squash` scales both sides (bicubic), as SigLIP's own processor does, so that nothing is lost to it;
            `pad` keeps the shape, on black; `keep` stores every pixel.
        shard_samples: of one tar file at most.
        gates: the limits of the build; `Gates()` where not given.

    Raises:
        DataError: with every gate that is shut; for a folder that holds anything, ids that come more than once or have
            no split, no sample, and figures outside their range.
        MissingExtraError: `webdataset` or `imagehash` is not installed.
    """
    if side_px < 1 or shard_samples < 1 or fit not in get_args(Fit):
        raise DataError(
            f"wanted side_px and shard_samples from 1 on, fit one of {', '.join(get_args(Fit))}; "
            f"given {side_px}, {shard_samples}, {fit!r}"
        )
    started = time.monotonic()
    folder, listed = Path(folder), list(samples)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder}: already holds files; name a new folder or delete this one")
    placed = _placed(listed, splits)
    draft = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        packed, failures = _write(placed, draft, side_px, fit, shard_samples)
        if faults := (gates or Gates()).faults(packed, failures):
            raise DataError(f"{folder}: not built: " + "\n  ".join(faults))
        stats = _stats(placed, packed, failures, time.monotonic() - started)
        stats |= {"side_px": None if fit == "keep" else side_px, "fit": fit}
        (draft / STATS_FILE).write_text(json.dumps(stats, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        write_plan({sample.id: split for split, found in packed.items() for sample in found}, draft)
        if folder.exists():
            folder.rmdir()
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return stats


def safe_key(sample_id: str) -> str:
    """A key without dots, slashes or blanks; an id that had to be changed gets a digest, so that two stay two."""
    key = _UNSAFE.sub("_", sample_id)
    return key if key == sample_id else f"{key}-{sha256(sample_id.encode()).hexdigest()[:8]}"


def _placed(samples: Sequence[Sample], splits: Mapping[str, str] | None) -> dict[str, list[Sample]]:
    """Samples by split, in the order in which splits first come."""
    if not samples:
        raise DataError("no sample was given, so there is nothing to write")
    if twice := [key for key, n in Counter(sample.id for sample in samples).items() if n > 1]:
        raise DataError(f"{len(twice)} ids come more than once: {named([*map(repr, twice)])}")
    found: dict[str, list[Sample]] = defaultdict(list)
    lacking = []
    for sample in samples:
        split = sample.meta.get("split") if splits is None else splits.get(sample.id)
        if isinstance(split, str) and split and not _UNSAFE.search(split):
            found[split].append(sample)
        else:
            lacking.append(repr(sample.id))
    if lacking:
        raise DataError(f"{len(lacking)} samples have no split: {named(lacking)}; make one with splits.plan")
    return dict(found)


def _write(
    placed: Mapping[str, Sequence[Sample]], draft: Path, side_px: int, fit: Fit, shard_samples: int
) -> tuple[dict[str, list[Sample]], dict[str, str]]:
    """What was packed, by split, and why the others were not, by id."""
    writer = webdataset().ShardWriter
    options = {"encoder": False, "mtime": 0, "verbose": 0, "maxcount": shard_samples, "maxsize": 1e12}
    packed: dict[str, list[Sample]] = {split: [] for split in placed}
    failures: dict[str, str] = {}
    keys: dict[str, str] = {}
    with ExitStack() as stack:
        for split, samples in placed.items():
            (draft / FOLDER / split).mkdir(parents=True)
            pattern = str((draft / FOLDER / split).resolve()).replace("%", "%%")
            shards = stack.enter_context(writer(f"{pattern}/{PATTERN}", **options))
            for sample in samples:
                if keys.setdefault(safe_key(sample.id), sample.id) != sample.id:
                    raise DataError(f"ids {keys[safe_key(sample.id)]!r} and {sample.id!r} have one key; rename one")
                try:
                    shards.write({"__key__": safe_key(sample.id), **_members(sample, split, side_px, fit)})
                    packed[split].append(sample)
                except MediaError as error:
                    failures[sample.id] = f"{error.reason}: {error.detail}"
                except UnicodeEncodeError:
                    failures[sample.id] = "text: holds halves of characters"
    return packed, failures


class _Placed(NamedTuple):
    """How a picture stands in the one that is stored: scaled across and down, then moved."""

    across: float
    down: float
    left_px: int = 0
    top_px: int = 0

    def box(self, box: Sequence[float]) -> list[float]:
        """`[left, top, right, bottom]` of the picture in pixels of the stored one."""
        left, top, right, bottom = box
        across, down = self.across, self.down
        return [
            self.left_px + across * left,
            self.top_px + down * top,
            self.left_px + across * right,
            self.top_px + down * bottom,
        ]


def _members(sample: Sample, split: str, side_px: int, fit: Fit) -> dict[str, bytes]:
    meta = {name: value for name, value in sample.meta.items() if name not in _GIVEN}
    about = {
        "id": sample.id,
        "dataset": sample.meta.get("dataset"),
        "split": split,
        "labels": sample.meta.get("labels"),
        "meta": meta,
    }
    members: dict[str, bytes] = {}
    picture = sample.media.get("image")
    if isinstance(picture, Image):
        members["png"], placed = _png(picture, side_px, fit)
        if isinstance(meta.get("ocr"), list):
            meta["ocr"] = [_moved(line, placed) for line in meta["ocr"]]
    if sample.text is not None:
        members["txt"] = sample.text.encode()
    return {**members, "json": json.dumps(about, ensure_ascii=False).encode()}


def _moved(line: Any, placed: _Placed) -> Any:
    """A line of words with its box moved; anything else as it is."""
    box = line.get("bbox") if isinstance(line, Mapping) else None
    return {**line, "bbox": placed.box(box)} if isinstance(box, list | tuple) and len(box) == 4 else line


def _png(picture: Image, side_px: int, fit: Fit) -> tuple[bytes, _Placed]:
    shown = Pillow.fromarray(open_image(picture, WHOLE).image)
    placed = _Placed(1.0, 1.0)
    if fit == "squash":
        placed = _Placed(side_px / shown.width, side_px / shown.height)
        shown = shown.resize((side_px, side_px), Pillow.Resampling.BICUBIC)
    elif fit == "pad":
        scale = side_px / max(shown.size)
        wide, tall = max(1, round(shown.width * scale)), max(1, round(shown.height * scale))
        placed = _Placed(wide / shown.width, tall / shown.height, (side_px - wide) // 2, (side_px - tall) // 2)
        square = Pillow.fromarray(np.zeros((side_px, side_px, 3), np.uint8))
        square.paste(shown.resize((wide, tall), Pillow.Resampling.BICUBIC), (placed.left_px, placed.top_px))
        shown = square
    out = io.BytesIO()
    shown.save(out, "PNG")
    return out.getvalue(), placed


def _stats(
    placed: Mapping[str, Sequence[Sample]],
    packed: Mapping[str, Sequence[Sample]],
    failures: Mapping[str, str],
    elapsed_s: float,
) -> dict[str, Any]:
    total = sum(map(len, placed.values()))
    datasets = Counter(str(sample.meta.get("dataset")) for found in packed.values() for sample in found)
    return {
        "total_manifest_records": total,
        "packed_examples": total - len(failures),
        "failed_examples": len(failures),
        "failure_rate": len(failures) / total,
        "split_counts": {split: len(found) for split, found in placed.items()},
        "split_packed": {split: len(found) for split, found in packed.items()},
        "dataset_packed": dict(datasets.most_common()),
        "elapsed_seconds": round(elapsed_s, 3),
        "hateful": {split: positives(found) for split, found in packed.items()},
        "failures": dict(failures),
    }


def webdataset() -> Any:
    """The library. Raises `MissingExtraError` where it is not installed."""
    try:
        import webdataset as library
    except ImportError:
        raise MissingExtraError("webdataset", "data") from None
    return library
