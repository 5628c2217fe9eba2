"""Which samples a head has learned from: eight bytes of a digest by id, and eight by content. Free of torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vlmkit.errors import CheckpointError
from vlmkit.media.content import Contents
from vlmkit.types import Media, Sample

Digests = NDArray[np.uint64]

FILE = "seen.dat"  # beside the weights; a line of JSON, then ids and contents, each sorted and big-endian
_ORDER = ">u8"


@dataclass(frozen=True)
class Met:
    """Ids of samples that were learned from: by their own name, and by what is in them under any name."""

    ids: tuple[str, ...]
    contents: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.ids or self.contents)


@dataclass(frozen=True, eq=False)
class Seen:
    """A record of samples that gives none of them away.

    A million samples meet one of a million others by accident in one case of 20 million.

    Attributes:
        ids, contents: the first eight bytes of SHA-256 digests, sorted, each once. A content is all media of a sample
            by their bytes and windows, and its text; a sample that cannot be read has none.
        complete: whether every run that made the weights is in it.
    """

    ids: Digests
    contents: Digests
    complete: bool = True

    @classmethod
    def unknown(cls) -> Seen:
        """The record of a training that has none."""
        return cls(_sorted([]), _sorted([]), complete=False)

    @classmethod
    def of(cls, samples: Iterable[Sample], known: Contents | None = None) -> Seen:
        """The record of these samples; reads their files, but those that `known` has read already."""
        known = known or Contents()
        ids, contents = [], []
        for sample in samples:
            ids.append(_short(sample.id))
            contents.append(content_of(sample, known))
        return cls(_sorted(ids), _sorted([one for one in contents if one is not None]))

    def meets(self, samples: Sequence[Sample]) -> Met:
        """Which of these samples are in it; reads their files."""
        known = Contents()
        ids, contents = set(self.ids.tolist()), set(self.contents.tolist())
        return Met(
            tuple(sample.id for sample in samples if _short(sample.id) in ids),
            tuple(sample.id for sample in samples if content_of(sample, known) in contents),
        )

    def __or__(self, other: Seen) -> Seen:
        """Both, complete if both are."""
        ids, contents = np.union1d(self.ids, other.ids), np.union1d(self.contents, other.contents)
        return Seen(ids, contents, self.complete and other.complete)

    def without(self, samples: Sequence[Sample]) -> list[Sample]:
        """The samples that are met neither by id nor by content."""
        met = self.meets(samples)
        known = {*met.ids, *met.contents}
        return [sample for sample in samples if sample.id not in known]

    def write(self, path: Path) -> Path:
        """Write the record; gives the path."""
        head = {"format": 1, "ids": len(self.ids), "contents": len(self.contents), "complete": self.complete}
        body = b"".join(one.astype(_ORDER).tobytes() for one in (self.ids, self.contents))
        path.write_bytes(json.dumps(head).encode() + b"\n" + body)
        return path

    @classmethod
    def read(cls, path: Path) -> Seen:
        """What `write` wrote. Raises `CheckpointError` for anything else."""
        try:
            line, _, body = path.read_bytes().partition(b"\n")
            head = json.loads(line)
            every = np.frombuffer(body, _ORDER).astype(np.uint64)
            if head["format"] != 1 or head["ids"] + head["contents"] != len(every):
                raise ValueError
            return cls(every[: head["ids"]], every[head["ids"] :], head["complete"] is True)
        except (OSError, ValueError, KeyError, TypeError):
            raise CheckpointError(f"{path}: no record of training samples, or a damaged one; copy it again") from None


def truth_sha256(samples: Iterable[Sample]) -> str:
    """One digest over ids and truths: which data a head has learned from, or was calibrated on."""
    rows = sorted((sample.id, repr(sample.truth)) for sample in samples)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def content_of(sample: Sample, known: Contents) -> int | None:
    """Eight bytes of a digest of media and text; None where there is neither, or a file cannot be read."""
    try:
        media = [[modality, *_medium(sample.media[modality], known)] for modality in sorted(sample.media)]
    except (OSError, ValueError, TypeError):
        return None
    if not media and not sample.has_words:
        return None
    return _short(json.dumps([media, sample.text or ""]))


def _medium(medium: Media, known: Contents) -> tuple[str, float | None, float | None]:
    start_s, end_s = getattr(medium, "start_s", None), getattr(medium, "end_s", None)
    sure = known.sha256(medium.source)
    return sure, None if start_s is None else float(start_s), None if end_s is None else float(end_s)


def _short(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def _sorted(digests: Sequence[int]) -> Digests:
    return np.unique(np.array(digests, np.uint64))
