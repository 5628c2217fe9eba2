"""Which engine is meant, and what is said where it cannot be had."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import vlmkit
from vlmkit.errors import AdapterError, MissingExtraError, UnknownNameError, WiringError
from vlmkit.llms.engines import open_engine, open_language
from vlmkit.llms.served import ServedWeights
from vlmkit.llms.vllm.settings import VllmSettings, common, longest, media
from vlmkit.media.spec import ImageSpec, VideoSpec
from vlmkit.task import BuildOptions

without_vllm = pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed")


@without_vllm
@pytest.mark.parametrize("task", ["warehouse", "football", "purrsight"])
def test_without_vllm_one_line_says_what_to_type(task: str) -> None:
    with pytest.raises(MissingExtraError, match=r"'vllm' is not installed; type: pip install 'vlmkit\[vllm\]'"):
        vlmkit.load(task, preset="tiny", engine="vllm")


def test_random_weights_have_to_be_saved_first() -> None:
    for task in ("warehouse", "purrsight"):
        with pytest.raises(WiringError, match=r"save_pretrained\(DIR\), then load DIR"):
            vlmkit.load(task, preset="tiny", weights="random", engine="vllm")


def test_engines_that_take_no_rows_and_names_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(WiringError, match="only engine='vllm' takes besides 'local'"):
        open_language(BuildOptions(engine="openai"), tmp_path, None)
    with pytest.raises(WiringError, match="open_native"):
        open_engine(BuildOptions(), tmp_path, video=VideoSpec(), image=ImageSpec())
    odd: Any = "vlm"
    with pytest.raises(UnknownNameError, match="did you mean 'vllm'"):
        open_engine(BuildOptions(engine=odd), tmp_path, video=VideoSpec(), image=ImageSpec())


def test_served_weights_answer_only(tmp_path: Path) -> None:
    weights = ServedWeights("vllm", "a/b", "1", {tmp_path: ("q_proj",)})
    assert weights.load_adapter(tmp_path / "x" / "..") == ("q_proj",)
    with pytest.raises(AdapterError, match="was started without this adapter"):
        weights.load_adapter(tmp_path / "other")
    refused: list[Callable[[], Any]] = [
        lambda: weights.save(tmp_path),
        lambda: weights.own(["llm"]),
        lambda: weights.checkpoint_activations(True),
        lambda: weights.add_lora(r=1),
        weights.merge_adapter,
        lambda: weights.save_adapter(tmp_path, {}),
        lambda: weights.identity,
    ]
    for one in refused:
        with pytest.raises(WiringError, match="engine 'vllm' holds cannot be"):
            one()
    assert weights.untrained == ()
    assert weights.beside(("image",)).untrained == ("image",)
    assert weights.beside(("image",)).load_adapter(tmp_path) == ("q_proj",)


def test_a_context_holds_the_largest_film_and_no_more_than_the_model() -> None:
    video, image = VideoSpec(max_frames=60, max_pixels=100 * 28**2, min_pixels=28**2), ImageSpec(max_pixels=50 * 28**2)
    assert longest(VllmSettings(), 128_000, 28, 2, video, image) == 30 * 116 + 50 + 8192
    assert longest(VllmSettings(), 4096, 28, 2, video, image) == 4096
    assert longest(VllmSettings(max_model_len=512), 4096, 28, 2, video, image) == 512


def test_memory_for_keys_and_values_is_what_prompts_need_and_bounded() -> None:
    from transformers import Qwen2Config

    small = Qwen2Config(hidden_size=64, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1)
    made = common(VllmSettings(max_num_seqs=3), small, "float32", True, 256)
    block = 128 * 2 * 2 * 32 * 4  # positions, keys and values, layers, width of a head, bytes
    assert made["kv_cache_memory_bytes"] == 3 * 2 * block + 2 * block
    assert made["enforce_eager"] is True
    large = Qwen2Config(hidden_size=3584, num_hidden_layers=28, num_attention_heads=28, num_key_value_heads=4)
    assert common(VllmSettings(), large, "float32", True, 4096)["kv_cache_memory_bytes"] < 5 << 30
    on_gpu = common(VllmSettings(gpu_memory=0.5), large, "bfloat16", False, 4096)
    assert "kv_cache_memory_bytes" not in on_gpu
    assert (on_gpu["gpu_memory_utilization"], on_gpu["enforce_eager"]) == (0.5, False)


def test_media_are_left_as_they_are() -> None:
    from tests.tiny_models import tiny_qwen2_5_vl

    _, processor = tiny_qwen2_5_vl()
    made = media(processor, VideoSpec(max_frames=9, max_pixels=20 * 28**2, min_pixels=28**2), ImageSpec())
    films = made["mm_processor_kwargs"]["videos_kwargs"]
    assert (films["do_resize"], films["do_sample_frames"], films["cap_pixels_per_frame"]) == (False, False, False)
    assert made["mm_processor_kwargs"]["images_kwargs"]["do_resize"] is False
    assert made["limit_mm_per_prompt"]["video"] == {"count": 1, "width": 5 * 28, "height": 4 * 28, "num_frames": 9}
