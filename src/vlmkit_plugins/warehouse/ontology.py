"""The two vocabularies as data: the ten names of the task, and OpenPack's own ids with their mapping.

The data file `ontology.json` says for every OpenPack id which of the ten names it maps to and why. Where that is
ambiguous the mapping is null, and the id resolves to `Unknown`: it is kept and counted, never dropped.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from vlmkit.errors import DataError
from vlmkit_plugins.warehouse.schema import Operation

NULL_ID = 8100
"""OpenPack's id for stretches in which no operation is annotated."""


@dataclass(frozen=True)
class Entry:
    """One of the ten names, what else it is called, and what it means."""

    name: Operation
    aliases: tuple[str, ...]
    definition: str


@dataclass(frozen=True)
class OpenPackEntry:
    """One OpenPack id. `maps_to` is None where no name fits; `why` says so; `folded` are ids read as this one."""

    id: int
    name: str
    maps_to: Operation | None
    why: str
    folded: tuple[int, ...] = ()


@dataclass(frozen=True)
class Ontology:
    """Both vocabularies. Lookups ignore case, and treat `-`, `_` and runs of blanks as one blank."""

    version: str
    operations: tuple[Entry, ...]
    openpack: tuple[OpenPackEntry, ...]

    def resolve(self, label: str | int) -> Operation | None:
        """One of the ten names for a name, an alias, or an OpenPack id or name; None for an unknown label.

        An OpenPack id whose mapping is null resolves to `Unknown`: it is known, and known not to fit.
        """
        return self._index().get(_key(label))

    def openpack_entry(self, operation_id: int) -> OpenPackEntry | None:
        """By id, folded ids included; None for an id that OpenPack does not have."""
        for entry in self.openpack:
            if operation_id == entry.id or operation_id in entry.folded:
                return entry
        return None

    def _index(self) -> dict[str, Operation]:
        return _index(self)


@cache
def load() -> Ontology:
    """The ontology of this package."""
    raw = json.loads(files(__package__).joinpath("ontology.json").read_text(encoding="utf-8"))
    operations = tuple(Entry(e["name"], tuple(e["aliases"]), e["definition"]) for e in raw["operations"])
    openpack = tuple(
        OpenPackEntry(e["id"], e["name"], e["maps_to"], e["why"], tuple(e.get("folded", ()))) for e in raw["openpack"]
    )
    return Ontology(raw["version"], operations, openpack)


def resolve(label: str | int) -> Operation | None:
    """`Ontology.resolve` of this package's ontology."""
    return load().resolve(label)


@cache
def _index(ontology: Ontology) -> dict[str, Operation]:
    index: dict[str, Operation] = {}
    pairs: list[tuple[str | int, Operation]] = []
    for entry in ontology.operations:
        pairs += [(label, entry.name) for label in (entry.name, *entry.aliases)]
    for known in ontology.openpack:
        labels: tuple[str | int, ...] = (known.name, known.id, *known.folded)
        pairs += [(label, known.maps_to or "Unknown") for label in labels]
    for label, name in pairs:
        if index.setdefault(_key(label), name) != name:
            raise DataError(f"ontology.json: {label!r} stands for both {index[_key(label)]!r} and {name!r}")
    return index


def _key(label: str | int) -> str:
    return " ".join(str(label).replace("_", " ").replace("-", " ").split()).casefold()
