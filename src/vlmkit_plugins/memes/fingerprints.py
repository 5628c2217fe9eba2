"""Pictures that are the same to people: equal bytes, or perceptual hashes that differ in a few bits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from vlmkit.errors import MediaError, MissingExtraError
from vlmkit.media import WHOLE, open_image
from vlmkit.media.content import content_sha256
from vlmkit.types import Image, Sample

BITS = 64
NEAR_BITS = 4
"""Hashes that differ in no more are of one picture.

Measured on 300 pictures, half of them synthetic memes: JPEG of quality 75 moves 0 to 2 of the 64 bits, of quality 20 at
most 4, another size at most 2; two unrelated pictures differ in 31 on average, and in 6 at the least. Were bits drawn
by coin, at most 4 would differ in one pair of 3e13.
"""
_BANDS = NEAR_BITS + 1  # of two hashes that differ in 4 bits, one of 5 bands is equal (pigeonhole)


@dataclass(frozen=True)
class Fingerprint:
    """A picture's SHA-256, and its perceptual hash of `BITS` bits (DCT of 32 x 32 greys: `imagehash.phash`)."""

    sha256: str
    phash: int


def fingerprint(sample: Sample) -> Fingerprint | None:
    """The fingerprint of a sample's picture; None where it has none.

    Raises `MediaError` for a picture that cannot be read, `MissingExtraError` where `imagehash` is not installed.
    """
    picture = sample.media.get("image")
    if not isinstance(picture, Image):
        return None
    from PIL import Image as pillow

    phash = _phash()
    shown = pillow.fromarray(open_image(picture, WHOLE).image)
    try:
        digest = content_sha256(picture.source)
    except OSError:
        raise MediaError(picture.name, "unreadable", "the file cannot be read") from None
    bits = np.packbits(phash(shown, hash_size=8).hash.ravel())
    return Fingerprint(digest, int.from_bytes(bits.tobytes(), "big"))


def near(hashes: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Pairs of places `(i, j, differing bits)` of hashes within `NEAR_BITS`, each once.

    Only hashes that share one of five bands are compared, which finds them all: linear in what is no near pair.
    """
    values = np.array(hashes, dtype=np.uint64)
    found: set[tuple[int, int]] = set()
    edges = [BITS * k // _BANDS for k in range(_BANDS + 1)]
    for low, high in pairwise(edges):
        band = (values >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
        buckets: dict[int, list[int]] = defaultdict(list)
        for place, key in enumerate(band.tolist()):
            buckets[key].append(place)
        for places in buckets.values():
            for k, first in enumerate(places[:-1]):
                rest = np.array(places[k + 1 :])
                apart = np.bitwise_count(values[rest] ^ values[first])
                for second, bits in zip(rest[apart <= NEAR_BITS].tolist(), apart[apart <= NEAR_BITS], strict=True):
                    if (first, second) not in found:
                        found.add((first, second))
                        yield first, second, int(bits)


def _phash() -> Callable[..., Any]:
    try:
        from imagehash import phash
    except ImportError:
        raise MissingExtraError("imagehash", "data") from None
    found: Callable[..., Any] = phash
    return found
