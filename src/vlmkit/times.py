"""Times of day of a clip or a session, as text and as seconds. A stretch of time is half-open: [start, end)."""

from __future__ import annotations

import math
import re

from vlmkit.errors import DataError

_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:[.,]\d+)?)")


def parse_time(text: str | int | float, where: str = "time") -> float:
    """Seconds. Raises `DataError`, which begins with `where`, for what is no time."""
    if isinstance(text, str) and (found := _CLOCK.fullmatch(text.strip())):
        hours, minutes, seconds = found.groups(default="0")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))
    raise DataError(f"{where}: wanted a time such as 0:1:32; given {text!r}")


def hms(seconds: float) -> str:
    """`H:M:S`, unpadded, to the nearest whole second (halves up). Raises `DataError` below 0 and for no number."""
    if not math.isfinite(seconds) or seconds < 0:
        raise DataError(f"wanted seconds of 0 or more; given {seconds!r}")
    whole = math.floor(seconds + 0.5)
    return f"{whole // 3600}:{whole // 60 % 60}:{whole % 60}"
