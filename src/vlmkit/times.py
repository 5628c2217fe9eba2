"""Times in a film as text and as seconds, and stretches of time: the one place where either is read or written.

A time counts seconds since the film starts; it is no time of day, and no minute of a match. A stretch is half-open,
[start, end): what ends when another begins does not touch it. Frames are the exception, since data sets name the last
frame that belongs to a thing: `frames` and `from_frames` include it, and say so.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from numbers import Real
from typing import Any, Protocol

from vlmkit.errors import DataError

# Nine digits are 30 years of seconds; more are no time in a film, and would overflow a float far up.
_FIGURE = r"[0-9]{1,9}(?:[.,][0-9]+)?"
_CLOCK = re.compile(rf"(?:([0-9]{{1,6}}):)?([0-9]{{1,6}}):({_FIGURE})")
_PLAIN = re.compile(_FIGURE)
_UNITS_S = {"h": 3600.0, "min": 60.0, "s": 1.0, "ms": 0.001}
_UNITS = re.compile(
    rf"(?:(?P<h>{_FIGURE})\s*(?:h|hours?|hrs?)\s*)?"
    rf"(?:(?P<min>{_FIGURE})\s*(?:m|min|mins|minutes?)\s*)?"
    rf"(?:(?P<s>{_FIGURE})\s*(?:s|secs?|seconds?)\s*)?"
    rf"(?:(?P<ms>{_FIGURE})\s*(?:ms|msecs?|milliseconds?))?",
    re.IGNORECASE,
)
_THOUSANDS = re.compile(r"[0-9]{1,3},[0-9]{3}(?![0-9])(?!.*:)")  # 1,500 is read as one and a half by some
_WORD = re.compile(r"(?<!\w)[^\W\d_]+(?:[ -][^\W\d_]+)*")
_SAME_FRAME = 1e-6  # frames; what float seconds of a long film lose is far less

WANTED = "wanted a time such as 0:1:32, 01:32, 01:32.5, 92, 92.5 or '92.5 s'"


def parse_time(given: object, where: str = "time") -> float:
    """Seconds, 0 or more, out of text or a number.

    Read are `H:M:S` and `M:S`, padded or not, with a fraction of the seconds after a point or a comma; plain seconds;
    and figures with units (`10.5 s`, `1 min 32 s`, `1500 ms`). The first field may be as large as it likes (`90:12`);
    minutes after hours, and seconds after minutes, are below 60.

    Raises `DataError`, which begins with `where`, for anything else: words (a period or minute of the match is no
    time in the film), negatives, no numbers, more or fewer fields.
    """
    if isinstance(given, str):
        return _read(given, where)
    if isinstance(given, bool) or not isinstance(given, Real):
        raise _refused(where, given, "there is none" if given is None else f"{type(given).__name__} is no time")
    try:
        seconds = float(given)
    except OverflowError:
        seconds = math.inf
    return _checked(seconds, given, where)


def _read(given: str, where: str) -> float:
    text = " ".join(given.split())
    if found := _CLOCK.fullmatch(text):
        hours, minutes, seconds = found.groups()
        return _clock(hours, int(minutes), _figure(seconds), given, where)
    if _THOUSANDS.match(text):
        raise _refused(where, given, "a comma before three digits may be either; write a point")
    if _PLAIN.fullmatch(text):
        return _figure(text)
    units = _UNITS.fullmatch(text)
    if units and any(units.groups()):
        return sum(_figure(figure) * _UNITS_S[unit] for unit, figure in units.groupdict().items() if figure)
    raise _refused(where, given, _wrong(text))


def _clock(hours: str | None, minutes: int, seconds: float, given: str, where: str) -> float:
    if seconds >= 60:
        raise _refused(where, given, "seconds after minutes are below 60")
    if hours is not None and minutes >= 60:
        raise _refused(where, given, "minutes after hours are below 60")
    return int(hours or 0) * 3600 + minutes * 60 + seconds


def _wrong(text: str) -> str:
    if not text:
        return "there is none"
    if word := _WORD.search(text):
        return f"{word.group()!r} is a word, no time in the film"
    if text.startswith(("-", "\N{MINUS SIGN}")):
        return "it is before the film starts"
    if text.count(":") > 2:
        return "there are more than hours, minutes and seconds"
    return "it has another form"


def _checked(seconds: float, given: Any, where: str) -> float:
    if not math.isfinite(seconds):
        raise _refused(where, given, "it is no finite number")
    if seconds < 0:
        raise _refused(where, given, "it is before the film starts")
    return seconds + 0.0  # -0.0 is 0


def _figure(text: str) -> float:
    return float(text.replace(",", "."))


def _refused(where: str, given: Any, why: str) -> DataError:
    return DataError(f"{where}: {WANTED}; given {given!r}: {why}")


def hms(seconds: float) -> str:
    """`H:M:S`, unpadded, to the nearest whole second (halves up). Raises `DataError` below 0 and for no number."""
    whole, _ = _ticks(seconds, 0)
    return f"{whole // 3600}:{whole // 60 % 60}:{whole % 60}"


def mmss(seconds: float, places: int = 0) -> str:
    """`MM:SS`, or with `places` decimals `MM:SS.s`, to the nearest (halves up); from 100 minutes on more digits.

    Raises `DataError` below 0 and for no number.
    """
    whole, rest = _ticks(seconds, places)
    return f"{whole // 60:02d}:{whole % 60:02d}" + (f".{rest:0{places}d}" if places else "")


def _ticks(seconds: float, places: int) -> tuple[int, int]:
    """Whole seconds, and the rest in units of the last place: rounded first, so that 59.96 carries over."""
    if not math.isfinite(seconds) or seconds < 0:
        raise DataError(f"wanted seconds of 0 or more; given {seconds!r}")
    scale: int = 10**places
    return divmod(math.floor(seconds * scale + 0.5), scale)


class Timed(Protocol):
    """Anything that lasts from `start_s` up to, not including, `end_s`."""

    @property
    def start_s(self) -> float:
        """Seconds."""
        ...

    @property
    def end_s(self) -> float:
        """Seconds."""
        ...


def overlap_s(one: Timed, other: Timed) -> float:
    """Seconds that are in both."""
    return max(0.0, min(one.end_s, other.end_s) - max(one.start_s, other.start_s))


def union_s(one: Timed, other: Timed) -> float:
    """Seconds that are in either: of the two sets, so that what lies between them does not count."""
    return (one.end_s - one.start_s) + (other.end_s - other.start_s) - overlap_s(one, other)


def tiou(one: Timed, other: Timed) -> float:
    """Overlap over union, 0 to 1, the same both ways; 0 where they do not touch."""
    shared = overlap_s(one, other)
    return shared / union_s(one, other) if shared else 0.0


@dataclass(frozen=True, order=True)
class Stretch:
    """The time from `start_s` up to, not including, `end_s`. One of no length is empty, and touches nothing.

    Raises `DataError` for ends that are no finite numbers, or the wrong way round.
    """

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start_s) and math.isfinite(self.end_s) and self.start_s <= self.end_s):
            raise DataError(f"wanted a stretch that starts before it ends; given {self.start_s!r} to {self.end_s!r}")

    @classmethod
    def from_frames(cls, first: int, last: int, fps: float) -> Stretch:
        """What frames `first` to `last` show, `last` included: it is on screen until the frame after it is due.

        Raises `DataError` for a rate that is none, or frames the wrong way round.
        """
        _check_rate(fps)
        if last < first:
            raise DataError(f"wanted a first frame that is not after the last; given {first} to {last}")
        return cls(first / fps, (last + 1) / fps)

    def frames(self, fps: float) -> tuple[int, int]:
        """First and last frame, both included, that begin in it, where frame k of a film begins at k / fps.

        Raises `DataError` for a rate that is none, or where no frame begins in it.
        """
        _check_rate(fps)
        first = math.ceil(self.start_s * fps - _SAME_FRAME)
        last = math.ceil(self.end_s * fps - _SAME_FRAME) - 1
        if last < first:
            raise DataError(f"no frame of {fps:g} a second begins from {self.start_s:g} up to {self.end_s:g} s")
        return first, last

    @property
    def length_s(self) -> float:
        """Seconds."""
        return self.end_s - self.start_s

    def overlap_s(self, other: Timed) -> float:
        """Seconds that are in both."""
        return overlap_s(self, other)

    def union_s(self, other: Timed) -> float:
        """Seconds that are in either."""
        return union_s(self, other)

    def tiou(self, other: Timed) -> float:
        """Overlap over union."""
        return tiou(self, other)

    def clamped(self, bounds: Stretch) -> Stretch | None:
        """The part of it that lies in `bounds`; None where nothing does."""
        start_s, end_s = max(self.start_s, bounds.start_s), min(self.end_s, bounds.end_s)
        return Stretch(start_s, end_s) if start_s < end_s else None

    def to_session(self, clip_start_s: float) -> Stretch:
        """From a clip's clock to that of the session it was cut from, where the clip starts at `clip_start_s`."""
        return Stretch(self.start_s + clip_start_s, self.end_s + clip_start_s)

    def to_clip(self, clip_start_s: float) -> Stretch:
        """From a session's clock to that of a clip; what began before the clip starts below 0 (see `clamped`)."""
        return Stretch(self.start_s - clip_start_s, self.end_s - clip_start_s)


def _check_rate(fps: float) -> None:
    if not math.isfinite(fps) or fps <= 0:
        raise DataError(f"wanted a rate above 0 frames a second; given {fps!r}")
