"""Held-out samples: by name, together with what belongs together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from vlmkit.errors import DataError, VlmkitError
from vlmkit.training.split import hold_out
from vlmkit.types import Clip, Image, Media, Modality, Sample, Sound


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


def test_any_of_the_three_keeps_samples_together() -> None:
    # Pairs by source, each sample with a group of its own; and chains of group, then subject.
    pairs = [Sample(f"a{i}", meta={"group": f"g{i}", "source": f"film {i // 2}"}) for i in range(200)]
    learned, held = hold_out(pairs, 0.3)
    sides = [{one.meta["source"] for one in side} for side in (learned, held)]
    assert sides[0] and not sides[0] & sides[1]
    assert 30 < len(held) < 100
    assert hold_out(pairs[::-1], 0.3)[1][::-1] == held
    links: tuple[tuple[str, ...], ...] = (("group",), ("group", "subject"), ("subject",))
    chains = [
        Sample(f"c{i}-{part}", meta=dict.fromkeys(names, i)) for i in range(100) for part, names in enumerate(links)
    ]
    sides = [{one.id.split("-")[0] for one in side} for side in hold_out(chains, 0.3)]
    assert sides[0] and sides[1] and not sides[0] & sides[1]


def test_the_value_of_one_name_is_not_that_of_another() -> None:
    samples = [Sample(f"a{i}", meta={"group" if i % 2 else "subject": "one"}) for i in range(8)]
    assert [len(side) for side in hold_out(samples, 0.5)] == [4, 4]


def test_equal_content_stays_together(tmp_path: Path) -> None:
    samples = []
    for i in range(100):
        for copy in ("a", "b"):
            path = tmp_path / f"{i}-{copy}.png"
            path.write_bytes(b"%03d" % i)
            samples.append(Sample(f"{copy}{i}", {"image": Image(path)}))
    learned, held = hold_out(samples, 0.3)
    sides = [{one.id[1:] for one in side} for side in (learned, held)]
    assert sides[0] and sides[1] and not sides[0] & sides[1]
    assert 30 < len(held) < 100


def test_one_source_in_two_samples_stays_together(tmp_path: Path) -> None:
    tone = np.zeros((1, 4), np.float32)
    (tmp_path / "film.mp4").write_bytes(b"film")
    media: tuple[Callable[[int], Mapping[Modality, Media]], ...] = (
        lambda i: {"image": Image(b"%d" % i)},
        lambda i: {"audio": Sound(tone + i, rate_hz=8000)},
        lambda i: {"video": Clip(tmp_path / f"not-there-{i}.mp4")},
    )
    for made in media:
        samples = [Sample(f"{copy}{i}", made(i)) for i in range(40) for copy in "ab"]
        sides = [{one.id[1:] for one in side} for side in hold_out(samples, 0.3)]
        assert sides[0] and sides[1] and not sides[0] & sides[1]
    windows = [Sample(f"w{i}", {"video": Clip(tmp_path / "film.mp4", start_s=i, end_s=i + 1)}) for i in range(9)]
    with pytest.raises(DataError, match="too few"):
        hold_out(windows, 0.3)


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
