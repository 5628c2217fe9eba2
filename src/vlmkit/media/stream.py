"""A source that may never end: a file, a camera, or an address that the caller opens on purpose."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vlmkit.errors import MediaError, VlmkitError
from vlmkit.media.container import FORMATS, GUESSED
from vlmkit.media.source import check_source

if TYPE_CHECKING:
    from av.container import InputContainer

_LIVE = {"rtsp": True, "rtsps": True, "rtmp": True, "rtmps": True, "udp": True, "rtp": True, "srt": True}
_SCHEMES = {**_LIVE, "http": False, "https": False}
"""What may be opened, and whether it goes on without waiting for its reader unless the caller says otherwise."""

# What an address may make FFmpeg open: other hosts (play lists and redirects do), never this machine's files.
_PROTOCOLS = "http,https,httpproxy,tls,tcp,udp,rtp,rtsp,srtp,rtmp,rtmps,srt,crypto"
_NETWORK_FORMATS = f"{FORMATS},{GUESSED},rtsp,rtp,sdp,hls,mpjpeg,live_flv"


@dataclass(frozen=True)
class Stream:
    """An address on the network, opened because the caller says so; everywhere else addresses are refused.

    A server may send its reader on to other addresses: open only those that you trust. Raises `VlmkitError` for a
    protocol that is not read.

    Args:
        address: `rtsp://…`, `http://…` and the like.
        live: whether it goes on without waiting: windows that come too fast are dropped, and counted. By default
            everything but `http`.
        timeout_s: how long to wait for an answer, or for the next packet.
    """

    address: str
    live: bool | None = None
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        try:
            scheme, _ = urlsplit(self.address).scheme, urlsplit(self.address).port
        except (ValueError, AttributeError):
            raise VlmkitError("Stream: this is no address; wanted one such as 'rtsp://camera:554/1'") from None
        if scheme not in _SCHEMES:
            raise VlmkitError(f"Stream: {scheme!r} is not read; wanted one of {', '.join(_SCHEMES)}")

    @property
    def name(self) -> str:
        """How messages call it: without user, password and query, which may be secrets."""
        parts = urlsplit(self.address)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"

    @property
    def is_live(self) -> bool:
        """`live`, or what its protocol says."""
        return _SCHEMES[urlsplit(self.address).scheme] if self.live is None else self.live


Source = str | Path | int | Stream
"""A file, a camera by its number, or an address."""


def source_name(source: Source | bytes) -> str:
    """How messages and samples call it."""
    if isinstance(source, bytes):
        return f"<{len(source)} bytes>"
    if isinstance(source, Stream):
        return source.name
    if isinstance(source, int):
        return f"camera-{source}"
    return str(source) if isinstance(source, str | Path) else type(source).__name__


def private(source: Source | bytes, error: Exception) -> Exception | None:
    """`error` as a cause to show: of an address none, since FFmpeg writes user and password into it."""
    return None if isinstance(source, Stream) else error


def is_live(source: Source | bytes) -> bool:
    """Whether it goes on without waiting for its reader."""
    return isinstance(source, int) or (isinstance(source, Stream) and source.is_live)


@contextmanager
def open_stream(source: Source | bytes) -> Iterator[InputContainer]:
    """The container of a source. Raises `MediaError`: those of `check_source`; `missing`, `unreadable`, `not_media`."""
    import av

    name = source_name(source)
    where, form, options, timeout_s = _place(source, name)
    try:
        container = av.open(where, mode="r", format=form, options=options, timeout=timeout_s, metadata_errors="ignore")
    except av.error.InvalidDataError as error:
        text = "what is there is no film or sound in a format that we know"
        raise MediaError(name, "not_media", text) from private(source, error)
    except (av.error.FFmpegError, OSError, ValueError, RuntimeError) as error:
        gone = isinstance(error, FileNotFoundError | av.error.HTTPNotFoundError)
        text = "there is nothing at this place" if gone else "it cannot be opened: nobody answers, or access is denied"
        raise MediaError(name, "missing" if gone else "unreadable", text) from private(source, error)
    with container:
        yield container


def _place(source: Source | bytes, name: str) -> tuple[str | BytesIO, str | None, dict[str, str], float | None]:
    """What FFmpeg is told to open: place, format (None: recognised), options, timeout in seconds."""
    if isinstance(source, Stream):
        options = {"format_whitelist": _NETWORK_FORMATS, "protocol_whitelist": _PROTOCOLS}
        if source.address.startswith("rtsp"):
            options["rtsp_transport"] = "tcp"  # lost datagrams would be lost pictures
        return source.address, None, options, source.timeout_s
    if isinstance(source, int) and not isinstance(source, bool):
        return _camera(source, name)
    if not isinstance(source, str | Path | bytes):
        wanted = "a path, the number of a camera, or a Stream"
        raise MediaError(name, "not_media", f"wanted {wanted}; given {type(source).__name__}")
    kind = check_source(source, name)
    formats = FORMATS if kind == "unknown" else f"{FORMATS},{GUESSED}"
    where = BytesIO(source) if isinstance(source, bytes) else f"file:{source}"
    return where, None, {"format_whitelist": formats, "protocol_whitelist": "file"}, None


def _camera(number: int, name: str) -> tuple[str, str, dict[str, str], float]:
    if sys.platform == "darwin":
        return f"{number}:none", "avfoundation", {}, 10.0
    device = Path(f"/dev/video{number}")
    if not device.exists():
        raise MediaError(name, "missing", f"there is no {device}; cameras of this machine: {_cameras()}")
    return str(device), "v4l2", {}, 10.0


def _cameras() -> str:
    found = sorted(path.name.removeprefix("video") for path in Path("/dev").glob("video*"))
    return ", ".join(found) or "none"
