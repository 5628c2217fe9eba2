"""Rows of frozen encoders: computed once, found again, never wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from tests.training import toy
from vlmkit.errors import DataError
from vlmkit.model import Model
from vlmkit.training.cache import FeatureCache, Kept, cache_folder, fingerprint
from vlmkit.training.data import Rows, prepare
from vlmkit.types import Clip, Features, Image, Problem, Sample, Sound


def _read(model: Model[Any], samples: Sequence[Sample], folder: Path) -> tuple[Rows, FeatureCache]:
    cache = FeatureCache(folder)
    rows, _ = prepare(model, samples, [toy.ALIGN], cache)
    return rows, cache


def _work(model: Model[Any]) -> list[int]:
    return [count for one in model.encoders for count in (one.decoded, one.encoded)]  # type: ignore[attr-defined]


def _same(one: Rows, other: Rows) -> bool:
    return all(
        (a.prepared.facts, a.prepared.problems) == (b.prepared.facts, b.prepared.problems)
        and a.kept.keys() == b.kept.keys()
        and all(_equal(a.kept[modality], b.kept[modality]) for modality in a.kept)
        for a, b in zip(one.items, other.items, strict=True)
    )


def _equal(one: Features, other: Features) -> bool:
    times = one.times_s is other.times_s or (
        one.times_s is not None and other.times_s is not None and one.times_s.equal(other.times_s)
    )
    # The same text in two places of a batch differs in its last bit, and has one name.
    return torch.allclose(one.values, other.values, atol=1e-6) and one.lengths == other.lengths and times


def test_a_second_run_decodes_and_encodes_nothing(tmp_path: Path) -> None:
    samples = toy.samples(12)
    first, second = toy.model(), toy.model()
    rows, cache = _read(first, samples, tmp_path)
    given = sum(len(one.media) + bool(one.text) for one in samples)
    assert (cache.read, cache.encoded) == (0, given)
    assert _work(first)[:4] == [sum(name in one.media for one in samples) for name in ("image", "audio") for _ in "12"]
    again, cache = _read(second, samples, tmp_path)
    assert (cache.read, cache.encoded) == (given, 0)
    assert not any(_work(second))
    assert _same(rows, again)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == sum(len(one.media) for one in samples) + len({one.text for one in samples} - {None})
    assert all(path.suffix == ".safetensors" and path.parent.name == path.stem[:2] for path in files)


def test_the_rows_are_those_that_an_answer_is_made_from(tmp_path: Path) -> None:
    model, samples = toy.model(), toy.samples(9)
    rows, _ = _read(model, samples, tmp_path)
    with torch.no_grad():
        wanted = model.features([model.prepare(sample) for sample in samples])
    for modality, features in wanted.items():
        found = torch.cat([row.kept[modality].values for row in rows.items])
        assert torch.allclose(found, features.values, atol=1e-6)
        assert tuple(row.kept[modality].lengths[0] for row in rows.items) == features.lengths
    assert rows.items[0].prepared.inputs == ({}, {}, {})  # no pixels are kept


def _loud(sample: Sample) -> Sample:
    return replace(sample, media={"image": Image(np.full((2, 2, 3), 255, np.uint8))})


def test_notes_and_facts_come_out_of_the_cache_too(tmp_path: Path) -> None:
    sample = _loud(toy.samples(1)[0])
    before, _ = _read(toy.model(), [sample], tmp_path)
    after, cache = _read(toy.model(), [sample], tmp_path)
    assert cache.encoded == 0
    for rows in (before, after):
        (one,) = rows.prepared
        assert one.problems == (Problem("loud", "it is loud", "image"),)
        assert one.facts["image_mean"] == 255.0


CHANGES: dict[str, Callable[[Model[Any], list[Sample]], Any]] = {
    "weights": lambda model, samples: model.encoders[0].module[0].weight.data.add_(1e-3),  # type: ignore[index]
    "running statistics": lambda model, samples: model.encoders[0].module[1].running_mean.add_(1),  # type: ignore[index]
    "preprocessing": lambda model, samples: setattr(model.encoders[0], "spec", {"image": {"width": 13}}),
    "type of weights": lambda model, samples: model.encoders[0].module.double(),
    "bytes": lambda model, samples: samples.__setitem__(0, _loud(samples[0])),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_decides_the_rows_decides_their_name(change: str, tmp_path: Path) -> None:
    samples = [replace(one, text=None) for one in toy.samples(1, lacking=False)]
    samples = [replace(one, media={"image": one.media["image"]}) for one in samples]
    _read(toy.model(), samples, tmp_path)
    model = toy.model()
    CHANGES[change](model, samples)
    _, cache = _read(model, samples, tmp_path)
    assert (cache.read, cache.encoded) == (0, 1)


def test_names_of_files_and_samples_decide_nothing_and_windows_do(tmp_path: Path) -> None:
    encoder, cache = toy.model().encoders[1], FeatureCache(tmp_path / "cache")
    mark = fingerprint(encoder)
    one, other = tmp_path / "one.wav", tmp_path / "other.wav"
    one.write_bytes(b"a sound")
    other.write_bytes(b"a sound")

    def name(sound: Any, id: str = "a", text: str | None = None) -> str | None:
        return cache.key(encoder, mark, Sample(id, {"audio": sound}, text), "audio")

    key = name(Sound(one))
    assert key is not None
    assert key == name(Sound(other)) == name(Sound(str(one)), id="b", text="this encoder reads no text")
    others = [Sound(one, start_s=1.0), Sound(one, end_s=1.0), Sound(one, rate_hz=8), Clip(one), Sound(b"another")]
    assert len({key, *map(name, others)}) == 6
    one.write_bytes(b"a longer sound")
    assert name(Sound(one)) != key
    assert name(Sound(tmp_path / "absent.wav")) is None


@pytest.mark.parametrize("kind", ["empty", "cut", "flipped", "foreign", "wrong width", "of another name"])
def test_a_damaged_file_is_computed_again_with_a_warning(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    samples = toy.samples(1, lacking=False)
    good, _ = _read(toy.model(), samples, tmp_path)
    path = max(tmp_path.rglob("*.safetensors"), key=lambda path: path.stat().st_size)
    whole = path.read_bytes()
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "cut":
        path.write_bytes(whole[:-8])
    elif kind == "flipped":
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    elif kind == "foreign":
        save_file({"x": torch.zeros(1)}, path)
    elif kind == "wrong width":
        with safe_open(path, "pt") as file:
            save_file({"values": file.get_tensor("values")[:, :3].contiguous()}, path, file.metadata())
    else:
        other = min(tmp_path.rglob("*.safetensors"), key=lambda path: path.stat().st_size)
        path.write_bytes(other.read_bytes())
    with caplog.at_level(logging.WARNING):
        rows, cache = _read(toy.model(), samples, tmp_path)
    assert (cache.read, cache.encoded) == (2, 1)
    assert _same(good, rows)
    assert [record.message.startswith(f"{path}: damaged") for record in caplog.records] == [True]
    assert path.read_bytes() == whole
    assert _read(toy.model(), samples, tmp_path)[1].read == 3


def test_failures_are_never_kept(tmp_path: Path) -> None:
    bad = Sample("bad", {"image": Image(np.zeros((3, 3, 3), np.uint8))})
    for _ in range(2):
        model = toy.model()
        with pytest.raises(DataError, match="corrupt: 27 numbers, wanted 12"):
            _read(model, [bad], tmp_path)
        assert _work(model)[0] == 1
    rows, bad_ones = prepare(toy.model(), [bad, *toy.samples(2)], [toy.ALIGN], FeatureCache(tmp_path))
    assert (len(rows), list(bad_ones)) == (2, ["bad"])


def test_a_folder_that_cannot_be_written_costs_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    rows, cache = _read(toy.model(), toy.samples(3), tmp_path / "file" / "cache")
    assert (len(rows), cache.read) == (3, 0)
    assert [record.message.partition(" (")[0] for record in caplog.records] == [
        f"{tmp_path / 'file' / 'cache'}: rows cannot be kept"
    ]


def test_every_kind_of_row_survives(tmp_path: Path) -> None:
    # What a native model gives: half precision, deepstack layers, a grid and a step.
    rows = Features(
        torch.randn(4, 3).bfloat16(),
        (4,),
        times_s=torch.tensor([0.0, 0.0, 0.5, 0.5]),
        grid=torch.tensor([[2, 2, 4]]),
        deep=(torch.randn(4, 3), torch.randn(4, 3)),
        step_s=torch.tensor([0.5]),
    )
    cache = FeatureCache(tmp_path)
    cache.put("ab" * 32, Kept(rows, {"video_s": 5.0}, (Problem("odd", "odd"),)))
    found = cache.get("ab" * 32, 3)
    assert found is not None
    assert (found.facts, found.notes) == ({"video_s": 5.0}, (Problem("odd", "odd"),))
    assert found.features.lengths == (4,)
    for name in ("values", "times_s", "grid", "step_s"):
        assert getattr(found.features, name).equal(getattr(rows, name))
    assert [a.equal(b) for a, b in zip(found.features.deep, rows.deep, strict=True)] == [True, True]
    cache.put("cd" * 32, Kept(rows, {"odd": {1, 2}}))  # JSON has no sets: not kept, rather than kept as something else
    cache.put("ef" * 32, Kept(rows, {"odd": (1, 2)}))
    assert cache.get("cd" * 32, 3) is cache.get("ef" * 32, 3) is None


def test_where_rows_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VLMKIT_CACHE", str(tmp_path / "named"))
    assert cache_folder(None) == tmp_path / "named"
    assert cache_folder("given") == Path("given")
    monkeypatch.delenv("VLMKIT_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder(None) == tmp_path / ".cache" / "vlmkit" / "features"
