"""Finding plugins by entry point, and the one registry of what they bring."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

import pluggy

from vlmkit import hookspecs
from vlmkit.errors import PluginError, UnknownNameError, VlmkitError

GROUP = "vlmkit"
Kind = Literal["tasks", "encoders", "projectors", "llms", "decoders"]
KINDS: tuple[Kind, ...] = ("tasks", "encoders", "projectors", "llms", "decoders")
_HOOKS = {kind: f"vlmkit_register_{kind}" for kind in KINDS}


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
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # somebody else's code: a SyntaxError, a sys.exit(), a panic of an extension
            message = f"{self.provider}: cannot resolve {self.factory!r} for {self.name!r}: {_reason(error)}"
            raise PluginError(message) from error


@dataclass(frozen=True)
class Plugin:
    """One entry point and how loading it went."""

    name: str
    package: str
    version: str
    error: str | None = None


class Registry:
    """What is registered, by kind and exact name. A name that two plugins bring is nobody's until one of them goes."""

    def __init__(self) -> None:
        self._claims: dict[Kind, dict[str, tuple[Entry, ...]]] = {kind: {} for kind in KINDS}

    def add(self, kind: Kind, entry: Entry) -> None:
        """A second provider of a name is no error here but where the name is looked up.

        Raises `PluginError` for a name that its provider has already registered, for one that is empty or no text, and
        for a factory that is no `package.module:factory`.
        """
        if not (isinstance(entry.name, str) and entry.name):
            raise PluginError(f"{entry.provider}: {kind}: {entry.name!r} is no name; wanted: text that is not empty")
        if not (isinstance(entry.factory, str) and all(entry.factory.partition(":"))):
            raise PluginError(
                f"{entry.provider}: {kind}: {entry.name!r}: the factory {entry.factory!r} is not of the form "
                "'package.module:factory'"
            )
        claims = self._claims[kind].get(entry.name, ())
        if any(claim.provider == entry.provider for claim in claims):
            raise PluginError(f"{entry.provider}: {kind}: {entry.name!r} is registered twice")
        self._claims[kind][entry.name] = (*claims, entry)

    def merge(self, other: Registry) -> None:
        """Add all that another registry holds; raises what `add` raises."""
        for kind in KINDS:
            for claims in other._claims[kind].values():
                for entry in claims:
                    self.add(kind, entry)

    def entries(self, kind: Kind) -> tuple[Entry, ...]:
        """All of one kind that can be looked up, by name; a name that two plugins bring is among `clashes`."""
        return tuple(claims[0] for _, claims in sorted(self._claims[kind].items()) if len(claims) == 1)

    def clashes(self) -> tuple[str, ...]:
        """One sentence for each name that more than one plugin brings: who they are, and what to do."""
        return tuple(
            _clash(kind, claims)
            for kind in KINDS
            for _, claims in sorted(self._claims[kind].items())
            if len(claims) > 1
        )

    def get(self, kind: Kind, name: str) -> Any:
        """The resolved factory.

        Raises `UnknownNameError` listing the choices, and `PluginError` for a name that two plugins bring or a factory
        that cannot be imported.
        """
        claims = self._claims[kind].get(name, ())
        if not claims:
            raise UnknownNameError(kind.rstrip("s"), name, (entry.name for entry in self.entries(kind)))
        if len(claims) > 1:
            raise PluginError(_clash(kind, claims))
        return claims[0].resolve()


@dataclass(frozen=True)
class Installed:
    """The registry, and every plugin with how loading it went.

    Args:
        registry: what the plugins that loaded have registered.
        plugins: every entry point that was to be loaded.
        unmatched: one sentence for each name of the allow-list that no entry point has.
    """

    registry: Registry
    plugins: tuple[Plugin, ...]
    unmatched: tuple[str, ...] = ()

    def faults(self) -> tuple[str, ...]:
        """One sentence for each thing that is wrong and that no plugin did alone: `unmatched` and the clashes."""
        return self.unmatched + self.registry.clashes()


