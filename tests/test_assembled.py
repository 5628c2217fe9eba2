"""A model without a language model: its parts are saved one by one, come back as they were, and take no adapter."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from vlmkit.assembled import TOKENIZER, Assembled
from vlmkit.errors import AdapterError, CheckpointError
from vlmkit.llms.small import small_tokenizer
from vlmkit.parts import Part, restore


def assembled(seed: int = 0, source: str | None = None) -> Assembled:
    torch.manual_seed(seed)
    parts = {
        "text": Part(nn.Linear(3, 4), "encoder", source),
        "fusion": Part(nn.Linear(4, 2), "projector"),
        "classifiers": Part(nn.ModuleDict({"both": nn.Linear(2, 2)}), "decoder"),
    }
    return Assembled(parts, small_tokenizer(["a few words"]))


def test_parts_come_back_as_they_were(tmp_path: Path) -> None:
    made, other = assembled(0), assembled(1)
    assert made.identity != other.identity
    made.save(tmp_path / "base")
    restore(other.parts, tmp_path / "base")
    assert made.identity == other.identity
    assert (tmp_path / "base" / TOKENIZER / "tokenizer.json").is_file()


def test_a_public_expert_is_named_and_not_written(tmp_path: Path) -> None:
    made = assembled(0, source="microsoft/mdeberta-v3-base")
    made.save(tmp_path)
    assert not (tmp_path / "text.safetensors").exists()
    assert not (tmp_path / TOKENIZER).exists()
    restore(assembled(0).parts, tmp_path)
    with pytest.raises(CheckpointError, match="other numbers"):
        restore(assembled(1).parts, tmp_path)


def test_what_was_trained_is_nobody_elses_and_what_was_not_is_said() -> None:
    made = assembled(0, source="microsoft/mdeberta-v3-base")
    assert list(made.untrained) == ["fusion", "classifiers"]
    made.own({"projector", "decoder"})
    assert len(made.untrained) == 0
    sources = [made.parts["text"].source]
    made.own({"encoder"})
    sources.append(made.parts["text"].source)
    assert sources == ["microsoft/mdeberta-v3-base", None]
    assert (made.base, made.revision) == (None, None)


def test_it_takes_no_adapter(tmp_path: Path) -> None:
    made = assembled()
    for ask in (made.add_lora, made.merge_adapter, lambda: made.load_adapter(tmp_path)):
        with pytest.raises(AdapterError, match="no language model"):
            ask()
