"""Where media come from: local files and bytes, looked at before any decoder sees them."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Literal

from vlmkit.errors import MediaError

Kind = Literal["picture", "film", "sound", "unknown"]

_HEAD_BYTES = 32
_MAGIC: tuple[tuple[int, bytes, Kind], ...] = (  # offset, bytes there, what they announce
    (0, b"\xff\xd8\xff", "picture"),
    (0, b"\x89PNG\r\n\x1a\n", "picture"),
    (0, b"GIF8", "picture"),
    (0, b"BM", "picture"),
    (0, b"II*\x00", "picture"),
    (0, b"MM\x00*", "picture"),
    (8, b"WEBP", "picture"),
    (4, b"ftyp", "film"),
    (4, b"moov", "film"),
    (4, b"mdat", "film"),
    (0, b"\x1aE\xdf\xa3", "film"),
    (8, b"AVI ", "film"),
    (0, b"FLV\x01", "film"),
    (0, b"\x00\x00\x01\xba", "film"),
    (8, b"WAVE", "sound"),
    (8, b"AIF", "sound"),
    (0, b"fLaC", "sound"),
    (0, b"ID3", "sound"),
    (0, b"OggS", "sound"),
    (0, b"caff", "sound"),
    (0, b"riff", "sound"),  # Wave64
    (0, b"#!AMR", "sound"),
    (0, b"\x0bw", "sound"),  # AC-3
    *((0, bytes((255, second)), "sound") for second in b"\xfb\xfa\xf3\xf2\xe3\xfd\xfc\xf1\xf9"),  # MPEG audio, ADTS
)


def check_source(source: object, name: str) -> Kind:
    """Whether there is something to decode, and what its first bytes announce.

    Raises `MediaError`: `missing`, `unreadable`, `empty`; `not_media` for an address or an object that is no source.
    """
    if isinstance(source, bytes):
        head = source[:_HEAD_BYTES]
    elif isinstance(source, str | Path):
        head = _head(source, name)
    else:
        raise MediaError(name, "not_media", f"wanted a path, bytes or an array, given {type(source).__name__}")
    if not head:
        raise MediaError(name, "empty", "it has no bytes")
    return next((kind for offset, magic, kind in _MAGIC if head[offset : offset + len(magic)] == magic), "unknown")


def _head(source: str | Path, name: str) -> bytes:
    if "://" in str(source):
        raise MediaError(name, "not_media", "it is an address; only local files are opened: download it first")
    path = Path(source)
    try:
        if path.is_dir():
            content = "an empty folder" if not any(path.iterdir()) else "a folder"
            raise MediaError(name, "unreadable", f"it is {content}; give one of its files")
        if path.exists() and not path.is_file():
            raise MediaError(name, "unreadable", "it is no regular file")
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except FileNotFoundError as error:
        raise MediaError(name, "missing", "there is no such file") from error
    except ValueError as error:  # a NUL in the path
        raise MediaError(name, "missing", "no file can have this name") from error
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise MediaError(name, "missing", "no file can have so long a name") from error
        raise MediaError(name, "unreadable", "the file exists and cannot be opened; check its permissions") from error
