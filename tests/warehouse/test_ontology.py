from __future__ import annotations

import pytest

from vlmkit.errors import DataError
from vlmkit_plugins.warehouse.ontology import Entry, Ontology, load, resolve
from vlmkit_plugins.warehouse.schema import OPERATIONS


def test_the_data_holds_the_ten_names_with_definitions() -> None:
    assert tuple(entry.name for entry in load().operations) == OPERATIONS
    assert all(entry.definition for entry in load().operations)


def test_the_data_holds_openpacks_ids_with_reasons() -> None:
    ids = [entry.id for entry in load().openpack]
    assert ids == [*range(100, 1001, 100), 8100]
    assert all(entry.why for entry in load().openpack)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Box Setup", "Box Setup"),
        ("box_setup", "Box Setup"),
        ("  BOX-SETUP ", "Box Setup"),
        ("Assemble Box", "Box Setup"),
        (300, "Box Setup"),
        ("300", "Box Setup"),
        (600, "Label"),
        (8200, "Idle"),
        (100, "Unknown"),
        ("Put on Back Table", "Unknown"),
        ("Juggling", None),
        (150, None),
    ],
)
def test_resolve(label: str | int, name: str | None) -> None:
    assert resolve(label) == name


def test_8200_is_folded_into_8100() -> None:
    folded = load().openpack_entry(8200)
    assert folded is not None
    assert folded.id == 8100
    assert load().openpack_entry(150) is None


def test_an_alias_of_two_names_is_refused() -> None:
    twice = Ontology("t", (Entry("Tape", ("Close",), ""), Entry("Pack", ("close",), "")), ())
    with pytest.raises(DataError, match="'close' stands for both"):
        twice.resolve("Tape")
