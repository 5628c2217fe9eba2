"""The five hooks. Each receives `register(name, "package.module:factory", summary=...)`."""

from __future__ import annotations

from typing import Protocol

import pluggy

hookspec = pluggy.HookspecMarker("vlmkit")
hookimpl = pluggy.HookimplMarker("vlmkit")


class Register(Protocol):
    """Adds one object. The dotted factory is imported on first use, so listing imports nothing heavy."""

    def __call__(self, name: str, factory: str, *, summary: str) -> None: ...


@hookspec
def vlmkit_register_tasks(register: Register) -> None:
    """Add tasks.

    :param register: the factory takes no argument and returns a :class:`vlmkit.task.Task`.
    """


@hookspec
def vlmkit_register_encoders(register: Register) -> None:
    """Add encoders.

    :param register: the factory takes keyword arguments and returns a :class:`vlmkit.protocols.Encoder`.
    """


@hookspec
def vlmkit_register_projectors(register: Register) -> None:
    """Add projectors.

    :param register: the factory takes keyword arguments and returns a :class:`vlmkit.protocols.Projector`.
    """


@hookspec
def vlmkit_register_llms(register: Register) -> None:
    """Add language models and engines.

    :param register: the factory takes keyword arguments and returns a :class:`vlmkit.protocols.LanguageModel`.
    """


@hookspec
def vlmkit_register_decoders(register: Register) -> None:
    """Add decoders.

    :param register: the factory takes keyword arguments and returns a :class:`vlmkit.protocols.Decoder`.
    """
