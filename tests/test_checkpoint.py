"""A checkpoint gives the same answers again, or says in one line why it cannot be trusted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import vlmkit
from vlmkit.checkpoint import CheckpointWarning, open_checkpoint
from vlmkit.errors import AdapterError, CheckpointError, UnknownNameError, VlmkitError
from vlmkit.head import Head
from vlmkit.loading import task_named
from vlmkit.types import Clip, Message, Prompt, Sample, Slot
from vlmkit_plugins.warehouse.synth import draw_clip


@pytest.fixture(scope="module")
def head() -> Head[Any]:
    """The tiny preset's classes and sizes with random weights."""
    return vlmkit.load("warehouse", preset="tiny", weights="random", device="cpu")


@pytest.fixture(scope="module")
def saved(head: Head[Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("head") / "saved"
    head.save_pretrained(folder)
    return folder


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    import shutil

    return Path(shutil.copytree(saved, tmp_path / "copy"))


def _samples() -> list[Sample]:
    return [Sample(f"clip{i}", {"video": Clip(draw_clip(3, i).frames, fps=25.0)}) for i in range(2)]


def _answers(head: Head[Any]) -> list[tuple[str, tuple[float, ...]]]:
    """What is written, with every token's log-probability: closer than what a random model's replies come to."""
    prepared = [head.model.prepare(sample) for sample in _samples()]
    with torch.inference_mode():
        tokens = head.model.tokens(prepared)
    llm = head.model.llm
    assert llm is not None
    assert head.task.prompt is not None
    prompts = [head.task.prompt(one.sample) for one in prepared]
    constraints = [head.model.decoder.constraint(one.sample) for one in prepared]
    return [(reply.text, reply.logprobs) for reply in llm.generate(prompts, tokens, constraints, head.model.limits)]


def test_saved_and_loaded_heads_answer_alike(head: Head[Any], saved: Path) -> None:
    again = vlmkit.load(saved, device="cpu")
    assert _answers(again) == _answers(head)
    assert again.provenance["preset"] == "tiny"
    assert again.provenance["specs"] == head.provenance["specs"]
    assert again.name == saved.name


def test_preprocessing_is_replayed_from_the_checkpoint(head: Head[Any], tmp_path: Path) -> None:
    encoder = head.model.encoders[0]
    slow = replace(encoder.video_spec, fps=1.0)  # type: ignore[attr-defined]
    other = vlmkit.load("warehouse", preset="tiny", weights="random", device="cpu")
    other.model.encoders[0].video_spec = slow  # type: ignore[attr-defined]
    other.model.encoders[0].spec = {"video": slow.to_json(), "image": encoder.spec["image"]}
    other.save_pretrained(tmp_path / "slow")
    with pytest.warns(CheckpointWarning, match="another preprocessing"):
        again = vlmkit.load(tmp_path / "slow", device="cpu")
    assert again.provenance["changed_since_training"] == ["preprocessing"]
    assert again.model.encoders[0].spec["video"]["fps"] == 1.0


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


def _edit(folder: Path, old: str, new: str) -> None:
    text = (folder / "vlmkit.json").read_text()
    assert old in text
    (folder / "vlmkit.json").write_text(text.replace(old, new))


def _edit_spec(folder: Path) -> None:
    about = json.loads((folder / "vlmkit.json").read_text())
    about["specs"]["video"]["fps"] = 8.0
    (folder / "vlmkit.json").write_text(json.dumps(about))


SPOILED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "edited weights": (lambda p: _flip(p / "base" / "model.safetensors"), "was changed after saving"),
    "edited preprocessing": (_edit_spec, "preprocessing was edited"),
    "edited preset": (lambda p: _edit(p, '"preset": "tiny"', '"preset": "qwen2.5-vl-7b"'), "preset or preprocessing"),
    "odd training": (lambda p: _edit(p, '"training": []', '"training": [{"x": 1}]'), "is damaged"),
    "missing weights": (lambda p: (p / "base" / "model.safetensors").unlink(), "is missing"),
    "added weights": (lambda p: (p / "base" / "more.safetensors").write_bytes(b""), "was not there"),
    "a pickle": (lambda p: (p / "base" / "pytorch_model.bin").write_bytes(b""), "refused"),
    "another pickle": (lambda p: (p / "weights.pt").write_bytes(b""), "refused"),
    "damaged manifest": (lambda p: (p / "vlmkit.json").write_text("{"), "is damaged"),
    "half a manifest": (lambda p: (p / "vlmkit.json").write_text('{"format": 1}'), "is damaged"),
    "a deep manifest": (lambda p: (p / "vlmkit.json").write_text("[" * 100_000), "is damaged"),
    "no manifest": (lambda p: (p / "vlmkit.json").unlink(), "no vlmkit.json in it"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_what_cannot_be_trusted_is_refused(copy: Path, name: str) -> None:
    spoil, words = SPOILED[name]
    spoil(copy)
    with pytest.raises(CheckpointError, match=words):
        vlmkit.load(copy)


def test_a_missing_folder_and_an_unknown_preset_say_what_exists(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such folder"):
        vlmkit.load(tmp_path / "nowhere")
    with pytest.raises(UnknownNameError, match="did you mean 'tiny'"):
        vlmkit.load("warehouse", preset="tinny")
    with pytest.raises(UnknownNameError, match="installed: "):
        vlmkit.load("warehaus")


def test_another_prompt_is_said_and_another_schema_refused(saved: Path) -> None:
    task = task_named("warehouse")
    other = Prompt((Message("user", (Slot("video"), "Something else?")),))
    with pytest.warns(CheckpointWarning, match="another prompt"):
        assert open_checkpoint(saved).differs(replace(task, prompt=lambda sample: other)) == ("prompt",)
    smaller = replace(task, decoder=_other_schema)
    with pytest.raises(CheckpointError, match="another schema"):
        open_checkpoint(saved).differs(smaller)
    with pytest.raises(CheckpointError, match="not 'other'"):
        open_checkpoint(saved).differs(replace(task, name="other"))


def _other_schema() -> Any:
    from typing import Literal

    from pydantic import BaseModel

    from vlmkit.decoders.json import JsonDecoder

    class Other(BaseModel):
        """Not the warehouse's."""

        colour: Literal["red", "green"]

    return JsonDecoder(Other)


def test_an_adapter_is_saved_with_its_base_and_loads_to_the_same_logits(saved: Path, tmp_path: Path) -> None:
    adapted = vlmkit.load(saved, device="cpu")
    backbone = adapted.model.backbone
    assert backbone is not None
    matched = backbone.add_lora(role="llm", r=4, alpha=8)
    assert matched and not any("visual" in name for name in matched)
    torch.manual_seed(1)
    for name, parameter in adapted.model.roles["lora"].items():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    adapted.model.eval()
    before, changed = _answers(vlmkit.load(saved, device="cpu")), _answers(adapted)
    assert changed != before
    backbone.save_adapter(tmp_path / "adapter", {})
    again = vlmkit.load("warehouse", model=saved, adapter=tmp_path / "adapter", device="cpu")
    assert _answers(again) == changed
    assert again.provenance["adapted_modules"] == len(matched)
    assert again.provenance["adapter"] == "adapter"
    again.merge_adapter()
    assert again.provenance["adapter"] is None
    assert [raw for raw, _ in _answers(again)] == [raw for raw, _ in changed]


def _with_adapter(head: Head[Any], folder: Path) -> Path:
    """A trained-looking adapter on this head's base."""
    assert head.model.backbone is not None
    head.model.backbone.add_lora(role="llm", r=2, alpha=4)
    for name, parameter in head.model.roles["lora"].items():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    head.model.eval()
    head.model.backbone.save_adapter(folder, {})
    return folder


def test_an_adapter_of_another_base_is_refused(saved: Path, tmp_path: Path) -> None:
    adapter = _with_adapter(vlmkit.load(saved, device="cpu"), tmp_path / "adapter")
    with pytest.raises(AdapterError, match="trained on base 'sha256:"):
        vlmkit.load("warehouse", preset="tiny", adapter=adapter, device="cpu")  # the same class and sizes
    config = adapter / "adapter_config.json"
    about = json.loads(config.read_text())
    about["base_model_name_or_path"] = "somebody/else-3B"
    config.write_text(json.dumps(about))
    with pytest.raises(AdapterError, match="somebody/else-3B"):
        vlmkit.load("warehouse", model=saved, adapter=adapter, device="cpu")


def test_a_checkpoint_that_is_no_adapter_is_refused_as_one(saved: Path) -> None:
    with pytest.raises(AdapterError, match="is a checkpoint without an adapter; load it as it is"):
        vlmkit.load("warehouse", preset="tiny", adapter=saved, device="cpu")


def test_an_adapter_travels_with_a_base_that_nobody_else_has(tmp_path: Path) -> None:
    one = vlmkit.load("warehouse", preset="tiny", weights="random", device="cpu")
    _with_adapter(one, tmp_path / "adapter")
    one.save_pretrained(tmp_path / "whole", half=True)
    again = vlmkit.load(tmp_path / "whole", device="cpu")
    assert _answers(again) == _answers(one)
    again.merge_adapter()
    assert again.provenance["adapted_modules"] == 0
    again.save_pretrained(tmp_path / "merged")
    merged = vlmkit.load(tmp_path / "merged", device="cpu")
    assert [text for text, _ in _answers(merged)] == [text for text, _ in _answers(one)]
    assert not (tmp_path / "merged" / "adapter_config.json").exists()


def test_weights_that_a_file_lacks_are_never_drawn_at_random(copy: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = copy / "base" / "model.safetensors"
    held = load_file(weights)
    held.pop(next(name for name in held if "q_proj" in name))
    save_file(held, weights, metadata={"format": "pt"})
    about = json.loads((copy / "vlmkit.json").read_text())
    about["files"]["base/model.safetensors"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    (copy / "vlmkit.json").write_text(json.dumps(about))
    with pytest.raises(CheckpointError, match=r"1 weights are missing, the first is .*q_proj"):
        vlmkit.load(copy)


def test_contradictions_are_refused(saved: Path) -> None:
    with pytest.raises(VlmkitError, match="cannot both be had"):
        vlmkit.load("warehouse", model=saved, weights="random")
    with pytest.raises(VlmkitError, match="holds preset 'tiny', not 'qwen2"):
        vlmkit.load("warehouse", model=saved, preset="qwen2.5-vl-3b")


def test_saving_again_names_no_folder_of_this_machine(tmp_path: Path) -> None:
    head = vlmkit.load("warehouse", preset="tiny", device="cpu")
    head.save_pretrained(tmp_path / "again")
    about = json.loads((tmp_path / "again" / "vlmkit.json").read_text())
    assert about["base"] == {"id": None, "revision": None}
    assert len(about["training"]) == len(head.provenance["training"]) > 0
    assert vlmkit.load(tmp_path / "again", device="cpu").provenance["synthetic"] is True


def test_saving_never_overwrites(head: Head[Any], saved: Path) -> None:
    with pytest.raises(CheckpointError, match="not empty"):
        head.save_pretrained(saved)


def test_the_card_says_where_the_weights_come_from(saved: Path) -> None:
    card = (saved / "README.md").read_text(encoding="utf-8")
    assert "weights that only exist here. Not trained." in card
    shipped = task_named("warehouse").presets["tiny"].checkpoint
    assert shipped is not None
    assert "synthetic data only" in (shipped / "README.md").read_text(encoding="utf-8")


def test_an_unread_modality_is_refused_by_name(head: Head[Any], tmp_path: Path) -> None:
    with pytest.raises(VlmkitError, match="does not read audio; it reads video"):
        head.predict(video="x.mp4", audio="x.wav")
    with pytest.raises(VlmkitError, match="nothing to answer about"):
        head.predict()
