"""The engine "openai": any server that speaks OpenAI's chat completions, such as `vllm serve`.

`client` connects, `served` finds out which model is meant, `asking` writes a request, `ways` leaves out of it what a
server cannot do, `replied` reads the response, and `engine` keeps several requests under way.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vlmkit.errors import WiringError
from vlmkit.llms.openai.client import addressed, reach
from vlmkit.llms.openai.engine import OpenAi as OpenAi
from vlmkit.llms.openai.served import choose
from vlmkit.remote import Server

if TYPE_CHECKING:
    from vlmkit.media.spec import ImageSpec, VideoSpec
    from vlmkit.task import BuildOptions


def open_openai(options: BuildOptions, source: str | Path, *, video: VideoSpec, image: ImageSpec) -> OpenAi:
    """The server that `options` name, asked what it serves.

    Args:
        source: hub id or directory of the head's base: what the server has to serve, unless `options.server.model`
            says which model is meant.

    Raises `MissingExtraError` without the openai package; `WiringError` for options that are the server's own, no
    address, a server that does not answer, or one that does not serve that model; `AdapterError` for an adapter that
    it does not serve.
    """
    del image  # pictures come opened; nothing else of its spec matters
    _refuse(options)
    server = addressed(options.server or Server())
    host = reach(server)
    adapter = str(options.adapter) if options.adapter is not None else None
    return OpenAi(server, host, choose(host, source, server.model, adapter), video)


def _refuse(options: BuildOptions) -> None:
    own = {"device": options.device, "precision": options.precision}
    for name, value in own.items():
        if value != "auto":
            raise WiringError(f"{name}={value!r}: a server has a {name} of its own; leave {name} out (--{name})")
    if options.weights == "random":
        raise WiringError("weights='random' are made in this process, not on a server; leave weights out (--weights)")
