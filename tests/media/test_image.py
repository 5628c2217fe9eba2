"""Pictures of every kind to upright RGB, and those that cannot be used."""

from __future__ import annotations

import io
import os
import random
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from tests.media.films import film
from vlmkit.errors import MediaError, MediaReason
from vlmkit.media import ImageSpec, Picture, VideoSpec, open_image, open_video
from vlmkit.types import Clip, Image

SPEC = ImageSpec(min_pixels=28 * 28, max_pixels=56 * 84)
SAME = {"JPEG": 3, "WEBP": 4}  # levels that a lossy format may be off


def picture() -> np.ndarray:
    """RGB `[56, 84, 3]` with four corners of four colours, so that every turn of it shows."""
    pixels = np.zeros((56, 84, 3), dtype=np.uint8)
    pixels[:28, :42], pixels[:28, 42:] = (200, 30, 30), (30, 200, 30)
    pixels[28:, :42], pixels[28:, 42:] = (30, 30, 200), (240, 240, 240)
    return pixels


def encoded(image: PIL.Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format=kind, **options)
    return file.getvalue()


RGB = PIL.Image.fromarray(picture())


def opened(content: bytes) -> Picture:
    return open_image(Image(content), SPEC)


def codes(shown: Picture) -> list[str]:
    return [note.code for note in shown.notes]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_every_allowed_format_opens(kind: str, tmp_path: Path) -> None:
    options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"quality": 95}}.get(kind, {})
    content = encoded(RGB, kind, **options)
    path = tmp_path / "picture"  # the name says nothing; the content does
    path.write_bytes(content)
    for source in (content, path, str(path)):
        shown = open_image(Image(source), SPEC)
        inner = np.abs(shown.image.astype(int) - picture())[4:24, 4:38]
        assert inner.max() <= SAME.get(kind, 0)
        assert (shown.size_px, codes(shown)) == ((84, 56), [])


def test_an_array_is_taken_as_it_is() -> None:
    np.testing.assert_array_equal(open_image(Image(picture()), SPEC).image, picture())


def test_size_follows_the_spec() -> None:
    shown = open_image(Image(picture()), ImageSpec(min_pixels=28 * 28, max_pixels=28 * 56))
    assert shown.image.shape == (28, 28, 3)
    assert shown.size_px == (84, 56)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    stored = picture()  # what a viewer has to do to these pixels, by the EXIF standard's table
    upright = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.swapaxes(0, 1),
        6: np.rot90(stored, -1),
        7: stored[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(stored, 1),
    }[orientation]
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    shown = opened(encoded(RGB, kind, exif=exif))
    height, width = upright.shape[:2]
    assert shown.size_px == (width, height)
    for y, x in ((10, 10), (10, width - 10), (height - 10, 10), (height - 10, width - 10)):
        assert np.abs(shown.image[y, x].astype(int) - upright[y, x]).max() <= 12


