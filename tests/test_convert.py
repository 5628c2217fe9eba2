"""Weights out of a pickle: what is kept, what is said, and that nothing in a hostile file runs."""

from __future__ import annotations

import hashlib
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from tests.encoders.cnn14 import narrow, published
from vlmkit.convert import convert, worker
from vlmkit.encoders.panns import load_cnn14
from vlmkit.errors import CheckpointError, UnsafePickleError, WiringError


class Hostile:
    """What unpickling would run."""

    def __init__(self, run: Any, *arguments: Any) -> None:
        self.call = (run, arguments)

    def __reduce__(self) -> Any:
        return self.call


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def test_a_published_checkpoint_becomes_a_cnn14_with_equal_rows(tmp_path: Path) -> None:
    """The layout of the published files: the weights under `model`, beside the state of the training loop."""
    network = narrow("16k")
    sampler = {"indexes": np.arange(5), "pointer": np.int64(3), "random_state": np.random.RandomState(0).get_state()}
    content = {"iteration": 600_000, "model": OrderedDict(published(network)), "sampler": sampler}
    source, out = saved(tmp_path / "Cnn14_16k_mAP=0.438.pth", content), tmp_path / "cnn14.safetensors"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()

    done = convert(source, out, kind="panns")
    assert (done.path, done.variant, done.wrapper) == (out, "panns cnn14 16k", "model")
    assert (done.sha256, done.left_out) == (digest, ("iteration", "sampler"))
    assert (done.n_tensors, done.n_bytes) == (len(content["model"]), out.stat().st_size)  # type: ignore[arg-type]
    with safe_open(out, "pt") as file:
        assert file.metadata() == {
            "format": "pt", "source": source.name, "source_sha256": digest, "variant": "panns cnn14 16k",
        }  # fmt: skip
    decibels = torch.randn(2, 1, 50, 64)
    assert torch.equal(load_cnn14(out, rate_hz=16_000)(decibels), network(decibels))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([source.name, out.name])  # and nothing else


@pytest.mark.filterwarnings("ignore:Validating sparse tensor invariants")
def test_tensors_of_all_kinds(tmp_path: Path) -> None:
    """Shared, transposed, cut out, half precision, parameters; what is no dense tensor is named."""
    whole = torch.arange(12.0).reshape(3, 4)
    kept = {
        "whole": whole,
        "tied": whole,
        "turned": whole.t(),
        "part": whole[1:, 2:],
        "half": whole.bfloat16(),
        "parameter": nn.Parameter(whole.clone()),
        "count": torch.tensor(7),
    }
    content = {"state_dict": {**kept, "sparse": torch.eye(3).to_sparse(), "name": "x"}, "epoch": 3}
    source, out = saved(tmp_path / "in.ckpt", content), tmp_path / "out.safetensors"
    done = worker.work(source, source.name, out, None)
    assert (done["variant"], done["wrapper"]) == (None, "state_dict")
    assert done["left_out"] == ["epoch", "sparse", "name"]
    found = load_file(out)
    assert set(found) == set(kept)
    for name, value in found.items():
        assert value.dtype == kept[name].dtype and torch.equal(value, kept[name])


def test_a_hostile_pickle_is_refused_and_does_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    content = {"model": {"weight": torch.zeros(2)}, "extra": Hostile(os.system, f"touch {mark}")}
    source = saved(tmp_path / "in.pth", content)
    with pytest.raises(UnsafePickleError, match=r"it wants '\w+.system'.*nothing of it was run") as caught:
        convert(source, tmp_path / "out.safetensors")
    assert str(caught.value).startswith(f"{source}: ")
    assert [path.name for path in tmp_path.iterdir()] == ["in.pth"]
    torch.load(source, weights_only=False)  # this test can fail: without protection, the file runs
    assert mark.exists()


def with_pickle(path: Path, code: bytes) -> Path:
    """A file that torch.save wrote, with another pickle in it."""
    whole = saved(path.with_suffix(".whole"), {"w": torch.zeros(4)})
    with zipfile.ZipFile(whole) as read, zipfile.ZipFile(path, "w") as written:
        for name in read.namelist():
            written.writestr(name, code if name.endswith("data.pkl") else read.read(name))
    whole.unlink()
    return path


