"""A film whose frames can be asked for: from a container, or from an array. Decoded as a stream, kept by none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from vlmkit.errors import MediaError
from vlmkit.media.container import Header, open_container, read_header, read_packets
from vlmkit.media.index import Index, Packets, index_frames, index_packets, runs_needed

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

Convert = Callable[["VideoFrame"], "NDArray[np.uint8]"]


class Film(Protocol):
    """What a sampler needs: when the frames are, and then some of them."""

    name: str
    index: Index

    def walk(self, positions: Sequence[int], convert: Convert) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """`(position, converted frame)` for those of the asked positions that decode, in the order of showing."""
        ...

    def grab(self, positions: Sequence[int], convert: Convert) -> dict[int, NDArray[np.uint8]]:
        """What `walk` finds; where short cuts through the file fail, after decoding all of it."""
        ...

    def reindex(self) -> None:
        """Replace `index` by the frames that really decode."""
        ...


class ArrayFilm:
    """Frames that are in memory already. Raises `MediaError` `not_media` or `empty` where they are none.

    Args:
        index: of a film that some frames were kept of; `times_s` then says which.
    """

    def __init__(
        self,
        frames: NDArray[np.uint8],
        name: str,
        rate_hz: float | None,
        times_s: Sequence[float] | None = None,
        index: Index | None = None,
    ) -> None:
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
            given = f"{frames.dtype} {list(frames.shape)}"
            raise MediaError(name, "not_media", f"wanted frames of uint8 [n, height, width, 3], given {given}")
        if not frames.size:
            raise MediaError(name, "empty", "it has no frame")
        self.name = name
        self._frames = frames
        self.index = index or _index_array(name, len(frames), rate_hz, times_s)
        places = range(len(frames)) if index is None else np.searchsorted(index.times_s, times_s or ()).tolist()
        self._rows = dict(zip(places, range(len(frames)), strict=True))

    def walk(self, positions: Sequence[int], convert: Convert) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """See `Film`."""
        from av import VideoFrame

        for position in positions:
            if (row := self._rows.get(position)) is not None:
                yield position, convert(VideoFrame.from_ndarray(np.ascontiguousarray(self._frames[row])))

    def grab(self, positions: Sequence[int], convert: Convert) -> dict[int, NDArray[np.uint8]]:
        """See `Film`."""
        return dict(self.walk(positions, convert))

    def reindex(self) -> None:
        """Nothing: an array is what it is."""


class FileFilm:
    """The best video stream of a container, indexed by its packets. Raises what `open_container` raises.

    Attributes:
        header: what the container claims.
        cut: whether the file ended inside a packet.
        n_packets: how many packets it really holds.
        promised_s: when the last frame ends if all packets decode.
        damaged: whether a packet or a frame did not decode cleanly.
    """

    def __init__(self, source: str | Path | bytes, name: str) -> None:
        self.name = name
        self._source = source
        self.damaged = False
        self._unsure = False
        with open_container(source, name) as (container, stream):
            self.header: Header = read_header(container, stream)
            packets = _scan(container, stream)
        self.cut = packets.cut
        self.n_packets = len(packets)
        if packets.timeless:
            self.index = Index(np.zeros(0, np.int64), np.zeros(0), 0.0, by_order=True)
            self.reindex()
        else:
            self.index = index_packets(packets, self.header.tick_s, self._last_s)
        self.promised_s = self.index.end_s

    def walk(self, positions: Sequence[int], convert: Convert) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """See `Film`. Runs of packets that no asked frame needs are not decoded."""
        return self._walk(positions, convert, runs_needed(self.index, positions))

    def grab(self, positions: Sequence[int], convert: Convert) -> dict[int, NDArray[np.uint8]]:
        """See `Film`."""
        self._unsure = False
        found = dict(self.walk(positions, convert))
        whole = self.index.group is None
        if whole or (len(found) == len(positions) and not self._unsure and not self.damaged):
            return found
        return dict(self._walk(positions, convert, None))

    def reindex(self) -> None:
        """See `Film`."""
        seen = [stamp for stamp, _ in self._decode(None)]
        if self.index.by_order:
            rate = self.header.rate_hz
            if not rate:
                raise MediaError(self.name, "corrupt", "its frames have no times and it names no frame rate")
            self.index = index_frames(seen, 0, 1 / rate, 1 / rate, by_order=True)
        else:
            origin = int(self.index.stamps[0]) if len(self.index) else 0
            self.index = index_frames(seen, origin, self.header.tick_s, self._last_s)

    @property
    def _last_s(self) -> float:
        return 1 / self.header.rate_hz if self.header.rate_hz else 0.0

    def _walk(
        self, positions: Sequence[int], convert: Convert, needed: dict[int, set[int]] | None
    ) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        waiting = {int(self.index.stamps[position]): position for position in positions}
        for stamp, frame in self._decode(needed):
            if (position := waiting.pop(stamp, None)) is not None:
                if needed is not None and self.index.group is not None:
                    run = int(self.index.group[position])
                    for other in (run, max(run - 1, 0)):
                        needed.get(other, set()).discard(stamp)
                yield position, convert(frame)
            if not waiting:
                return

    def _decode(self, needed: dict[int, set[int]] | None) -> Iterator[tuple[int, VideoFrame]]:
        # `needed` shrinks while we go: a run is left as soon as the last frame that needs it has come out.
        for order, frame in enumerate(self._frames(needed)):
            stamp = order if self.index.by_order else frame.pts
            if frame.is_corrupt:
                self.damaged = True
            elif stamp is not None:
                yield stamp, frame

    def _frames(self, needed: dict[int, set[int]] | None) -> Iterator[VideoFrame]:
        with open_container(self._source, self.name) as (container, stream):
            codec = stream.codec_context
            run, feeding, entry = -1, True, None
            for packet in read_packets(container, stream, Packets()):
                run += packet.is_keyframe
                if needed is not None and not needed.get(max(run, 0)):
                    if feeding:
                        yield from self._drained(codec)
                    feeding = False
                    continue
                if not feeding:
                    codec.flush_buffers()
                    feeding, entry = True, packet.pts
                for frame in self._decoded(codec, packet):
                    # A packet that only calls itself a key frame: what comes after it cannot be trusted.
                    self._unsure |= frame.pts == entry and not frame.key_frame
                    yield frame
            if feeding:
                yield from self._drained(codec)

    def _drained(self, codec: VideoCodecContext) -> Iterator[VideoFrame]:
        return self._decoded(codec, None)

    def _decoded(self, codec: VideoCodecContext, packet: Packet[VideoStream] | None) -> Iterator[VideoFrame]:
        from av.error import EOFError, FFmpegError

        try:
            frames = codec.decode(packet)
        except EOFError:
            return
        except (FFmpegError, ValueError, RuntimeError):
            self.damaged = True
            return
        yield from frames


def _index_array(name: str, n: int, rate_hz: float | None, times_s: Sequence[float] | None) -> Index:
    if rate_hz is not None and not 0 < rate_hz < float("inf"):
        raise MediaError(name, "not_media", f"how fast does it play? give Clip(..., fps=25), not {rate_hz!r}")
    if times_s is not None:
        times = np.asarray(times_s, dtype=np.float64)
        if times.shape != (n,) or not np.isfinite(times).all() or times[0] < 0 or (np.diff(times) <= 0).any():
            wanted = f"{n} ascending times_s from 0 on, one a frame"
            raise MediaError(name, "not_media", f"wanted {wanted}; given {len(times_s)}")
        last_s = 1 / rate_hz if rate_hz else float(np.median(np.diff(times))) if n > 1 else 0.0
        return Index(np.arange(n), times, float(times[-1]) + last_s, by_order=True)
    if rate_hz is None:
        raise MediaError(name, "not_media", "how fast does it play? give Clip(..., fps=25), or times_s=")
    return index_frames(range(n), 0, 1 / rate_hz, 1 / rate_hz, by_order=True)


def _scan(container: InputContainer, stream: VideoStream) -> Packets:
    packets = Packets()
    for packet in read_packets(container, stream, packets):
        packets.cut |= packet.is_corrupt
        shown = not packet.is_discard and not packet.is_corrupt
        packets.add(packet.pts, packet.duration or 0, key=packet.is_keyframe, shown=shown)
    return packets
