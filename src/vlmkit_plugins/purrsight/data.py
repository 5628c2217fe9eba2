"""A data folder to samples, and what of their truth the training stages ask for.

What a folder may be, the first that fits:

- `manifest.jsonl` with lines `{"id", "image"?, "audio"?, "video"?, "text"?, "truth"?, "meta"?}`: paths inside the
  folder, `truth` a `CatReport`. A truth that states a marker which nothing in its sample can show is refused.
- a listing of the first PurrSight (original.py): `train.jsonl` or `align*.jsonl`, here or one folder further down.
- plain pictures, sounds and films: a sample each, without truth.

Nothing is skipped: a bad line and an unknown label stop the reading, and say where.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vlmkit.errors import DataError, MediaError
from vlmkit.manifest import read_rows, write_rows
from vlmkit.types import Modality, Sample
from vlmkit_plugins.purrsight import original
from vlmkit_plugins.purrsight.rows import MEDIA, Row, check_keys, media, report, samples_of, under, words
from vlmkit_plugins.purrsight.schema import MARKERS, NOT_OBSERVED, CatReport, absent_markers

MANIFEST = "manifest.jsonl"
ENDINGS: Mapping[Modality, frozenset[str]] = {
    "image": frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif"}),
    "audio": frozenset({".wav", ".mp3", ".flac", ".aac", ".ogg", ".opus", ".m4a"}),
    "video": frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".wmv"}),
}
"""File names by which plain media are known; what a file really holds is asked when it is opened."""
_KEYS = frozenset({"id", "image", "audio", "video", "text", "truth", "meta"})
_SEEN = ("ears", "tail", "posture")
_DRAW = "draw one with: vlmkit synth purrsight -o FOLDER"


def read(folder: Path) -> Iterator[Sample]:
    """The samples of a folder or of one `.jsonl` file, in their order; of plain media, by name and without truth.

    A listing is checked as a whole before the first sample comes. Raises `MediaError` for a folder that is missing
    or empty; `DataError` naming file and line for a bad line, with counts for unknown labels, and for a folder in
    which two listings could be meant. Media are not opened: the sample of a file that is missing comes like any
    other, and whoever decodes it is told.
    """
    folder = Path(folder)
    if not folder.exists():
        raise MediaError(str(folder), "missing", f"no such folder; {_DRAW}")
    listing = _listing(folder)
    if listing is None:
        return iter(_plain(folder))
    root = folder if folder.is_dir() else folder.parent
    rows = read_rows(listing)
    if not rows:
        raise DataError(f"{listing}: holds no line; {_DRAW}")
    if listing.name == MANIFEST or "id" in rows[0][1]:
        return iter(samples_of(listing, rows, lambda row, where, unknown: _sample(root, row, where, unknown)))
    return iter(original.samples(root, listing, rows))


def write_manifest(folder: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write the manifest whole or not at all, and return its path; rows as `read` takes them."""
    return write_rows(Path(folder) / MANIFEST, rows)


def group(sample: Sample) -> str | None:
    """What makes two samples the same to an `align` stage: equal markers, else equal captions; None for neither.

    Captions are compared without case and blanks: a data set with one caption a class must not call two clips of a
    class each other's opposites.
    """
    if isinstance(sample.truth, CatReport):
        markers = [str(sample.truth.fields[name]) for name in MARKERS]
        return None if set(markers) == {NOT_OBSERVED} else "|".join(markers)
    caption = " ".join((sample.text or "").split()).casefold()
    return f"text:{caption}" if caption else None


def labels(sample: Sample) -> dict[Modality, dict[str, str]]:
    """The markers that each medium of a sample shows, for an `attributes` stage; none that was not observed.

    Pictures and films show ears, tail and posture; sounds, and the sound tracks of films, the vocalization. What a text
    tells is known where the text stands alone.
    """
    if not isinstance(sample.truth, CatReport):
        return {}
    known = {name: str(sample.truth.fields[name]) for name in MARKERS if sample.truth.fields[name] != NOT_OBSERVED}
    seen = {name: known[name] for name in _SEEN if name in known}
    heard = {name: known[name] for name in ("vocalization",) if name in known}
    told: dict[Modality, dict[str, str]] = {"image": seen, "video": seen, "audio": heard, "text": known}
    brought = set(sample.media) | ({"audio"} if "video" in sample.media else set())
    brought |= set() if sample.media else {"text"}
    return {modality: found for modality, found in told.items() if found and modality in brought}


def absent(sample: Sample) -> tuple[str, ...]:
    """The markers that nothing in a sample can show.

    A film counts as bringing a sound where the truth says what was heard, or is unknown: its file is not opened.
    """
    heard = not isinstance(sample.truth, CatReport) or sample.truth.fields["vocalization"] != NOT_OBSERVED
    sound: frozenset[Modality] = frozenset({"audio"} if "video" in sample.media and heard else ())
    return absent_markers(sample.modalities | sound)


def _listing(folder: Path) -> Path | None:
    if folder.is_file():
        if folder.suffix.lower() != ".jsonl":
            raise MediaError(str(folder), "unreadable", "a data folder was wanted, or a .jsonl file that lists samples")
        return folder
    if (folder / MANIFEST).is_file():
        return folder / MANIFEST
    found = original.listings(folder)
    if len(found) > 1:
        names = ", ".join(path.relative_to(folder).as_posix() for path in found)
        raise DataError(f"{folder}: holds {names}; give the one that is meant, or its own folder")
    return found[0] if found else None


def _plain(folder: Path) -> list[Sample]:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    kinds = {path: kind for path in files for kind, endings in ENDINGS.items() if path.suffix.lower() in endings}
    if not kinds:
        raise MediaError(str(folder), "empty", f"neither {MANIFEST} nor a picture, a sound or a film in it")
    stems = Counter(path.stem for path in kinds)
    return [
        Sample(path.stem if stems[path.stem] == 1 else path.name, {kind: MEDIA[kind](path)})
        for path, kind in kinds.items()
    ]


def _sample(root: Path, row: Row, where: str, unknown: Counter[str]) -> Sample:
    check_keys(row, _KEYS, where)
    name, files = words(row, "id", where), media(row, where, under(root))
    text = None if row.get("text") is None else words(row, "text", where)
    if not files and text is None:
        raise DataError(f"{where}: nothing to look at; wanted one of image, audio, video, text")
    meta = row.get("meta") or {}
    if not isinstance(meta, dict):
        raise DataError(f"{where}: meta: wanted an object; given {type(meta).__name__}")
    truth = None if row.get("truth") is None else report(row["truth"], f"{where}: truth", unknown)
    sample = Sample(name, files, text=text, truth=truth, meta=meta)
    if truth is not None:
        _check_shown(truth, sample, where)
    return sample


def _check_shown(truth: CatReport, sample: Sample, where: str) -> None:
    for marker in absent(sample):
        if (stated := truth.fields[marker]) != NOT_OBSERVED:
            brings = " and ".join(sorted(sample.modalities))
            raise DataError(
                f"{where}: truth: diagnostic.physical_markers.{marker}: {brings} cannot show {stated!r}; "
                f"write {NOT_OBSERVED!r}"
            )
