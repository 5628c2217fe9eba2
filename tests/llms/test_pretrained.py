"""Loading runs no code of a folder, and asks nobody whether it may."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.tiny_models import tiny_qwen2
from vlmkit.errors import CheckpointError
from vlmkit.llms.pretrained import load_pretrained
from vlmkit.placement import placement


def test_a_folders_own_code_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hf, tokenizer = tiny_qwen2()
    hf.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    names = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
    (tmp_path / "config.json").write_text(json.dumps({**config, "model_type": "evil", "auto_map": names}))
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'pwned')!r}, 'w')")

    def asked(*_: Any) -> str:
        raise AssertionError("somebody was asked whether to run it")

    monkeypatch.setattr("builtins.input", asked)
    with pytest.raises(CheckpointError, match="cannot load"):
        load_pretrained(AutoModelForCausalLM, AutoTokenizer, tmp_path, placement("cpu"))
    assert not (tmp_path / "pwned").exists()
