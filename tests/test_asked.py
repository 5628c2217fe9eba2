"""What `vlmkit.load` takes beside names: other weights, other preprocessing, other replies."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

import vlmkit
from tests.llms.lora.adapters import pretend_trained
from tests.tiny_models import tiny_qwen2_5_vl
from vlmkit.errors import AdapterError, CheckpointError, VlmkitError
from vlmkit.llms.lora import LoraSpec, add_lora, role_prefixes, save_adapter


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random tiny Qwen2.5-VL in Hugging Face's layout."""
    folder = tmp_path_factory.mktemp("models") / "Small-VL"
    hf, processor = tiny_qwen2_5_vl()
    hf.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _adapter(folder: Path, base: str) -> Path:
    hf, _ = tiny_qwen2_5_vl()
    add_lora(hf, LoraSpec(r=2, alpha=4), role_prefixes(hf))
    pretend_trained(hf)
    save_adapter(hf, folder, base=base, revision=None, provenance={})
    return folder


def _loaded(**chosen: Any) -> Any:
    return vlmkit.load("warehouse", preset="tiny", device="cpu", precision="fp32", **chosen)


def test_weights_in_place_of_the_presets_own(weights: Path) -> None:
    head, own = _loaded(model=weights), _loaded()
    assert head.model.llm.hf.config.text_config.hidden_size != own.model.llm.hf.config.text_config.hidden_size
    assert (head.provenance["checkpoint"], head.provenance["base"]["id"]) == ("Small-VL", None)
    assert not head.provenance["synthetic"]
    assert head.provenance["specs"] == own.provenance["specs"], "preprocessing is the preset's"


@pytest.mark.parametrize("base", ["owner/Small-VL", "/elsewhere/small-vl"])
def test_an_adapter_that_names_its_base_by_a_hub_id_or_a_path_fits_the_folder_of_that_name(
    weights: Path, tmp_path: Path, base: str
) -> None:
    head = _loaded(model=weights, adapter=_adapter(tmp_path / "lora", base))
    assert head.provenance["adapter"] == "lora"
    assert head.provenance["adapted_modules"] > 0


def test_an_adapter_of_other_weights_is_refused(weights: Path, tmp_path: Path) -> None:
    adapter = _adapter(tmp_path / "lora", "owner/Large-VL")
    with pytest.raises(AdapterError, match=r"trained on base 'owner/Large-VL', given '.*Small-VL'"):
        _loaded(model=weights, adapter=adapter)


def test_a_hub_id_is_asked_for_and_a_folder_that_holds_no_weights_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="cannot load 'owner/none': it is neither a local folder"):
        _loaded(model="owner/none")
    with pytest.raises(CheckpointError, match="is no vlmkit checkpoint: no such folder"):
        _loaded(model=tmp_path / "none")
    with pytest.raises(CheckpointError, match=r"is no vlmkit checkpoint: no vlmkit\.json in it"):
        _loaded(model=tmp_path)
    with pytest.raises(VlmkitError, match="cannot both be had"):
        _loaded(model="owner/none", weights="random")


def test_fields_of_the_preprocessing_change_and_the_others_stay() -> None:
    head, own = _loaded(specs={"video": {"fps": 2.0, "max_frames": 5}}), _loaded()
    changed = {**own.provenance["specs"]["video"], "fps": 2.0, "max_frames": 5}
    assert head.provenance["specs"] == {**own.provenance["specs"], "video": changed}
    assert head.model.readers[0].video_spec.fps == 2.0


@pytest.mark.parametrize(
    ("specs", "why"),
    [
        ({"video": {"speed": 2.0}}, r"has no video: speed; it has: fps, frames"),
        ({"audio": {"rate_hz": 8000}}, r"has no audio: rate_hz|has no audio; it has: image, video"),
        ({"video": {"fps": -1.0}}, r"specs: fps"),
    ],
)
def test_preprocessing_that_cannot_be(specs: dict[str, dict[str, float]], why: str) -> None:
    with pytest.raises(VlmkitError, match=why):
        _loaded(specs=specs)


def test_what_would_be_passed_over_is_refused() -> None:
    with pytest.raises(VlmkitError, match=r"cannot change video: fps with weights='random'"):
        _loaded(weights="random", specs={"video": {"fps": 1.0}})


def test_limits_hold_for_all_replies_and_stand_in_the_provenance() -> None:
    head, own = _loaded(limits={"temperature": 0.5, "top_p": 0.9}), _loaded()
    wanted = {**asdict(own.model.limits), "temperature": 0.5, "top_p": 0.9}
    assert asdict(head.model.limits) == head.provenance["limits"] == wanted
    assert "limits" not in own.provenance


@pytest.mark.parametrize("limits", [{"temperature": -1.0}, {"warmth": 1.0}, {"max_new_tokens": 0}])
def test_limits_that_cannot_be(limits: dict[str, float]) -> None:
    with pytest.raises(VlmkitError, match=r"^limits: "):
        _loaded(limits=limits)


def test_a_head_that_writes_no_text_has_no_temperature() -> None:
    with pytest.raises(VlmkitError, match="memes writes no text, and has no temperature"):
        vlmkit.load("memes", preset="tiny", device="cpu", limits={"temperature": 0.5})
