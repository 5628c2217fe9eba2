"""An OpenAI-compatible server, as a user names it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Film = Literal["auto", "video", "frames"]


@dataclass(frozen=True)
class Server:
    """Where a model is served, and how it is asked. Its key is the environment's `OPENAI_API_KEY`, never a field.

    Raises `ValueError` where a field is outside its range.
    """

    url: str | None = None
    """Up to and with its `/v1`, and `#` and the model behind it where that has to be said; the environment's
    `OPENAI_BASE_URL` where not given."""
    model: str | None = None
    """What it calls the model; where not given, the one that it serves from the head's own base."""
    film: Film = "auto"
    """A film as one part of the question, or as a picture a frame with its time as text before it; `auto` is one part
    where the server is a vLLM that takes frames with their times, and pictures elsewhere."""
    concurrency: int = 8
    """The most requests that are under way at once."""
    timeout_s: float = 600.0
    """How long one attempt may take."""
    retries: int = 4
    """Further attempts after a dropped connection, a timeout, 408, 409, 429 or 5xx; with growing pauses, or as long as
    the server asks for in `Retry-After`."""

    def __post_init__(self) -> None:
        if self.url is not None and "#" in self.url:
            url, _, model = self.url.partition("#")
            object.__setattr__(self, "url", url)
            object.__setattr__(self, "model", self.model or model or None)
        if self.film not in get_args(Film):
            raise ValueError(f"film={self.film!r} is unknown; choose one of {', '.join(get_args(Film))}")
        if self.concurrency < 1 or self.retries < 0 or not self.timeout_s > 0:
            raise ValueError(f"wanted concurrency >= 1, retries >= 0 and timeout_s > 0; given {self}")
