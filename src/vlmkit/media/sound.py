"""Where sound comes from: blocks of samples out of a file, a film's track, or an array. Decoded as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from vlmkit.errors import MediaError
from vlmkit.media.container import GUESSED, claimed_s, open_container, open_sound, read_packets

if TYPE_CHECKING:
    from av import AudioFrame, Packet
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.stream import AudioStream
    from numpy.typing import NDArray

RATES_HZ = (1_000, 768_000)
"""What counts as a rate of sound; outside it a header lies, and resampling could make gigabytes of it."""
LOUDEST = 4.0
"""12 dB above full scale: codecs and resamplers overshoot less, and beyond it floats are integers in disguise."""

_MAX_CHANNELS = 64  # what FFmpeg's own formats stop at; more is an array that lies on its side
_MOST_PLANES = 8  # from here on PyAV 18.1 reads past its list of planes, and takes the process with it
_FULL = 32_766.5 / 32_768  # the largest value of 16 bits, less half a step
_FULL_8_BITS = 126.5 / 128


class Block(NamedTuple):
    """A short piece of sound as it was recorded.

    Attributes:
        samples: float32 `[channels, n]`, full scale at 1.
        rate_hz: of the samples.
        speakers: FFmpeg's name of each channel (`FL`, `FC` …); empty where nobody says.
        time_s: of the first sample, on the container's clock; None where it has no times.
        full: what counts as full scale: the largest value of 16 bits, or of the 8 that there are.
    """

    samples: NDArray[np.float32]
    rate_hz: int
    speakers: tuple[str, ...] = ()
    time_s: float | None = None
    full: float = _FULL


@dataclass
class Report:
    """What was found out about a sound while it was read.

    Attributes:
        cut: whether the file ended inside a packet.
        damaged: whether a packet did not decode.
        n_packets: how many there were.
        promised_s: how long the container says the sound is; None where it says nothing, or guesses.
    """

    cut: bool = False
    damaged: bool = False
    n_packets: int = 0
    promised_s: float | None = None


def file_blocks(source: str | Path | bytes, name: str, report: Report) -> Iterator[Block]:
    """The best audio stream of a file. Raises `MediaError`: those of `open_sound` and of `decoded`."""
    with open_sound(source, name) as (container, stream):
        # Of these, lengths are guesses from the bit rate. A film may be longer than its sound track.
        if not set(container.format.name.split(",")) & {*GUESSED.split(","), "mpegts", "mpeg", "amr"}:
            duration_s, container_s = claimed_s(container, stream)
            report.promised_s = duration_s or (container_s if len(container.streams) == 1 else None)
        for packet in read_packets(container, stream, report):
            report.n_packets += 1
            report.cut |= packet.is_corrupt
            yield from decoded(stream.codec_context, packet, name, report)
        yield from decoded(stream.codec_context, None, name, report)


def decoded(codec: AudioCodecContext, packet: Packet[AudioStream] | None, name: str, report: Report) -> Iterator[Block]:
    """The sound in one packet; with None, what the decoder still held. Raises `MediaError`: `corrupt`, `not_media`.

    A lossy decoder makes roaring noise of a damaged packet: it is left out like one that does not decode.
    """
    from av.error import EOFError, FFmpegError

    try:
        frames = codec.decode(packet)
    except EOFError:
        return
    except (FFmpegError, ValueError, RuntimeError):
        report.damaged = True
        return
    for frame in frames:
        if frame.is_corrupt:
            report.damaged = True
        elif frame.samples:
            block = _read_block(frame, name)
            if codec.name.startswith("pcm"):
                yield _checked(block, name, "corrupt")
            elif _highest(block) <= LOUDEST:
                yield block
            else:
                report.damaged = True


def _read_block(frame: AudioFrame, name: str) -> Block:
    from av import AudioResampler

    if not RATES_HZ[0] <= frame.sample_rate <= RATES_HZ[1]:
        raise MediaError(name, "corrupt", f"its header says {frame.sample_rate} samples a second; no sound has so many")
    speakers = tuple(channel.name for channel in frame.layout.channels)
    if len(speakers) > _MAX_CHANNELS:
        raise MediaError(name, "not_media", f"it has {len(speakers)} channels; at most {_MAX_CHANNELS} are read")
    time_s = frame.time
    if frame.format.is_planar and len(speakers) >= _MOST_PLANES:
        [frame] = AudioResampler(format=frame.format.packed.name).resample(frame)
    values = frame.to_ndarray()
    if frame.format.is_packed:
        values = values.reshape(-1, len(speakers)).T
    known = () if "NONE" in speakers else speakers
    full = _FULL_8_BITS if values.dtype == np.uint8 else _FULL
    return Block(_scaled(values), frame.sample_rate, known, time_s, full)


def array_blocks(samples: NDArray[np.floating], rate_hz: int | None, name: str) -> Iterator[Block]:
    """An array, a second at a time. Raises `MediaError`: `not_media`, `empty`."""
    if samples.ndim != 2 or not np.issubdtype(samples.dtype, np.floating) or len(samples) > _MAX_CHANNELS:
        wanted = f"wanted floats [channels, n] in [-1, 1], at most {_MAX_CHANNELS} channels"
        raise MediaError(name, "not_media", f"{wanted}; given {samples.dtype} {list(samples.shape)}")
    if not samples.size:
        raise MediaError(name, "empty", "it has no sample")
    if not isinstance(rate_hz, int) or not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
        wanted = f"a whole rate_hz of {RATES_HZ[0]} to {RATES_HZ[1]}, as in Sound(..., rate_hz=16000)"
        raise MediaError(name, "not_media", f"wanted {wanted}; given {rate_hz!r}")
    for at in range(0, samples.shape[1], rate_hz):
        piece = samples[:, at : at + rate_hz].astype(np.float32)
        yield _checked(Block(piece, rate_hz, time_s=at / rate_hz), name, "not_media")


@dataclass
class _Scan:
    cut: bool = False


def first_picture_s(source: str | Path | bytes, name: str) -> float | None:
    """When a film shows its first picture, on the container's clock; None where it has no picture with a time.

    Read from packets, up to the second key frame: pictures shown before the first one stand before it.
    """
    first: float | None = None
    try:
        with open_container(source, name) as (container, stream):
            for packet in read_packets(container, stream, _Scan()):
                if packet.is_keyframe and first is not None:
                    break
                if packet.pts is not None and not packet.is_discard and not packet.is_corrupt:
                    shown_s = packet.pts * float(packet.time_base)
                    first = shown_s if first is None else min(first, shown_s)
    except MediaError:
        return None  # no pictures to go by; whoever wants to see them is told why
    return first


def _scaled(values: NDArray[Any]) -> NDArray[np.float32]:
    if values.dtype == np.uint8:
        values = (values.astype(np.float32) - 128) / 128
    elif np.issubdtype(values.dtype, np.integer):
        values = values / -float(np.iinfo(values.dtype).min)
    return np.ascontiguousarray(values, dtype=np.float32)


def _highest(block: Block) -> float:
    highest = float(np.abs(block.samples).max())
    return highest if np.isfinite(highest) else np.inf


def _checked(block: Block, name: str, reason: Literal["corrupt", "not_media"]) -> Block:
    highest = _highest(block)
    if highest == np.inf:
        raise MediaError(name, reason, "some of its samples are no finite numbers")
    if highest > LOUDEST:
        text = f"its samples reach {highest:g}, and full scale is 1; divide 16-bit values by 32768"
        raise MediaError(name, "not_media", text)
    return block
