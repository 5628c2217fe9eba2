from __future__ import annotations

from collections import Counter

import pytest

from vlmkit.errors import DataError
from vlmkit.types import Sample
from vlmkit_plugins.warehouse.grammar import CYCLE, grammar_ceiling, successors
from vlmkit_plugins.warehouse.schema import OPERATIONS
from vlmkit_plugins.warehouse.synth import tell


def samples(n: int) -> list[Sample]:
    stories = [tell(5, index) for index in range(n)]
    return [Sample(str(k), truth=s.truth, meta={"timeline": s.timeline}) for k, s in enumerate(stories)]


def test_every_operation_has_three_successors_and_none_is_favoured() -> None:
    assert sorted(CYCLE) == sorted(OPERATIONS)
    into: Counter[str] = Counter()
    for name in CYCLE:
        assert sorted(successors(name).values()) == [0.10, 0.15, 0.75]
        assert name not in successors(name)
        into.update(list(successors(name)))
    assert set(into.values()) == {3}


def test_the_ceiling_is_three_quarters_and_the_oracle_is_near_it() -> None:
    ceiling = grammar_ceiling(samples(2000))
    assert ceiling.expected == pytest.approx(0.75)
    assert ceiling.oracle == pytest.approx(0.75, abs=0.03)
    assert ceiling.n == 2000


def test_the_ceiling_needs_a_timeline() -> None:
    with pytest.raises(DataError, match="a7: the ceiling needs a timeline"):
        grammar_ceiling([Sample("a7")])
    with pytest.raises(DataError, match="no samples"):
        grammar_ceiling([])