@pytest.mark.filterwarnings("ignore")  # Pillow warns of it
def test_a_broken_exif_block_does_not_matter() -> None:
    content = encoded(RGB, "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    assert opened(content).size_px == (84, 56)


def test_palette_grey_and_cmyk() -> None:
    np.testing.assert_array_equal(opened(encoded(RGB.quantize(4), "PNG")).image, picture())
    grey = opened(encoded(RGB.convert("L"), "PNG")).image
    assert (grey[..., 0] == grey[..., 1]).all()
    assert opened(encoded(RGB.convert("1"), "PNG")).image.shape == (56, 84, 3)
    for kind, options in (("TIFF", {}), ("JPEG", {"quality": 95, "subsampling": 0})):  # a CMYK JPEG is stored inverted
        cmyk = opened(encoded(RGB.convert("CMYK"), kind, **options))
        assert np.abs(cmyk.image.astype(int) - picture()).max() <= 4
        assert codes(cmyk) == []


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    words = np.linspace(0, 65535, 56 * 84).reshape(56, 84).astype(np.uint16)
    for kind in ("PNG", "TIFF"):
        shown = opened(encoded(PIL.Image.fromarray(words), kind))
        assert codes(shown) == ["depth_reduced"]
        assert np.abs(shown.image[..., 0].astype(float) - words / 257).max() <= 0.51


def test_colours_of_sixteen_bits_are_said_too() -> None:
    shown = opened(png(2, 16, (picture().astype(np.uint16) * 257).astype(">u2").tobytes()))
    assert codes(shown) == ["depth_reduced"]
    np.testing.assert_array_equal(shown.image, picture())


def png(colours: int, bits: int, rows: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of 84 x 56 pixels of any depth: Pillow writes colours of 8 bits only."""
    height, step = 56, len(rows) // 56
    filtered = b"".join(b"\0" + rows[y * step : (y + 1) * step] for y in range(height))
    head = struct.pack(">IIBBBBB", 84, height, bits, colours, 0, 0, 0)
    parts = [(b"IHDR", head), *chunks, (b"IDAT", zlib.compress(filtered)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


@pytest.mark.parametrize("size_px", [(1, 1), (31, 17), (200, 1), (223, 224), (300, 300)])
def test_a_picture_within_the_range_keeps_its_own_size(size_px: tuple[int, int]) -> None:
    """What encoders ask for that scale and crop by a rule of their own."""
    width_px, height_px = size_px
    pixels = np.random.default_rng(0).integers(0, 255, (height_px, width_px, 3), np.uint8)
    image = ImageSpec(min_pixels=1, max_pixels=300 * 300, multiple_px=1)
    video = VideoSpec(min_pixels=1, max_pixels=300 * 300, multiple_px=1)
    np.testing.assert_array_equal(open_image(Image(pixels), image).image, pixels)
    np.testing.assert_array_equal(open_video(Clip(pixels[None], fps=1), video).images[0], pixels)
    smaller = open_image(Image(pixels.repeat(4, 0).repeat(4, 1)), replace(image, max_pixels=100))
    assert smaller.image.shape[0] * smaller.image.shape[1] <= 100


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_what_is_see_through_lies_over_white(mode: str) -> None:
    layer = PIL.Image.new("RGBA", (84, 56), (0, 0, 0, 0))
    layer.paste((10, 10, 10, 255), (0, 0, 42, 56))
    shown = opened(_palette() if mode == "PA" else encoded(layer.convert(mode)))
    assert codes(shown) == ["alpha_flattened"]
    assert (shown.image[:, 50:] == 255).all()
    assert shown.image[:, :40].max() < 40


def _palette() -> bytes:
    index = PIL.Image.new("P", (84, 56), 1)
    index.putpalette([10, 10, 10, 200, 0, 0])
    index.paste(0, (0, 0, 42, 56))
    return encoded(index, "PNG", transparency=1)


def test_an_opaque_alpha_channel_is_no_news() -> None:
    shown = opened(encoded(RGB.convert("RGBA")))
    assert codes(shown) == []
    np.testing.assert_array_equal(shown.image, picture())


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_several_pictures_the_first_is_taken(kind: str) -> None:
    others = [PIL.Image.new("RGB", (84, 56), colour) for colour in ("black", "white")]
    shown = opened(encoded(RGB, kind, save_all=True, append_images=others))
    assert codes(shown) == ["first_frame"]
    assert "3 pictures" in shown.notes[0].message
    assert np.abs(shown.image[10, 10].astype(int) - picture()[10, 10]).max() < 12


def bomb() -> bytes:
    """A PNG of 60,000 x 60,000 pixels, as its header says; there is nothing behind it."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + b"\0\0\1\0IDAT"


JPEG = encoded(PIL.Image.fromarray(np.random.default_rng(0).integers(0, 255, (56, 84, 3), np.uint8)), "JPEG")
PNG = encoded(PIL.Image.fromarray(np.random.default_rng(0).integers(0, 255, (56, 84, 3), np.uint8)))
ZEROS = zlib.compress(bytes(1 << 25))
CONTENTS: dict[str, tuple[bytes, MediaReason]] = {
    "empty": (b"", "empty"),
    "text": (b"no picture", "not_media"),
    "noise": (random.Random(0).randbytes(5000), "not_media"),
    "a film": (film(2), "not_media"),
    "a format off the list": (encoded(RGB, "PPM"), "not_media"),
    "a vector drawing": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "not_media"),
    "cut jpeg": (JPEG[: len(JPEG) // 2], "truncated"),
    "cut png": (PNG[: len(PNG) // 2], "truncated"),
    "cut webp": (encoded(RGB, "WEBP")[:60], "corrupt"),
    "cut bmp": (encoded(RGB, "BMP")[:2000], "truncated"),
    "head of a jpeg": (JPEG[:20], "corrupt"),
    "damaged png": (PNG[:200] + bytes(400) + PNG[600:], "corrupt"),
    "tiff without a width": (encoded(RGB, "TIFF").replace(b"\x00\x01\x04\x00", b"\xfe\x00\x04\x00", 1), "corrupt"),
    "a bomb": (bomb(), "too_large"),
    "a bomb in a side note": (png(0, 8, bytes(84 * 56), (b"zTXt", b"x\0\0" + ZEROS)), "corrupt"),
    "too many pixels": (encoded(PIL.Image.new("1", (10_000, 9_000))), "too_large"),
    "too thin": (encoded(PIL.Image.new("L", (2010, 10))), "too_large"),
    "fractions": (encoded(PIL.Image.new("F", (40, 40)), "TIFF"), "not_media"),
    "32 bits": (encoded(PIL.Image.new("I", (40, 40), 1 << 20), "TIFF"), "not_media"),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
@pytest.mark.filterwarnings("ignore")  # Pillow warns of broken side notes
def test_damage_gives_a_picture_or_a_reason_and_nothing_else(kind: str) -> None:
    whole = encoded(RGB, kind)
    for seed in range(60):
        draw = random.Random(seed)
        content = bytearray(whole)
        for _ in range(1 + seed % 5):
            content[draw.randrange(len(content))] = draw.randrange(256)
        try:
            assert opened(bytes(content)).image.dtype == np.uint8
        except MediaError as error:
            assert error.reason in ("corrupt", "truncated", "not_media", "too_large")


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.filterwarnings("ignore")  # Pillow warns of a bomb before it refuses one
def test_contents_that_are_refused(name: str, tmp_path: Path) -> None:
    content, reason = CONTENTS[name]
    path = tmp_path / "given.png"
    path.write_bytes(content)
    for source in (content, path):
        with pytest.raises(MediaError) as caught:
            open_image(Image(source), SPEC)
        assert caught.value.reason == reason


def test_places_that_are_refused(tmp_path: Path) -> None:
    os.symlink("loop.png", tmp_path / "loop.png")
    places: list[tuple[Any, MediaReason]] = [
        (tmp_path / "none.png", "missing"),
        (tmp_path, "unreadable"),
        (tmp_path / "loop.png", "unreadable"),
        ("https://example.org/cat.png", "not_media"),
        (None, "not_media"),
        (picture()[..., 0], "not_media"),
        (picture().astype(float), "not_media"),
        (picture()[:0], "empty"),
    ]
    for source, reason in places:
        with pytest.raises(MediaError) as caught:
            open_image(Image(source), SPEC)
        assert caught.value.reason == reason
