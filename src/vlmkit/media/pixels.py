"""From a decoded frame to pixels: colours, rotation, size."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vlmkit.errors import MediaError
from vlmkit.media.size import MAX_SIDE_RATIO, MAX_SOURCE_PIXELS, target_size
from vlmkit.types import Modality, Problem

if TYPE_CHECKING:
    from av import VideoFrame
    from numpy.typing import NDArray

    from vlmkit.media.spec import ImageSpec, VideoSpec

_UPRIGHT_ENOUGH = 0.05  # share of a turn's matrix that may lie off its axis: noise of the writer, not a slant


class Turn(NamedTuple):
    """How a picture becomes upright: swap its axes, then mirror."""

    swap: bool = False
    mirror_x: bool = False
    mirror_y: bool = False


def read_turn(frame: VideoFrame) -> Turn | None:
    """What the display matrix of a frame asks for; `None` for an angle that is no multiple of 90 degrees.

    The matrix is `(a, b, u, c, d, v, x, y, w)` of 32-bit fixed point; a pixel (p, q) is shown at
    (a p + c q + x, b p + d q + y). See `libavutil/display.h` of FFmpeg.
    """
    from av.sidedata.sidedata import SideData

    side = frame.side_data.get("DISPLAYMATRIX")
    if not isinstance(side, SideData):
        return Turn()
    a, b, _, c, d = (float(value) for value in np.frombuffer(memoryview(side), dtype=np.int32)[:5])
    straight, crossed = min(abs(a), abs(d)), min(abs(b), abs(c))
    if max(abs(b), abs(c)) <= _UPRIGHT_ENOUGH * straight:
        return Turn(False, a < 0, d < 0)
    if max(abs(a), abs(d)) <= _UPRIGHT_ENOUGH * crossed:
        return Turn(True, c < 0, b < 0)
    return None


def turned(pixels: NDArray[np.uint8], turn: Turn) -> NDArray[np.uint8]:
    """`pixels` `[h, w, 3]` made upright."""
    if turn.swap:
        pixels = pixels.swapaxes(0, 1)
    return pixels[:: -1 if turn.mirror_y else 1, :: -1 if turn.mirror_x else 1]


def fitted_size(name: str, size_px: tuple[int, int], spec: VideoSpec | ImageSpec) -> tuple[int, int]:
    """Width and height that `spec` asks for. Raises `MediaError` `too_large`: too many pixels, or too thin a shape."""
    width_px, height_px = size_px
    if width_px * height_px > MAX_SOURCE_PIXELS:
        limit = f"at most {MAX_SOURCE_PIXELS} pixels are decoded"
        raise MediaError(name, "too_large", f"it is {width_px}x{height_px}; {limit}: make it smaller first")
    if max(size_px) > MAX_SIDE_RATIO * min(size_px):
        limit = f"its longer side may be at most {MAX_SIDE_RATIO} times the shorter"
        raise MediaError(name, "too_large", f"it is {width_px}x{height_px}; {limit}: crop it first")
    return target_size(
        width_px,
        height_px,
        min_pixels=spec.min_pixels,
        max_pixels=spec.max_pixels,
        multiple_px=spec.multiple_px,
    )


def blank(pixels: NDArray[np.uint8], modality: Modality) -> tuple[Problem, ...]:
    """What has to be said of one brightness all over: a lens cap shows nothing, and networks have an opinion on it."""
    if pixels.min() != pixels.max():
        return ()
    return (Problem("blank", "every pixel of it has the same brightness: there is nothing to see", modality),)


class Scaler:
    """Frames of one film to RGB of one size: the one that `spec` asks for at the first frame, for all after it."""

    def __init__(self, name: str, spec: VideoSpec) -> None:
        from av.video.reformatter import Interpolation, VideoReformatter

        self._name, self._spec = name, spec
        self._reformatter = VideoReformatter()
        # Without full chroma interpolation swscale is 1.2 levels too dark (docs/decisions/video-decoder.md).
        self._flags = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
        self._target_px: tuple[int, int] | None = None
        self.size_px = (0, 0)
        """Width and height of the first frame as shown: upright, unscaled."""
        self.slanted = False
        """Whether a rotation that is no quarter turn was left out."""

    def __call__(self, frame: VideoFrame) -> NDArray[np.uint8]:
        turn = read_turn(frame)
        self.slanted |= turn is None
        turn = turn or Turn()
        if self._target_px is None:
            shown = (frame.width, frame.height)
            self.size_px = shown[::-1] if turn.swap else shown
            self._target_px = fitted_size(self._name, self.size_px, self._spec)
        width_px, height_px = self._target_px[::-1] if turn.swap else self._target_px
        # One thread: films are opened side by side by as many workers as there are cores.
        scaled = self._reformatter.reformat(
            frame, width=width_px, height=height_px, format="rgb24", interpolation=self._flags, threads=1
        )
        return turned(_bytes(scaled), turn)


class Grey:
    """Frames to grey pictures of one small size: what the entropy sampler looks at."""

    SIDE_PX = 64

    def __init__(self) -> None:
        from av.video.reformatter import Interpolation, VideoReformatter

        self._reformatter = VideoReformatter()
        self._flags = Interpolation.AREA | Interpolation.ACCURATE_RND

    def __call__(self, frame: VideoFrame) -> NDArray[np.uint8]:
        side = self.SIDE_PX
        small = self._reformatter.reformat(
            frame, width=side, height=side, format="gray", interpolation=self._flags, threads=1
        )
        return _bytes(small)


def _bytes(frame: VideoFrame) -> NDArray[np.uint8]:
    return np.asarray(frame.to_ndarray(), dtype=np.uint8)
