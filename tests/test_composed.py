"""A composed model's backbone: saved part by part, public parts by digest, restored strictly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.tiny_models import tiny_qwen2
from vlmkit.composed import Composed
from vlmkit.errors import CheckpointError
from vlmkit.parts import PARTS, Part, public_parts, restore


def _parts(seed: int = 0, public: str | None = "hub/trunk") -> dict[str, Part]:
    torch.manual_seed(seed)
    return {
        "image": Part(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), "encoder", source=public),
        "projector": Part(nn.Linear(2, 4), "projector"),
    }


def _composed(parts: dict[str, Part], base: str | None = None) -> Composed:
    hf, tokenizer = tiny_qwen2()
    return Composed(hf.eval(), tokenizer, parts, base=base)


def test_public_parts_are_named_and_not_written(tmp_path: Path) -> None:
    made = _composed(_parts(), base="hub/lm")
    made.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [PARTS, "projector.safetensors"]
    assert public_parts(tmp_path) == {"image": "hub/trunk"}
    again = _parts()
    again["projector"] = Part(nn.Linear(2, 4), "projector")
    restore(again, tmp_path)
    found, wanted = (one["projector"].module.state_dict()["weight"] for one in (again, made.parts))
    assert torch.equal(found, wanted)


def test_what_was_trained_is_nobody_elses_any_more(tmp_path: Path) -> None:
    made = _composed(_parts(), base="hub/lm")
    assert list(made.untrained) == ["projector"]
    made.own(("encoder", "llm"))
    assert (made.parts["image"].source, made.base) == (None, None)
    made.own(("projector", "lora"))
    assert not made.untrained
    made.save(tmp_path)
    assert (tmp_path / "llm" / "model.safetensors").is_file()
    again = _parts(seed=1)
    restore(again, tmp_path)
    assert again["projector"].trained
    for name, part in made.parts.items():
        for key, value in part.module.state_dict().items():
            assert torch.equal(again[name].module.state_dict()[key], value)


def test_half_precision_leaves_counters_alone(tmp_path: Path) -> None:
    made = _composed(_parts(public=None))
    made.parts["image"].module.train()(torch.randn(5, 3))
    made.save(tmp_path, torch.float16)
    again = _parts(seed=1, public=None)
    restore(again, tmp_path)
    state = again["image"].module.state_dict()
    assert state["1.num_batches_tracked"].dtype == torch.int64
    assert torch.allclose(state["0.weight"], made.parts["image"].module.state_dict()["0.weight"], atol=1e-3)


def test_half_precision_names_public_parts_by_their_own_numbers(tmp_path: Path) -> None:
    _composed(_parts()).save(tmp_path, torch.float16)
    restore(_parts(), tmp_path)


def test_a_public_part_with_other_numbers_is_refused(tmp_path: Path) -> None:
    _composed(_parts()).save(tmp_path)
    with pytest.raises(CheckpointError, match="trained on hub/trunk with other numbers"):
        restore(_parts(seed=1), tmp_path)


def test_what_does_not_fit_is_refused_by_name(tmp_path: Path) -> None:
    _composed(_parts()).save(tmp_path)
    wide = {**_parts(), "projector": Part(nn.Linear(3, 4), "projector")}
    with pytest.raises(CheckpointError, match=r"projector.safetensors: 1 weights do not fit .*weight"):
        restore(wide, tmp_path)
    more = {**_parts(), "audio": Part(nn.Linear(3, 4), "encoder")}
    with pytest.raises(CheckpointError, match="holds image, projector; wanted audio, image, projector"):
        restore(more, tmp_path)
    (tmp_path / "projector.safetensors").unlink()
    with pytest.raises(CheckpointError, match="no such file"):
        restore(_parts(), tmp_path)


@pytest.mark.parametrize("text", ["", "[]", json.dumps({"image": {"source": None}})])
def test_a_damaged_list_of_parts_is_refused(tmp_path: Path, text: str) -> None:
    _composed(_parts()).save(tmp_path)
    (tmp_path / PARTS).write_text(text)
    with pytest.raises(CheckpointError, match="missing or damaged"):
        restore(_parts(), tmp_path)


def test_an_adapter_belongs_to_its_language_model(tmp_path: Path) -> None:
    made = _composed(_parts())
    assert made.add_lora(role="llm", r=2, alpha=4)
    with torch.no_grad():
        for name, parameter in made.hf.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    ids = torch.arange(6)[None]
    with torch.inference_mode():
        wanted = made.hf(input_ids=ids).logits
    made.save_adapter(tmp_path, {})
    again = _composed(_parts())
    assert again.load_adapter(tmp_path)
    with torch.inference_mode():
        assert torch.equal(again.hf(input_ids=ids).logits, wanted)
