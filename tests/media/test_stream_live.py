"""Streams from the network, and live ones: opened on purpose only, and never let grow."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.media.films import film, written
from tests.media.watched import BOTH, SPEC, clip, codes, film_of, sound, spans, windows
from vlmkit.errors import MediaError
from vlmkit.media.slicer import Plan
from vlmkit.media.stream import Stream
from vlmkit.media.watch import watch_samples


class _Site(BaseHTTPRequestHandler):
    """`/whole`, `/cut` in the middle, `/still` from there on, `/late` never answers.

    `/list.m3u8` sends its reader to a file of this machine.
    """

    content = b""
    folder = Path()

    def do_GET(self) -> None:
        name = self.path.partition("?")[0].strip("/")
        playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile://{self.folder}/secret.ts\n#EXT-X-ENDLIST\n"
        body = playlist.encode() if name.startswith("list") else self.content
        if name not in ("whole", "cut", "still", "late", "list.m3u8"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if name == "late":
            time.sleep(1)
            return
        self.wfile.write(body[: len(body) // 2] if name in ("cut", "still") else body)
        time.sleep(1 if name == "still" else 0)

    def log_message(self, *arguments: Any) -> None:
        """Quiet."""


@contextmanager
def site(content: bytes, folder: Path) -> Iterator[str]:
    """A server on this machine, for one test."""
    handler = type("Site", (_Site,), {"content": content, "folder": folder})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def refusal(source: Stream) -> MediaError:
    with pytest.raises(MediaError) as caught:
        windows(source, 2)
    assert "secret" not in "".join(traceback.format_exception(caught.value))
    return caught.value


def test_an_address_gives_what_the_file_does(tmp_path: Path) -> None:
    here = windows(written(tmp_path, film_of()), 2)
    with site(film_of(), tmp_path) as host:
        there = windows(Stream(f"http://user:secret@{host}/whole?key=secret"), 2)
    assert spans(there) == spans(here)
    for one, other in zip(here, there, strict=True):
        np.testing.assert_array_equal(clip(one).source, clip(other).source)
        np.testing.assert_array_equal(sound(one).source, sound(other).source)
    assert there[0][0].id == f"http://{host}/whole@0.000"


@pytest.mark.parametrize("place", ["cut", "still"])
def test_a_connection_that_breaks_is_said_after_what_came(place: str, tmp_path: Path) -> None:
    found = []
    with site(film_of(), tmp_path) as host, pytest.raises(MediaError) as caught:
        for window in watch_samples(Stream(f"http://{host}/{place}", timeout_s=0.3), Plan(1.5, 1.5, BOTH, SPEC)):
            found.append(window)
    assert caught.value.reason == "interrupted"
    assert spans(found)[0] == (0, 1.5)
    assert "window_partial" in codes(found[-1])


def test_addresses_without_an_answer(tmp_path: Path) -> None:
    with site(film_of(), tmp_path) as host:
        assert refusal(Stream(f"http://user:secret@{host}/none")).reason == "missing"
        assert refusal(Stream(f"http://{host}/late", timeout_s=0.2)).reason == "unreadable"
    assert refusal(Stream(f"http://{host}/whole?key=secret")).reason == "unreadable"  # nobody is there any more


def test_a_play_list_from_outside_reaches_no_file_of_this_machine(tmp_path: Path) -> None:
    written(tmp_path, film(100, container="mpegts"), "secret.ts")
    with site(b"", tmp_path) as host:
        assert refusal(Stream(f"http://{host}/list.m3u8")).reason in ("not_media", "unreadable", "empty", "no_stream")


def test_windows_of_a_live_source_that_nobody_takes_are_dropped_and_counted(tmp_path: Path) -> None:
    with site(film_of(), tmp_path) as host:
        source = Stream(f"http://{host}/whole", live=True)
        with closing(watch_samples(source, Plan(0.2, 0.2, BOTH, SPEC))) as taken:
            found = [next(taken)]
            time.sleep(1)  # a slow model
            found += taken
    assert spans(found)[-2:] == [(4.4, 4.6), (4.6, 4.8)]  # the newest are kept
    told = [note.message for _, notes in found for note in notes if note.code == "windows_dropped"]
    assert 10 < sum(int(message.split()[0]) for message in told) == 24 - len(found)
    assert not [thread for thread in threading.enumerate() if thread.name == "vlmkit-watch"]


def test_leaving_a_live_source_ends_its_reader(tmp_path: Path) -> None:
    with site(film_of(), tmp_path) as host:
        assert len(windows(Stream(f"http://{host}/whole", live=True), 0.5, max_windows=1)) == 1
        assert not [thread for thread in threading.enumerate() if thread.name == "vlmkit-watch"]
        with pytest.raises(MediaError):  # what the reader meets is raised where its windows are taken
            windows(Stream(f"http://{host}/none", live=True), 0.5)


def test_which_sources_are_live() -> None:
    assert Stream("rtsp://user:secret@camera:554/one?key=secret").is_live
    assert Stream("rtsp://user:secret@camera:554/one?key=secret").name == "rtsp://camera:554/one"
    assert not Stream("https://example.org/film.mp4").is_live
    assert Stream("https://example.org/live.m3u8", live=True).is_live
