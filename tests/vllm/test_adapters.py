"""Adapters in a running vLLM: what it serves, and what it would not, found right after the start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from tests.vllm.models import Ground, Saved, adapter, asked, changed, local, misnamed, picture, same, samples, saved
from vlmkit.errors import AdapterError, UnknownNameError
from vlmkit.llms.vllm import Vllm, VllmSettings
from vlmkit.llms.vllm import base as vllm_base
from vlmkit.llms.vllm.adapters import Served
from vlmkit.types import Limits, Sample

SETTINGS = VllmSettings(max_model_len=512, max_num_seqs=8, cache_bytes=32 << 20)
FREE = Limits(16)
VISION = {"role": "encoder", "r": 4, "alpha": 8, "targets": ("qkv", "attn.proj", "gate_proj", "up_proj", "down_proj")}
VISION_3 = {"role": "encoder", "r": 4, "alpha": 8, "targets": ("qkv", "attn.proj", "linear_fc1", "linear_fc2")}


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground.made(tmp_path_factory.mktemp("adapters"))


def test_a_rank_between_those_that_vllm_knows(ground: Ground, tmp_path: Path) -> None:
    path = adapter(ground.base, tmp_path / "a", 1, {"role": "llm", "r": 20, "alpha": 8, "targets": ("q_proj",)}, 0.6)
    _one_reply(ground, path)


def test_ranks_and_scales_of_single_layers(ground: Ground, tmp_path: Path) -> None:
    layer = "model.language_model.layers.0.self_attn.q_proj"

    def cut(weights: dict[str, Any]) -> dict[str, Any]:
        """That layer with two of its four ranks."""
        made = {}
        for key, value in weights.items():
            part = value[:2] if "lora_A" in key else value[:, :2]
            made[key] = (part if layer in key else value).contiguous()
        return made

    told = {"rank_pattern": {layer: 2}, "alpha_pattern": {"up_proj": 40}, "use_rslora": True}
    _one_reply(ground, changed(ground.plain, tmp_path / "a", told, cut))


def test_a_name_that_is_none(ground: Ground) -> None:
    base = ground.base
    with pytest.raises(UnknownNameError, match="adapter 'b'"):
        Vllm(base.folder, video=base.video, image=base.image, adapters={"a": ground.plain}, active="b")


def test_what_vllm_does_not_apply_is_found_after_the_start(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check of names made blind: the logits tell."""
    wrong = changed(
        ground.plain,
        tmp_path / "a",
        tensors=misnamed,
    )
    (taken,) = ground.opened(ground.plain)
    blind = Served("a", wrong, taken.rank, taken.keys, taken.vision, 1)
    monkeypatch.setattr(vllm_base, "servable", lambda *_: [blind])
    base = ground.base
    with pytest.raises(AdapterError, match="change nothing"):
        Vllm(base.folder, video=base.video, image=base.image, adapters={"a": wrong}, settings=SETTINGS)


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
def test_vision_layers_are_served_and_proved_on_their_own(family: str, tmp_path: Path) -> None:
    base = saved(family, tmp_path / "base")
    vision = adapter(base, tmp_path / "vision", 3, VISION if family == "qwen2_5_vl" else VISION_3, 0.5)
    both = _both(base, vision, tmp_path / "both")
    engine = Vllm(
        base.folder, video=base.video, image=base.image, adapters={"vision": vision, "both": both}, settings=SETTINGS
    )
    given = [samples()[i] for i in (1, 2, 0)]  # a picture and a film: in one step they would get each other's weights
    prompts = [asked(one) for one in given]
    both_media = samples()[6]
    try:
        assert engine.adapters["both"].vision and engine.adapters["both"].language
        assert not engine.adapters["vision"].language
        cases: list[tuple[str | None, Path | None]] = [("vision", vision), ("both", both), (None, None)]
        for name, path in cases:
            found = engine.reply(prompts, base.opened(given), [None] * 3, FREE, adapters=[name] * 3)
            for mine, reference in zip(found, local(base.native(path), given, [None] * 3, FREE), strict=True):
                same(mine, reference)
        (refused,) = engine.reply([asked(both_media)], base.opened([both_media]), [None], FREE, adapters=["both"])
        mixed = engine.reply(
            prompts[:1] * 4, base.opened(given[:1] * 4), [None] * 4, FREE, adapters=["both", None, "vision", None]
        )
    finally:
        engine.close()
    assert refused.problem is not None and "image and video of one prompt" in refused.problem.message
    for path, mine in zip((both, None, vision, None), mixed, strict=True):
        same(mine, local(base.native(path), given[:1], [None], FREE)[0])


def _both(base: Saved, vision: Path, folder: Path) -> Path:
    """One adapter out of one of the language model and one of the vision tower."""
    language = adapter(base, folder.with_name("language"), 5)
    folder.mkdir()
    tensors = {**load_file(language / "adapter_model.safetensors"), **load_file(vision / "adapter_model.safetensors")}
    config = json.loads((language / "adapter_config.json").read_text(encoding="utf-8"))
    modules = sorted({key.removeprefix("base_model.model.").rpartition(".lora_")[0] for key in tensors})
    (folder / "adapter_config.json").write_text(json.dumps({**config, "target_modules": modules}), encoding="utf-8")
    save_file(tensors, folder / "adapter_model.safetensors")
    return folder


def _one_reply(ground: Ground, path: Path) -> None:
    base = ground.base
    given = [Sample("a", {"image": picture(3)})]
    engine = Vllm(base.folder, video=base.video, image=base.image, adapters={"a": path}, active="a", settings=SETTINGS)
    try:
        (found,) = engine.reply([asked(given[0])], base.opened(given), [None], FREE)
    finally:
        engine.close()
    same(found, local(base.native(path), given, [None], FREE)[0])
