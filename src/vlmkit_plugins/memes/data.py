"""A data folder to samples.

What may be given, the first that fits:

- a folder with `manifest.jsonl`: lines `{"id", "image"?, "text"?, "truth"?, "meta"?}`, `truth` being labels of the
  taxonomy; or records `{"id", "dataset", "split", "image_path", "text_raw", "labels_raw", "meta"?}`, whose labels a map
  translates (labels/*.json). Words that were read in the pictures may stand beside it in `ocr.jsonl`, and a split by
  id in `splits.json`, which then counts.
- a folder of shards (shards.py), or a CSV file of HateCheck (hatecheck.py).
- plain pictures: a sample each, without truth.
- one split of any of these: `FOLDER/train`, where `FOLDER` is as above and holds no such folder.

`Sample.text` is the plain words of the meme. A sample of which nobody says whether it is hate has no truth; coverage
(taxonomy.py) counts them. Nothing is skipped: a bad line and an unknown label stop the reading, and say where.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from vlmkit.errors import DataError, MediaError
from vlmkit.manifest import read_rows
from vlmkit.types import Image, Sample
from vlmkit_plugins.memes.hatecheck import is_hatecheck, read_hatecheck
from vlmkit_plugins.memes.lines import read_lines
from vlmkit_plugins.memes.rows import samples_of, with_meta
from vlmkit_plugins.memes.splits import FILE as SPLITS_FILE
from vlmkit_plugins.memes.splits import split_name
from vlmkit_plugins.memes.unpacking import has_shards, read_shards, read_splits

MANIFEST = "manifest.jsonl"
PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif"})
"""File names by which plain pictures are known; what a file really holds is asked when it is opened."""
_DRAW = "draw one with: vlmkit synth memes -o FOLDER"


def read(folder: Path) -> Iterator[Sample]:
    """The samples, in their order. `meta` holds `dataset`, `split`, `group`, `lang` and `labels` where they are known.

    A manifest is checked as a whole before the first sample comes. Raises `MediaError` for a folder that is missing or
    empty; `DataError` naming file and line for a bad row, with the ids that come more than once, with counts of labels
    that the maps do not know, and for a split that nothing belongs to. Pictures are not decoded: the sample of one that
    is missing comes like any other, and whoever opens it is told.
    """
    folder = Path(folder)
    if folder.exists():
        return iter(_found(folder))
    if split_name(folder.name) is None or not folder.parent.is_dir():
        raise MediaError(str(folder), "missing", f"no such folder; {_DRAW}")
    return iter(_of_split(folder.parent, folder.name))


def _found(folder: Path) -> Iterator[Sample] | list[Sample]:
    if folder.is_file():
        if folder.suffix.lower() != ".csv":
            raise MediaError(str(folder), "unreadable", "a data folder was wanted, or a CSV file of HateCheck")
        return read_hatecheck(folder)
    if (folder / MANIFEST).is_file():
        return _listed(folder)
    if has_shards(folder):
        return read_shards(folder)
    if tables := [path for path in sorted(folder.glob("*.csv")) if is_hatecheck(path)]:
        return _tables(tables)
    return _plain(folder)


def _listed(folder: Path) -> list[Sample]:
    manifest = folder / MANIFEST
    rows = read_rows(manifest)
    if not rows:
        raise DataError(f"{manifest}: holds no line; {_DRAW}")
    found = samples_of(folder, rows, read_lines(folder), str(manifest))
    if not (folder / SPLITS_FILE).is_file():
        return found
    return list(_with_splits(found, read_splits(folder / SPLITS_FILE), str(folder / SPLITS_FILE)))


def _with_splits(samples: list[Sample], splits: Mapping[str, str], name: str) -> Iterator[Sample]:
    """The samples with the split that a plan gives each. Raises `DataError` for ids that it lacks, or has alone."""
    ids = {sample.id for sample in samples}
    for lacking, what in ((ids - set(splits), "without a split"), (set(splits) - ids, "that no row is about")):
        if lacking:
            named = ", ".join(map(repr, sorted(lacking)[:5]))
            raise DataError(f"{name}: {len(lacking)} ids {what}: {named}; plan the splits again")
    return (replace(sample, meta={**sample.meta, "split": splits[sample.id]}) for sample in samples)


def _of_split(folder: Path, name: str) -> list[Sample]:
    samples, split = list(_found(folder)), split_name(name)
    kept = [sample for sample in samples if sample.meta.get("split") == split]
    if not kept:
        counts = Counter(str(sample.meta.get("split")) for sample in samples)
        raise DataError(
            f"{folder / name}: no such folder, and none of {len(samples)} samples of {folder} is of split {split!r}; "
            f"there are {json.dumps(dict(sorted(counts.items())))}"
        )
    return kept


def _tables(tables: list[Path]) -> list[Sample]:
    found = [sample for table in tables for sample in read_hatecheck(table)]
    if twice := [key for key, n in Counter(sample.id for sample in found).items() if n > 1]:
        raise DataError(f"{tables[0].parent}: {len(twice)} ids come in several files, such as {twice[0]!r}; give one")
    return found


def _plain(folder: Path) -> list[Sample]:
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in PICTURES)
    if not files:
        raise MediaError(str(folder), "empty", f"neither {MANIFEST}, shards, a HateCheck CSV nor a picture in it")
    stems = Counter(path.stem for path in files)
    return [
        Sample(
            path.stem if stems[path.stem] == 1 else path.name,
            {"image": Image(path)},
            meta=with_meta(str(path), path, None, {}),
        )
        for path in files
    ]
