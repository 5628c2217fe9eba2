"""A still picture to the pixels that a model sees."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vlmkit.errors import MediaError
from vlmkit.media.pixels import fitted_size
from vlmkit.media.source import Kind, check_source
from vlmkit.media.spec import ImageSpec
from vlmkit.types import Image, Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image as Pillow

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
"""What is opened; Pillow knows many more, old and rarely attacked enough to be trusted with strangers' files."""

_ORIENTATION = 0x0112  # EXIF tag
_BYTE_TO_WORD = 257  # 65535 / 255: what maps 16-bit white to 8-bit white
_WORD = 65535


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture at the size that the spec asked for.

    Attributes:
        image: uint8 `[height, width, 3]`, RGB, upright.
        size_px: width and height as shown, before scaling.
        notes: what was changed on the way: `alpha_flattened`, `first_frame`, `depth_reduced`.
    """

    image: NDArray[np.uint8]
    size_px: tuple[int, int]
    notes: tuple[Problem, ...] = ()


def open_image(image: Image, spec: ImageSpec) -> Picture:
    """`image` as `spec` asks for it: upright, on white where it is see-through, scaled with Pillow's bicubic filter.

    Raises `MediaError`; a decoder's own exception never comes out.
    """
    notes: list[Problem] = []
    if isinstance(image.source, np.ndarray):
        pixels = _from_array(image.source, image.name)
        target_px = fitted_size(image.name, pixels.size, spec)
    else:
        kind = check_source(image.source, image.name)
        pixels = _decoded(image.source, image.name, kind, spec, notes)
        pixels = _rgb(_upright(pixels), image.name, notes)
        target_px = fitted_size(image.name, pixels.size, spec)
    size_px = pixels.size
    if size_px != target_px:
        pixels = pixels.resize(target_px, resample=_bicubic())
    return Picture(np.array(pixels, dtype=np.uint8), size_px, tuple(notes))


def _bicubic() -> int:
    from PIL.Image import Resampling

    return Resampling.BICUBIC


def _from_array(source: NDArray[np.uint8], name: str) -> Pillow:
    from PIL import Image as pillow

    if source.dtype != np.uint8 or source.ndim != 3 or source.shape[-1] != 3:
        given = f"{source.dtype} {list(source.shape)}"
        raise MediaError(name, "not_media", f"wanted RGB of uint8 [height, width, 3], given {given}")
    if not source.size:
        raise MediaError(name, "empty", "it has no pixel")
    return pillow.fromarray(source)


def _decoded(source: str | Path | bytes, name: str, kind: Kind, spec: ImageSpec, notes: list[Problem]) -> Pillow:
    from PIL import Image as pillow

    file = io.BytesIO(source) if isinstance(source, bytes) else Path(source)
    try:
        picture = pillow.open(file, formats=FORMATS)
        size_px, n_frames = picture.size, getattr(picture, "n_frames", 1)  # both read on, and may fail on the way
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning) as error:
        raise MediaError(name, "too_large", "it has more pixels than are decoded: make it smaller first") from error
    except Exception as error:  # Pillow's readers raise nearly anything for a broken header
        raise _unopened(name, kind) from error
    with picture:
        fitted_size(name, size_px, spec)  # refused before a byte of it is decompressed
        if n_frames > 1:
            notes.append(Problem("first_frame", f"it holds {n_frames} pictures; the first was taken", "image"))
        if not picture.mode.startswith("I") and any(";16" in str(tile[3]) for tile in picture.tile):
            notes.append(_depth_reduced())  # colours of 16 bits: Pillow reads 8 of them
        try:
            picture.load()
        except Exception as error:  # as above; its text is read here and never shown
            cut = isinstance(error, EOFError) or "truncated" in str(error)
            text = "it stops before its last row" if cut else "its pixels cannot be decoded"
            raise MediaError(name, "truncated" if cut else "corrupt", f"{text}; save it again") from error
        return picture.copy()


def _unopened(name: str, kind: Kind) -> MediaError:
    if kind == "picture":
        return MediaError(name, "corrupt", "it starts like a picture and its header cannot be read")
    if kind == "film":
        return MediaError(name, "not_media", "it is a film; give it as a video")
    return MediaError(name, "not_media", f"it is no picture of the kinds we open: {', '.join(FORMATS)}")


def _upright(picture: Pillow) -> Pillow:
    from PIL.Image import Transpose

    try:
        orientation = picture.getexif().get(_ORIENTATION)
    except Exception:  # EXIF is a side note: a broken one does not make the picture unusable
        return picture
    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    turn = turns.get(orientation) if isinstance(orientation, int) else None
    return picture if turn is None else picture.transpose(turn)


def _rgb(picture: Pillow, name: str, notes: list[Problem]) -> Pillow:
    from PIL import Image as pillow

    if picture.mode.startswith("I"):
        return _from_words(picture, name, notes)
    if picture.mode == "F":
        raise MediaError(name, "not_media", "its pixels are fractions without a range; save it with 8 bits")
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        if np.asarray(layer.getchannel("A")).min() < 255:
            notes.append(Problem("alpha_flattened", "its see-through parts were laid over white", "image"))
        white = pillow.new("RGBA", layer.size, "white")
        return pillow.alpha_composite(white, layer).convert("RGB")
    return picture.convert("RGB")


def _from_words(picture: Pillow, name: str, notes: list[Problem]) -> Pillow:
    from PIL import Image as pillow

    words = np.array(picture).astype(np.int64)
    if words.min() < 0 or words.max() > _WORD:
        raise MediaError(name, "not_media", "its pixels have 32 bits and no known range; save it with 8 or 16")
    notes.append(_depth_reduced())
    # Rounded: `convert` would clip everything above 255 to white.
    return pillow.fromarray(((words + _BYTE_TO_WORD // 2) // _BYTE_TO_WORD).astype(np.uint8)).convert("RGB")


def _depth_reduced() -> Problem:
    return Problem("depth_reduced", "its 16 bits a channel were reduced to 8", "image")
