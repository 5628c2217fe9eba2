"""Words found in a picture, line by line, with their places; and files of them (`ocr.jsonl`)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeGuard

from vlmkit.errors import DataError
from vlmkit.manifest import read_rows

FILE = "ocr.jsonl"
MIN_CONFIDENCE = 0.3
"""Lines below it are dropped, and counted."""
LONG_SIDE_PX = 1024
"""Pictures with a longer side were made smaller to it before they were read, and boxes are places in what was read."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Line:
    """One line of words. `bbox` is (left, top, right, bottom) in the picture's own pixels, None where unknown."""

    text: str
    conf: float
    bbox: Box | None


@dataclass(frozen=True)
class Words:
    """What was read in one picture, in reading order, and how many lines were dropped as too unsure."""

    lines: tuple[Line, ...]
    dropped: int = 0

    @property
    def text(self) -> str:
        """The lines as one text, a blank between them."""
        return " ".join(line.text for line in self.lines)

    @property
    def mean_conf(self) -> float | None:
        """Mean confidence of the lines; None without any."""
        return sum(line.conf for line in self.lines) / len(self.lines) if self.lines else None

    def meta(self, source: str) -> dict[str, Any]:
        """What a sample keeps of it: `ocr`, the lines, and `ocr_about`: from where, how sure, how many dropped."""
        about = {"source": source, "mean_conf": self.mean_conf, "lines": len(self.lines), "dropped": self.dropped}
        return {"ocr": [asdict(line) for line in self.lines], "ocr_about": about}


def kept(lines: Sequence[Line]) -> Words:
    """The lines that are sure enough and say something."""
    sure = tuple(line for line in lines if line.conf >= MIN_CONFIDENCE and line.text.strip())
    return Words(sure, len(lines) - len(sure))


def read_lines(folder: Path) -> dict[str, tuple[Words, str]]:
    """The rows of a folder's `ocr.jsonl` by id, each with its place; empty where there is no such file.

    A row is `{"id", "ocr": {"lines": [{"text", "conf", "bbox"}]}}`, boxes in the picture that was read. Raises
    `DataError` naming the line for a bad row, and for an id that comes twice.
    """
    found: dict[str, tuple[Words, str]] = {}
    rows = read_rows(folder / FILE) if (folder / FILE).is_file() else []
    for where, row in rows:
        key, ocr = row.get("id"), row.get("ocr")
        if not isinstance(key, str) or not key:
            raise DataError(f"{where}: id: wanted a non-empty string; given {key!r}")
        if key in found:
            raise DataError(f"{where}: id {key!r} already stands in line {found[key][1].rpartition(':')[2]}")
        lines = ocr.get("lines") if isinstance(ocr, Mapping) else None
        if not isinstance(lines, list):
            raise DataError(f"{where}: ocr.lines: wanted a list; given {type(lines).__name__}")
        found[key] = kept([_line(line, f"{where}: ocr.lines[{k}]") for k, line in enumerate(lines)]), where
    return found


def scaled_back(words: Words, picture: Path | None) -> Words:
    """The lines with their boxes in the pixels of the original; without boxes where that cannot be asked."""
    size_px = None if picture is None else _size_px(picture)
    if size_px is None:
        return Words(tuple(Line(line.text, line.conf, None) for line in words.lines), words.dropped)
    factor = max(1.0, max(size_px) / LONG_SIDE_PX)
    return Words(tuple(Line(line.text, line.conf, _times(line.bbox, factor)) for line in words.lines), words.dropped)


def _times(box: Box | None, factor: float) -> Box | None:
    return None if box is None else (box[0] * factor, box[1] * factor, box[2] * factor, box[3] * factor)


def _size_px(picture: Path) -> tuple[int, int] | None:
    """Width and height from the file's header. A picture that cannot be opened is told of by whoever decodes it."""
    from PIL import Image as pillow

    try:
        with pillow.open(picture) as opened:
            return opened.size
    except Exception:  # Pillow's readers raise nearly anything for a broken header
        return None


def _line(line: Any, where: str) -> Line:
    if not isinstance(line, Mapping) or not isinstance(line.get("text"), str):
        raise DataError(f"{where}: wanted an object with text, conf and bbox; given {str(line)[:80]!r}")
    conf, box = line.get("conf"), line.get("bbox")
    if not _is_number(conf) or not 0.0 <= conf <= 1.0:
        raise DataError(f"{where}: conf: wanted a number from 0 to 1; given {conf!r}")
    if box is None:
        return Line(line["text"], float(conf), None)
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        raise DataError(f"{where}: bbox: wanted four numbers; given {str(box)[:80]!r}")
    left, top, right, bottom = map(float, box)
    if left > right or top > bottom:
        raise DataError(f"{where}: bbox: wanted left, top, right, bottom; given {box!r}")
    return Line(line["text"], float(conf), (left, top, right, bottom))


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
