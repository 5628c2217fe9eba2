"""A sound to the samples that a model hears: one channel, one rate, on the clock of the film that it belongs to."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vlmkit.errors import MediaError
from vlmkit.media.excerpt import Excerpt
from vlmkit.media.level import SILENCE
from vlmkit.media.sound import Block, Report, array_blocks, file_blocks, first_picture_s
from vlmkit.media.spec import AudioSpec
from vlmkit.types import Clip, Problem, Sound

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TRACK_S = 0.1  # a film's sound ends a few codec frames before or after its pictures
_GAP_S = 0.05  # missing sound worth a note
_CLIPPED = 0.001  # share of samples at full scale that is worth a note


@dataclass(frozen=True, eq=False)
class Waveform:
    """What is heard in a window of a sound.

    Attributes:
        samples: float32 `[n]`, mono at `rate_hz`, full scale at 1; n >= 1. Nothing is padded.
        rate_hz: the rate that the spec asked for.
        duration_s: n / rate_hz.
        start_s: when the first sample is heard, in seconds after the window's start, or, where the clip or sound
            has no `start_s`, after the film's first picture: negative where a sound track begins before it.
        source_rate_hz: as recorded.
        channels: as recorded.
        notes: what is odd, none of it fatal: `clip_cut`, `window_clipped`, `clipped`, `band_limited`, `downmixed`,
            `short`, `truncated`, `damaged`.
    """

    samples: NDArray[np.float32]
    rate_hz: int
    duration_s: float
    start_s: float
    source_rate_hz: int
    channels: int
    notes: tuple[Problem, ...] = ()


def open_audio(source: Sound | Clip, spec: AudioSpec) -> Waveform:
    """The sound of `source` as `spec` asks for it; of a film, its sound track.

    Seconds of a `Sound` count from its first sample, those of a `Clip` from the film's first picture. Memory holds
    the window at `spec.rate_hz`, and a fraction of a second of what was recorded.

    Raises `MediaError`; a decoder's own exception never comes out. A film without a sound track is `no_stream`, a
    window in which it has none `empty`, and a window without any signal `silent`.
    """
    start_s, end_s = _asked(source)
    report = Report()
    origin_s = _origin_s(source)
    take = Excerpt(source.name, spec, origin_s, start_s, end_s)
    for block in _blocks(source, report):
        if not take.push(block):
            break
    else:
        take.end()
    _check(source, take, report, spec)
    samples = np.concatenate(take.pieces)
    offset_s = source.offset_s if isinstance(source, Sound) else 0.0
    return Waveform(
        samples=samples,
        rate_hz=spec.rate_hz,
        duration_s=len(samples) / spec.rate_hz,
        start_s=take.first_s - (0.0 if start_s == -math.inf else start_s) + offset_s,
        source_rate_hz=take.source_hz,
        channels=take.channels,
        notes=tuple(_notes(source, take, report, spec)),
    )


def windows(waveform: Waveform, window_s: float) -> list[tuple[float, NDArray[np.float32]]]:
    """`(start_s, samples)` of consecutive windows, on the clock of `waveform.start_s`; nothing is padded.

    The last one ends with the sound, and overlaps the one before it where the length is no multiple. A sound that is
    shorter than a window is one window of its own length.
    """
    samples, rate_hz = waveform.samples, waveform.rate_hz
    n = max(1, round(window_s * rate_hz))
    starts = list(range(0, max(len(samples) - n, 0) + 1, n))
    if starts[-1] + n < len(samples):
        starts.append(len(samples) - n)
    return [(waveform.start_s + at / rate_hz, samples[at : at + n]) for at in starts]


def _origin_s(source: Sound | Clip) -> float | None:
    if isinstance(source, Sound) or isinstance(source.source, np.ndarray):
        return None
    return first_picture_s(source.source, source.name)


def _blocks(source: Sound | Clip, report: Report) -> Iterator[Block]:
    if not isinstance(source.source, np.ndarray):
        return file_blocks(source.source, source.name, report)
    if isinstance(source, Clip):
        raise MediaError(source.name, "no_stream", "frames in memory have no sound track; give it as a Sound")
    return array_blocks(source.source, source.rate_hz, source.name)


def _asked(source: Sound | Clip) -> tuple[float, float]:
    # Without a start, sound from before the first picture counts, too.
    start_s = (-math.inf if isinstance(source, Clip) else 0.0) if source.start_s is None else float(source.start_s)
    end_s = math.inf if source.end_s is None else float(source.end_s)
    wrong = source.start_s is not None and not 0 <= start_s < math.inf
    if wrong or not max(start_s, 0.0) < end_s or source.end_s == math.inf:
        given = f"start_s={source.start_s}, end_s={source.end_s}"
        raise MediaError(source.name, "out_of_range", f"{given} is no window; wanted 0 <= start_s < end_s")
    return start_s, end_s


def _check(source: Sound | Clip, take: Excerpt, report: Report, spec: AudioSpec) -> None:
    name = source.name
    if not take.source_hz:
        if report.cut or report.promised_s:
            raise MediaError(name, "truncated" if report.cut else "corrupt", "none of its sound decodes")
        raise MediaError(name, "corrupt" if report.n_packets else "empty", "it has no sample of sound")
    if not take.level.n:
        if isinstance(source, Sound):
            text = f"start_s={source.start_s:g} is not before its end at {take.end_s:g} s"
            raise MediaError(name, "out_of_range", text)
        raise MediaError(name, "empty", f"no sound of it lies between {source.start_s} and {source.end_s} s")
    if take.n < max(spec.min_s * spec.rate_hz - 1, 1):
        text = f"it has {take.n / spec.rate_hz:.3f} s of sound, and {spec.min_s:g} s are the least"
        raise MediaError(name, "too_short", text)
    if take.level.silent:
        raise MediaError(name, "silent", "every value is the same, as from a microphone that is off")
    if _flat(take.pieces):
        raise MediaError(name, "silent", "its channels cancel each other out in one; give one channel of it")


def _flat(pieces: list[NDArray[np.float32]]) -> bool:
    low, high = min(float(piece.min()) for piece in pieces), max(float(piece.max()) for piece in pieces)
    return (high - low) / 2 < SILENCE


def _notes(source: Sound | Clip, take: Excerpt, report: Report, spec: AudioSpec) -> Iterator[Problem]:
    for code, text in (
        *_cuts(source, take, report, spec),
        *_faults(take, report),
        *_limits(take, spec),
    ):
        yield Problem(code, text, "audio")


def _cuts(source: Sound | Clip, take: Excerpt, report: Report, spec: AudioSpec) -> Iterator[tuple[str, str]]:
    if take.cut_short:
        yield "clip_cut", f"it lasts longer than the {spec.max_s:g} s that are listened to: the rest was left out"
    slack_s = 1 / spec.rate_hz if isinstance(source, Sound) else _TRACK_S
    if source.end_s is not None and not take.stopped and take.end_s < source.end_s - slack_s:
        yield "window_clipped", f"the window ends at {source.end_s:g} s and the sound at {take.end_s:g} s"
    if not take.stopped and (report.cut or (report.promised_s or 0.0) - take.read_s > _TRACK_S):
        yield "truncated", f"the file is cut short: {take.read_s:.3f} s of its sound can be heard"


def _faults(take: Excerpt, report: Report) -> Iterator[tuple[str, str]]:
    if take.missing_s > _GAP_S:
        yield "damaged", f"{take.missing_s:.3f} s are missing in it; what comes after them is heard so much too early"
    elif report.damaged:
        yield "damaged", "parts that do not decode were left out"
    if (share := take.level.clipped_share) > _CLIPPED:
        yield "clipped", f"{share:.1%} of it is at full scale: it was recorded too loud, and its peaks are cut off"


def _limits(take: Excerpt, spec: AudioSpec) -> Iterator[tuple[str, str]]:
    if take.source_hz < spec.rate_hz:
        yield (
            "band_limited",
            (
                f"it was recorded at {take.source_hz} Hz and the model hears {spec.rate_hz} Hz: nothing above "
                f"{take.source_hz / 2:g} Hz is in it"
            ),
        )
    if take.channels > 2:
        yield "downmixed", f"its {take.channels} channels were mixed into one"
    if take.n < spec.window_s * spec.rate_hz - 1:
        yield "short", f"it lasts {take.n / spec.rate_hz:.3f} s, less than one window of {spec.window_s:g} s"
