"""Held-out samples: by name, together with what belongs together."""

from __future__ import annotations

import pytest

from vlmkit.errors import DataError, VlmkitError
from vlmkit.training.split import hold_out
from vlmkit.types import Sample


def _named(n: int, **meta: str) -> list[Sample]:
    return [Sample(f"a{index}", meta=meta) for index in range(n)]


def test_a_name_stays_on_its_side_whatever_else_there_is() -> None:
    many = _named(400)
    learned, held = hold_out(many, 0.2)
    assert 50 < len(held) < 110
    assert sorted(one.id for one in learned + held) == sorted(one.id for one in many)
    sides = {one.id for one in held}
    for some in (many[:100], many[::-1], many[::3]):
        assert {one.id for one in hold_out(some, 0.2)[1]} == sides & {one.id for one in some}
    assert sides <= {one.id for one in hold_out(many, 0.3)[1]}


@pytest.mark.parametrize("name", ["group", "source", "subject"])
def test_what_belongs_together_stays_together(name: str) -> None:
    samples = [Sample(f"a{index}", meta={name: f"film {index % 40}"}) for index in range(200)]
    learned, held = hold_out(samples, 0.2)
    sides = [{one.meta[name] for one in side} for side in (learned, held)]
    assert sides[0] and sides[1] and not sides[0] & sides[1]


def test_few_samples_still_leave_two_to_validate_on() -> None:
    learned, held = hold_out(_named(6), 0.001)
    assert (len(learned), len(held)) == (4, 2)
    assert hold_out(_named(6), 0.001)[1] == held


def test_what_cannot_be_split_is_refused() -> None:
    with pytest.raises(DataError, match="2 samples are too few"):
        hold_out(_named(2), 0.1)
    with pytest.raises(DataError, match="too few"):
        hold_out(_named(9, group="one"), 0.1)
    for share in (0.0, 1.0, -1.0):
        with pytest.raises(VlmkitError, match="val_share lies between 0 and 1"):
            hold_out(_named(9), share)
