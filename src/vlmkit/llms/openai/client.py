"""The way to a server: its client, who it is, and its failures as problems."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from vlmkit.errors import MissingExtraError, WiringError
from vlmkit.llms.openai.running import run
from vlmkit.remote import Server
from vlmkit.types import Problem

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

log = logging.getLogger("vlmkit")

NO_KEY = "EMPTY"  # what vLLM's own examples send to a server without a key
UNREADABLE = (ValueError, RecursionError)
"""What is raised where no JSON stands behind a JSON header, or brackets within brackets within brackets."""

_FIRST_RETRIES = 1  # a server that is not there is said soon
_FIRST_TIMEOUT_S = 30.0
_SAID_MAX = 300  # characters of a server's own words


@dataclass(frozen=True)
class Card:
    """A model that a server lists; `root` and `parent` are vLLM's: where it came from, and the base of an adapter."""

    id: str
    root: str | None = None
    parent: str | None = None
    owner: str | None = None
    context: int | None = None


@dataclass(frozen=True)
class Host:
    """A server that answered.

    Attributes:
        url: up to and with `/v1`, with whatever credentials were in it; `shown` is the same without any.
        cards: what it lists; empty where it lists nothing.
        vllm: its version where it is a vLLM; empty where that could not be found out.
    """

    url: str
    cards: tuple[Card, ...] = ()
    is_vllm: bool = False
    vllm: tuple[int, ...] = ()

    @property
    def shown(self) -> str:
        """The address for messages and provenance."""
        return shown(self.url)


def shown(url: str) -> str:
    """An address without user, password, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def addressed(server: Server) -> Server:
    """With an address. Raises `WiringError` where none is given: no film goes to a default one by accident."""
    if server.url is None:
        given = Server(os.environ.get("OPENAI_BASE_URL") or None)
        server = replace(server, url=given.url, model=server.model or given.model)
    url = server.url
    if not url:
        raise WiringError(
            "no server was named; give its address, such as server='http://127.0.0.1:8000/v1' (--server), or set "
            "OPENAI_BASE_URL"
        )
    if not _is_address(url):
        told = url.rpartition("@")[2]
        raise WiringError(f"{told!r} is no address of a server; wanted one such as 'http://127.0.0.1:8000/v1'")
    return server


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool((parts.hostname or "").encode("idna")) and parts.port != 0
    except ValueError:  # brackets that do not close, a port that is no number or above 65535, no letters of a name
        return False


def client(url: str, *, timeout_s: float, retries: int) -> AsyncOpenAI:
    """A client of that server, to be closed by the caller.

    Raises `MissingExtraError`, or `WiringError` for a key that no request can carry.
    """
    try:
        from openai import AsyncOpenAI
    except ModuleNotFoundError as error:
        raise MissingExtraError("openai", "openai") from error
    key = os.environ.get("OPENAI_API_KEY") or NO_KEY
    if not key.isascii() or not key.isprintable() or " " in key:
        raise WiringError(
            "OPENAI_API_KEY holds what no key has (blanks, line ends, or letters outside ASCII); set it anew"
        )
    return AsyncOpenAI(api_key=key, base_url=url, timeout=timeout_s, max_retries=retries)


def reach(server: Server) -> Host:
    """Ask a server with an address what it serves. Raises `WiringError` where it does not answer or refuses the key."""
    url = str(server.url)
    return run(lambda: _reach(url, min(server.timeout_s, _FIRST_TIMEOUT_S)))


async def _reach(url: str, timeout_s: float) -> Host:
    async with client(url, timeout_s=timeout_s, retries=_FIRST_RETRIES) as open_client:
        from openai import APIConnectionError, APIStatusError

        try:
            listed = await open_client.get("/models", cast_to=object)
        except APIConnectionError as error:
            raise WiringError(
                f"no server answers at {shown(url)}; start one (vllm serve MODEL), or name another (--server)"
            ) from error
        except APIStatusError as error:
            if error.status_code in (401, 403):
                raise WiringError(
                    f"{shown(url)} refuses the key (HTTP {error.status_code}); set OPENAI_API_KEY"
                ) from error
            listed = None  # not every server lists what it has
        except UNREADABLE:
            listed = None
        cards = _cards(listed)
        is_vllm = any(card.owner == "vllm" for card in cards)
        return Host(url, cards, is_vllm, await _version(open_client, url) if is_vllm else ())


async def _version(open_client: AsyncOpenAI, url: str) -> tuple[int, ...]:
    """vLLM's version, which it tells beside its `/v1`; empty where a proxy hides that."""
    from openai import OpenAIError

    root = url.rstrip("/").removesuffix("/v1")
    try:
        told = await open_client.get(f"{root}/version", cast_to=object)
    except (OpenAIError, *UNREADABLE):
        return ()
    version = str(told.get("version", "")) if isinstance(told, Mapping) else ""
    numbers = []
    for part in version.split(".")[:2]:
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers)


def _cards(listed: object) -> tuple[Card, ...]:
    data = listed.get("data") if isinstance(listed, Mapping) else None
    rows = [row for row in data if isinstance(row, Mapping)] if isinstance(data, list) else []
    return tuple(
        Card(row["id"], _text(row, "root"), _text(row, "parent"), _text(row, "owned_by"), _whole(row, "max_model_len"))
        for row in rows
        if isinstance(row.get("id"), str)
    )


def _text(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    return value if isinstance(value, str) else None


def _whole(row: Mapping[str, Any], name: str) -> int | None:
    value = row.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def refused(error: APIStatusError, hint: str = "") -> Problem:
    """What a status other than success says, as the problem of one sample."""
    code = "engine_failed" if error.status_code >= 500 or error.status_code in (408, 409, 429) else "engine_refused"
    return Problem(code, f"the server answered HTTP {error.status_code}: {said(error)}{hint}", "engine", fatal=True)


def failed(what: str) -> Problem:
    """An attempt that gave no usable response, as the problem of one sample."""
    return Problem("engine_failed", what, "engine", fatal=True)


def said(error: APIStatusError) -> str:
    """A server's own words, as `line` writes them."""
    return reason(error.body)


def reason(body: object) -> str:
    """Why, out of the body of an error: a server's own words, as `line` writes them."""
    told = body.get("message") or body.get("detail") or body.get("error") if isinstance(body, Mapping) else body
    return line(told or "no reason given")


def line(words: object) -> str:
    """Somebody else's words in one line of bounded length, without signs that would move a terminal's cursor."""
    text = " ".join("".join(sign if sign.isprintable() else " " for sign in str(words)).split())
    return text if len(text) <= _SAID_MAX else f"{text[:_SAID_MAX]}…"
