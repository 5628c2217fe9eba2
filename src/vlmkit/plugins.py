"""Finding plugins by entry point, and the one registry of what they bring."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

import pluggy

from vlmkit import hookspecs
from vlmkit.errors import PluginError, UnknownNameError

GROUP = "vlmkit"
Kind = Literal["tasks", "encoders", "projectors", "llms", "decoders"]
KINDS: tuple[Kind, ...] = ("tasks", "encoders", "projectors", "llms", "decoders")


@dataclass(frozen=True)
class Entry:
    """One registered object: its name, where its factory is, who brought it."""

    name: str
    factory: str
    summary: str
    provider: str

    def resolve(self) -> Any:
        """Import the factory. Raises `PluginError` naming provider and path."""
        module, _, attribute = self.factory.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise PluginError(f"{self.provider}: cannot resolve {self.factory!r} for {self.name!r}: {error}") from error


@dataclass(frozen=True)
class Plugin:
    """One entry point and how loading it went."""

    name: str
    package: str
    version: str
    error: str | None = None


class Registry:
    """What is registered, by kind and exact name. Two providers of one name are an error that names both."""

    def __init__(self) -> None:
        self._entries: dict[Kind, dict[str, Entry]] = {kind: {} for kind in KINDS}

    def add(self, kind: Kind, entry: Entry) -> None:
        """Raises `PluginError` for a second provider of the name or a factory that is no `module:attribute`."""
        known = self._entries[kind]
        if entry.name in known:
            raise PluginError(
                f"{kind}: {entry.name!r} is registered by {known[entry.name].provider!r} and by {entry.provider!r}"
            )
        if ":" not in entry.factory:
            raise PluginError(f"{entry.provider}: {entry.factory!r} is not of the form 'package.module:factory'")
        known[entry.name] = entry

    def entries(self, kind: Kind) -> tuple[Entry, ...]:
        """All of one kind, by name."""
        return tuple(self._entries[kind][name] for name in sorted(self._entries[kind]))

    def get(self, kind: Kind, name: str) -> Any:
        """The resolved factory. Raises `UnknownNameError` listing the choices."""
        try:
            entry = self._entries[kind][name]
        except KeyError:
            raise UnknownNameError(kind.rstrip("s"), name, self._entries[kind]) from None
        return entry.resolve()


@dataclass(frozen=True)
class Installed:
    """The registry, and every plugin with how loading it went."""

    registry: Registry
    plugins: tuple[Plugin, ...]


def load(points: Iterator[EntryPoint] | None = None, allow: str | None = None) -> Installed:
    """Load entry points into a fresh registry. A plugin that fails is reported and never breaks the others.

    Args:
        points: entry points to load; those of group `vlmkit` when not given.
        allow: comma-separated names; `VLMKIT_PLUGINS` when not given; empty text loads none.
    """
    allow = os.environ.get("VLMKIT_PLUGINS") if allow is None else allow
    wanted = None if allow is None else {name.strip() for name in allow.split(",") if name.strip()}
    manager = pluggy.PluginManager("vlmkit")
    manager.add_hookspecs(hookspecs)
    registry = Registry()
    plugins = []
    for point in sorted(points if points is not None else entry_points(group=GROUP), key=lambda p: p.name):
        if wanted is not None and point.name not in wanted:
            continue
        package = point.dist.name if point.dist else "?"
        version = point.dist.version if point.dist else "?"
        error = _register(manager, registry, point)
        plugins.append(Plugin(point.name, package, version, error))
    return Installed(registry, tuple(plugins))


def _register(manager: pluggy.PluginManager, registry: Registry, point: EntryPoint) -> str | None:
    try:
        module = point.load()
        manager.register(module, name=point.name)
        for kind in KINDS:
            caller = getattr(manager.hook, f"vlmkit_register_{kind}")
            for implementation in caller.get_hookimpls():
                if implementation.plugin is module:  # one at a time: the registry has to know who speaks
                    implementation.function(register=_registrar(registry, kind, point.name))
    except PluginError:
        raise
    except Exception as error:  # a plugin is somebody else's code: anything may come, and must not stop the rest
        return f"{type(error).__name__}: {error}"
    return None


def _registrar(registry: Registry, kind: Kind, provider: str) -> hookspecs.Register:
    def register(name: str, factory: str, *, summary: str) -> None:
        registry.add(kind, Entry(name, factory, summary, provider))

    return register


@cache
def installed() -> Installed:
    """What this process has, loaded once."""
    return load()


def tasks() -> tuple[str, ...]:
    """Names of the registered tasks, without importing any of them."""
    return tuple(entry.name for entry in installed().registry.entries("tasks"))
