"""Pickles are refused by name, and a safetensors file has to be whole."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from vlmkit.errors import AdapterError, CheckpointError
from vlmkit.safety import TRAINER_LEFTOVERS, TensorInfo, refuse_pickles, require_safetensors


@pytest.mark.parametrize("name", ["model.bin", "deep/er/model.PT", "w.pth", "w.pkl", "w.ckpt", "w.joblib"])
def test_a_pickle_anywhere_below_is_named_with_what_to_do(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    with pytest.raises(CheckpointError, match="refused") as caught:
        refuse_pickles(tmp_path)
    assert str(path) in str(caught.value)
    assert "safetensors" in str(caught.value)
    with pytest.raises(CheckpointError, match="refused"):
        refuse_pickles(path)


def test_other_files_pass_and_leftovers_pass_where_allowed(tmp_path: Path) -> None:
    (tmp_path / "vlmkit.json").write_text("{}")
    refuse_pickles(tmp_path)
    for name in ("training_args.bin", "optimizer.pt", "rng_state_0.pth", "scheduler.pt"):
        (tmp_path / name).write_bytes(b"")
    refuse_pickles(tmp_path, ignore=TRAINER_LEFTOVERS)
    with pytest.raises(AdapterError, match="and 1 more"):
        refuse_pickles(tmp_path, error=AdapterError)


def test_the_header_gives_names_shapes_and_types(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.zeros(2, 3), "b": torch.zeros(4, dtype=torch.bfloat16)}, path, metadata={"format": "pt"})
    assert require_safetensors(path) == {"a": TensorInfo((2, 3), "F32"), "b": TensorInfo((4,), "BF16")}


def _edited(whole: bytes) -> bytes:
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    header["a"]["data_offsets"] = [4, 28]
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + whole[8 + length :]


BROKEN = {
    "a pickle under this name": lambda _: pickle.dumps({"a": 1}),
    "a zip (torch.save) under this name": lambda _: b"PK\x03\x04" + bytes(100),
    "empty": lambda _: b"",
    "cut": lambda whole: whole[:-1],
    "grown": lambda whole: whole + b"\0",
    "a header longer than the file": lambda whole: (2**40).to_bytes(8, "little") + whole[8:],
    "a header that is no object": lambda _: (2).to_bytes(8, "little") + b"[]",
    "a header of the wrong shape": lambda _: (7).to_bytes(8, "little") + b'{"a":1}',
    "a header nested too deep": lambda _: (200_000).to_bytes(8, "little") + b"[" * 200_000,
    "offsets that leave a gap": _edited,
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_not_a_whole_safetensors_file_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.zeros(2, 3)}, path)
    path.write_bytes(BROKEN[name](path.read_bytes()))
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        require_safetensors(path)


def test_a_missing_file_and_a_pickle_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        require_safetensors(tmp_path / "model.safetensors")
    (tmp_path / "model.bin").write_bytes(b"")
    with pytest.raises(CheckpointError, match="pickle"):
        require_safetensors(tmp_path / "model.bin")