def load(points: Iterable[EntryPoint] | None = None, allow: str | None = None) -> Installed:
    """Load entry points into a fresh registry. A plugin that fails is reported and never breaks the others.

    A plugin counts whole or not at all: one that fails halfway has registered nothing.

    Args:
        points: entry points to load; those of group `vlmkit` when not given.
        allow: comma-separated names; `VLMKIT_PLUGINS` when not given; empty text loads none.
    """
    allow = os.environ.get("VLMKIT_PLUGINS") if allow is None else allow
    found = sorted(
        ((point.name, *_origin(point), point) for point in (entry_points(group=GROUP) if points is None else points)),
        key=lambda row: row[:3],
    )
    names = {name for name, *_ in found}
    wanted = names if allow is None else {name.strip() for name in allow.split(",") if name.strip()}
    registry = Registry()
    plugins: dict[str, Plugin] = {}
    twins = []
    for name, package, version, point in found:
        if name not in wanted:
            continue
        if name in plugins:  # the name is how people and VLMKIT_PLUGINS tell plugins apart
            error = f"not loaded: the package {plugins[name].package!r} has a plugin of the same name"
            twins.append(Plugin(name, package, version, error))
        else:
            plugins[name] = Plugin(name, package, version, _load_one(registry, point))
    unmatched = (f"VLMKIT_PLUGINS: {UnknownNameError('plugin', name, names)}" for name in sorted(wanted - names))
    return Installed(registry, (*plugins.values(), *twins), tuple(unmatched))


def _origin(point: EntryPoint) -> tuple[str, str]:
    try:
        package, version = (point.dist.name, point.dist.version) if point.dist else (None, None)
    except Exception:  # metadata that are damaged: what is raised depends on the Python
        package, version = None, None
    return package or "?", version or "?"


def _load_one(registry: Registry, point: EntryPoint) -> str | None:
    try:
        registry.merge(_registered(point))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin is somebody else's code: even a sys.exit() must not stop the rest
        return _reason(error)
    return None


def _registered(point: EntryPoint) -> Registry:
    manager = pluggy.PluginManager("vlmkit")  # one a plugin: what is called and checked below is its alone
    manager.add_hookspecs(hookspecs)
    plugin = point.load()
    manager.register(plugin, name=point.name)
    callers = manager.get_hookcallers(plugin) or ()
    if not callers:
        raise PluginError(
            f"{point.value!r} implements no hook; mark with @hookimpl one of: {', '.join(_HOOKS.values())}"
        )
    # What `PluginManager.check_pending` does, but for all of them at once and with a hint.
    unknown = [c.name for c in callers if not c.has_spec() and not all(i.optionalhook for i in c.get_hookimpls())]
    if unknown:
        raise PluginError("; ".join(str(UnknownNameError("hook", name, _HOOKS.values())) for name in unknown))
    scratch = Registry()
    for kind, hook in _HOOKS.items():
        getattr(manager.hook, hook)(register=_registrar(scratch, kind, point.name))
    return scratch


def _registrar(registry: Registry, kind: Kind, provider: str) -> hookspecs.Register:
    def register(name: str, factory: str, *, summary: str) -> None:
        registry.add(kind, Entry(name, factory, summary, provider))

    return register


def _clash(kind: Kind, claims: tuple[Entry, ...]) -> str:
    who = " and by ".join(f"{entry.provider!r} ({entry.factory})" for entry in claims)
    choice = f"uninstall one, or name those to load: VLMKIT_PLUGINS={claims[0].provider}"
    return f"{kind}: {claims[0].name!r} is registered by {who}; {choice}"


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, VlmkitError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@cache
def installed() -> Installed:
    """What this process has, loaded once."""
    return load()


def tasks() -> tuple[str, ...]:
    """Names of the registered tasks, without importing any of them."""
    return tuple(entry.name for entry in installed().registry.entries("tasks"))
