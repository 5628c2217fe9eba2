"""The two class lists of match events as data: one canonical name a class, its aliases, and how each list writes it.

The lists are incompatible: four classes are in both, four in one of them only each. `ontology.json` holds both, so that
rows of either are read into one vocabulary, and answers are written back in the spelling that a program expects.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from vlmkit.errors import DataError, UnknownNameError
from vlmkit_plugins.football.schema import EventClass


@dataclass(frozen=True)
class Entry:
    """One class, what else it is called, and what it means."""

    name: EventClass
    aliases: tuple[str, ...]
    definition: str


@dataclass(frozen=True)
class ClassList:
    """One of the lists in use: its classes in its own order, each with the spelling that it has there."""

    name: str
    about: str
    names: tuple[tuple[EventClass, str], ...]

    @property
    def classes(self) -> tuple[EventClass, ...]:
        """Canonical names, in the list's order."""
        return tuple(name for name, _ in self.names)

    @property
    def spellings(self) -> tuple[str, ...]:
        """The same as the list writes them."""
        return tuple(spelling for _, spelling in self.names)


@dataclass(frozen=True)
class Ontology:
    """Classes and lists. Lookups ignore case, blanks, `_` and every kind of dash."""

    version: str
    events: tuple[Entry, ...]
    lists: tuple[ClassList, ...]

    def resolve(self, label: str) -> EventClass | None:
        """The canonical name of a class for a name, an alias or a list's spelling; None for what stands for none."""
        return _index(self).get(_key(label)) if isinstance(label, str) else None

    def listed(self, name: str) -> ClassList:
        """A list by its name. Raises `UnknownNameError`."""
        found = {one.name: one for one in self.lists}
        if name not in found:
            raise UnknownNameError("class list", name, found)
        return found[name]

    def spelled(self, label: str, listed: str) -> str:
        """How a list writes a class. Raises `UnknownNameError` for no class, no list, or a class that is not in it."""
        names = dict(self.listed(listed).names)
        known = self.resolve(label)
        if known is None or known not in names:
            raise UnknownNameError(f"class of the list {listed!r}", label, names.values())
        return names[known]


@cache
def load() -> Ontology:
    """The ontology of this package."""
    raw = json.loads(files(__package__).joinpath("ontology.json").read_text(encoding="utf-8"))
    events = tuple(Entry(e["name"], tuple(e["aliases"]), e["definition"]) for e in raw["events"])
    lists = tuple(ClassList(e["name"], e["about"], tuple((n, s) for n, s in e["names"])) for e in raw["lists"])
    return Ontology(raw["version"], events, lists)


def resolve(label: str) -> EventClass | None:
    """`Ontology.resolve` of this package's ontology."""
    return load().resolve(label)


def spelled(label: str, listed: str) -> str:
    """`Ontology.spelled` of this package's ontology; the lists are `broadcast` and `late`."""
    return load().spelled(label, listed)


@cache
def _index(ontology: Ontology) -> dict[str, EventClass]:
    index: dict[str, EventClass] = {}
    pairs = [(label, entry.name) for entry in ontology.events for label in (entry.name, *entry.aliases)]
    pairs += [(spelling, name) for one in ontology.lists for name, spelling in one.names]
    for label, name in pairs:
        if index.setdefault(_key(label), name) != name:
            raise DataError(f"ontology.json: {label!r} stands for both {index[_key(label)]!r} and {name!r}")
    return index


def _key(label: str) -> str:
    plain = unicodedata.normalize("NFKC", label).casefold()
    return "".join(sign for sign in plain if sign != "_" and unicodedata.category(sign) not in ("Pd", "Zs", "Cc"))
