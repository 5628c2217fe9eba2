"""A real HTTP server on loopback that answers as a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answer:
    """A response. `body` is sent as JSON unless it is text; `drop` closes the connection instead."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    drop: bool = False


def chat(text: str | None, finish: str = "stop", **more: Any) -> Answer:
    """A chat completion, signed by the model that was asked; `more` joins its choice."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish, **more}
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return Answer({"id": "x", "object": "chat.completion", "created": 0, "choices": [choice], "usage": usage})


def error(status: int, message: str = "no", **headers: str) -> Answer:
    """A failure in OpenAI's form, that asks for the next attempt at once."""
    told = {"retry-after-ms": "5", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Answer({"error": {"message": message, "type": "x", "code": status}}, status, told)


MODELS = ({"id": "base", "object": "model", "owned_by": "someone"},)


class Loopback:
    """What a test talks to.

    Attributes:
        asked: bodies of all chat requests, in the order of their arrival; `headers` likewise.
        at_once: the most requests that were under way at the same time.
    """

    def __init__(
        self,
        answer: Callable[[int, Mapping[str, Any]], Answer],
        models: Sequence[Mapping[str, Any]] | Answer = MODELS,
        version: str | None = None,
    ) -> None:
        self.answer = answer
        self.models = models
        self.version = version
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.at_once = 0
        self._now = 0
        self._lock = threading.Lock()
        self.url = ""

    def _get(self, path: str) -> Answer:
        if path == "/v1/models":
            return self.models if isinstance(self.models, Answer) else Answer({"object": "list", "data": self.models})
        if path == "/version" and self.version is not None:
            return Answer({"version": self.version})
        return error(404, "no such page")

    def _post(self, body: dict[str, Any], headers: dict[str, str]) -> Answer:
        with self._lock:
            number = len(self.asked)
            self.asked.append(body)
            self.headers.append(headers)
            self._now += 1
            self.at_once = max(self.at_once, self._now)
        try:
            found = self.answer(number, body)
            time.sleep(found.delay_s)
        finally:
            with self._lock:
                self._now -= 1
        if isinstance(found.body, dict) and "choices" in found.body and "model" not in found.body:
            return replace(found, body={**found.body, "model": body["model"]})
        return found


@contextmanager
def serving(
    answer: Callable[[int, Mapping[str, Any]], Answer] | Answer,
    models: Sequence[Mapping[str, Any]] | Answer = MODELS,
    version: str | None = None,
) -> Iterator[Loopback]:
    """A server until the end of the block."""
    told = Loopback(answer if callable(answer) else lambda number, body: answer, models, version)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(told._get(self.path))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            self._send(told._post(body, {name.lower(): value for name, value in self.headers.items()}))

        def _send(self, answer: Answer) -> None:
            if answer.drop:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            as_text = isinstance(answer.body, str)
            data = answer.body.encode() if as_text else json.dumps(answer.body).encode()
            headers = {"content-type": "text/html" if as_text else "application/json", **answer.headers}
            try:
                self.send_response(answer.status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except (BrokenPipeError, ConnectionResetError):  # the client gave up waiting
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