def test_an_array_over_addresses_from_the_file_is_not_built(tmp_path: Path) -> None:
    """`numpy.ndarray((1,), 'O', 8 bytes)` is an array of an object at those bytes; to look at it ends the process."""

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value.encode())) + value.encode()

    address = struct.pack("<Q", 0x4141414141414140).decode("latin1")
    buffer = b"c_codecs\nencode\n(" + text(address) + text("latin1") + b"tR"
    array = b"cnumpy\nndarray\n((K\x01tcnumpy\ndtype\n(" + text("O") + b"tR" + buffer + b"tR"
    source = with_pickle(tmp_path / "in.pth", b"\x80\x02cnumpy\ndtype\n" + array + b"R.")
    with pytest.raises(CheckpointError, match="not a whole file of its kind"):
        convert(source, tmp_path / "out.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["in.pth"]


def test_numpy_values_are_left_out_unbuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    unwrapped = worker.unwrapped

    def watched(loaded: Any) -> Any:
        seen.append(loaded)
        return unwrapped(loaded)

    monkeypatch.setattr(worker, "unwrapped", watched)
    arrays = {"array": np.arange(3), "scalar": np.float64(2), "dtype": np.dtype("O")}
    hostile = {"made": Hostile(np.ndarray, (1,), np.dtype("O"), b"A" * 8)}
    source = saved(tmp_path / "in.pth", {"w": torch.ones(2), **arrays, **hostile})
    done = worker.work(source, source.name, tmp_path / "out.safetensors", None)
    assert done["left_out"] == ["array", "scalar", "dtype", "made"]
    assert [repr(seen[0][name]) for name in done["left_out"]] == ["a NumPy value"] * 4
    assert set(load_file(tmp_path / "out.safetensors")) == {"w"}


@pytest.mark.parametrize(("number", "name"), [(11, "SIGSEGV"), (6, "SIGABRT"), (40, "signal 40")])
def test_a_reader_that_a_signal_ends_met_an_unsafe_file(
    number: int, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = saved(tmp_path / "in.pth", {"w": torch.zeros(2)})
    monkeypatch.setattr("vlmkit.convert._WORKER", f"import os; os.kill(os.getpid(), {number})  # {{source}}")
    with pytest.raises(UnsafePickleError, match=f"ended by {name}; the file is unsafe or damaged"):
        convert(source, tmp_path / "out.safetensors")


def test_names_that_a_file_chose_are_shown_in_ascii(tmp_path: Path) -> None:
    source = saved(tmp_path / "in.pth", {"\x1b[2J\n": 1, "n" * 500: 2})
    assert said(tmp_path, source)[1] == f"no tensor in it; found '\\x1b[2J\\n', '{'n' * 76}..."


def test_memory_and_time_are_limited(tmp_path: Path) -> None:
    source, out = saved(tmp_path / "in.pth", {"w": torch.zeros(2)}), tmp_path / "out.safetensors"
    with pytest.raises(CheckpointError, match="more memory"):
        convert(source, out, memory_bytes=2**20)
    with pytest.raises(CheckpointError, match=r"not read within 0.01 s"):
        convert(source, out, patience_s=0.01)
    assert [path.name for path in tmp_path.iterdir()] == ["in.pth"]


def said(tmp_path: Path, source: Path, kind: str | None = None) -> tuple[str, str]:
    """What the other process would say, without the seconds that it takes to start."""
    job = {"source": str(source), "name": source.name, "out": str(tmp_path / "out.safetensors"), "kind": kind}
    found = worker.answer(job)
    assert not Path(job["out"] or "").exists()
    return found["error"], found["message"]


def bare(path: Path, content: Any, protocol: int) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def test_whatever_is_more_than_tensors_is_unsafe(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    call = Hostile(os.system, f"touch {mark}")
    for source, what in {
        bare(tmp_path / "bare.bin", {"a": call}, 2): "system'",
        saved(tmp_path / "called.pt", {"w": Hostile(eval, "1")}): "'eval'",
        saved(tmp_path / "hub.pt", {"w": Hostile(torch.hub.load, "a", "b")}): "'torch.hub.load'",
        saved(tmp_path / "model.pt", nn.Linear(2, 2)): "'torch.nn.modules.linear.Linear'",
    }.items():
        kind, message = said(tmp_path, source)
        assert kind == "unsafe" and what in message and "nothing of it was run" in message
    for protocol in (3, 4, 5):
        kind, message = said(tmp_path, bare(tmp_path / f"{protocol}.bin", call, protocol))
        assert kind == "damaged" and "Wanted: what torch.save" in message
    assert not mark.exists()


def test_files_that_hold_no_state_dict_are_damaged(tmp_path: Path) -> None:
    whole = saved(tmp_path / "whole.pth", {"w": torch.rand(50)})
    cut, other = tmp_path / "cut.pth", tmp_path / "other.pth"
    cut.write_bytes(whole.read_bytes()[:-200])
    other.write_bytes(b"version https://git-lfs.github.com/spec/v1")
    assert said(tmp_path, cut) == said(tmp_path, other)
    assert "not a whole file of its kind" in said(tmp_path, cut)[1]
    assert said(tmp_path, saved(tmp_path / "none.pth", {}))[1] == "no tensor in it; found nothing"
    deep = saved(tmp_path / "deep.pth", {"epoch": 1, "wrapped": {"w": torch.rand(5)}})
    assert said(tmp_path, deep)[1] == "no tensor in it; found 'epoch', 'wrapped'"
    assert "no 'logmel_extractor.melW' in it" in said(tmp_path, whole, kind="panns")[1]
    odd = saved(tmp_path / "odd.pth", {"w": torch.zeros(2, dtype=torch.complex128)})
    assert "which are torch.complex128" in said(tmp_path, odd)[1]


def test_weights_larger_than_their_file_are_refused(tmp_path: Path) -> None:
    bomb = saved(tmp_path / "bomb.pth", {"w": torch.zeros(1).expand(10**10)})
    assert "would become 40000000000" in said(tmp_path, bomb)[1]


def test_an_output_that_exists_is_left_alone(tmp_path: Path) -> None:
    source = saved(tmp_path / "in.pth", {"w": torch.zeros(2)})
    out = tmp_path / "out.safetensors"
    out.write_bytes(b"mine")
    with pytest.raises(CheckpointError, match="exists already"):
        convert(source, out)
    assert out.read_bytes() == b"mine"


def test_what_cannot_be_asked_for(tmp_path: Path) -> None:
    source = saved(tmp_path / "in.pth", {"w": torch.zeros(2)})
    with pytest.raises(CheckpointError, match="no such file"):
        convert(tmp_path / "no.pth", tmp_path / "out.safetensors")
    with pytest.raises(CheckpointError, match=r"has to end in .safetensors"):
        convert(source, tmp_path / "out.bin")
    with pytest.raises(CheckpointError, match="no such folder"):
        convert(source, tmp_path / "deep" / "out.safetensors")
    with pytest.raises(WiringError, match="kind='vgg' is unknown; choose one of panns"):
        convert(source, tmp_path / "out.safetensors", kind="vgg")  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [[torch.zeros(1)], torch.zeros(1), 3])
def test_what_is_no_mapping_is_no_state_dict(content: Any) -> None:
    with pytest.raises(CheckpointError, match="a state dict was wanted"):
        worker.unwrapped(content)


def test_wrappers() -> None:
    inner = {"w": torch.zeros(1)}
    assert worker.unwrapped(inner) == (None, inner, [])
    assert worker.unwrapped({"model_state_dict": inner, "run_id": "1"}) == ("model_state_dict", inner, ["run_id"])
    flat = {"model": torch.zeros(1)}  # a weight that is called model is a weight
    assert worker.unwrapped(flat) == (None, flat, [])
