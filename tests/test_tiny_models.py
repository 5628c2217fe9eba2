"""The tiny models are what the other tests stand on: they take media, and their answers depend on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor, AutoTokenizer
from transformers.video_utils import VideoMetadata

from tests.tiny_models import SPECIAL, tiny_qwen2, tiny_qwen2_5_vl, tiny_qwen3_vl, tiny_tokenizer

VLS = {"qwen2.5": tiny_qwen2_5_vl, "qwen3": tiny_qwen3_vl}


def _inputs(processor: Any, seed: int) -> Any:
    drawn = np.random.default_rng(seed)
    content = [{"type": "image"}, {"type": "video"}, {"type": "text", "text": "what is done? 手"}]
    text = processor.apply_chat_template(
        [{"role": "system", "content": "be brief"}, {"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=False,
    )
    assert text.startswith("<|im_start|>system\nbe brief<|im_end|>\n<|im_start|>user\n<|vision_start|><|image_pad|>")
    assert text.endswith("what is done? 手<|im_end|>\n<|im_start|>assistant\n")
    return processor(
        text=[text],
        images=[drawn.integers(0, 255, (70, 100, 3), dtype=np.uint8)],
        videos=[drawn.integers(0, 255, (8, 60, 80, 3), dtype=np.uint8)],
        video_metadata=[VideoMetadata(total_num_frames=8, fps=4.0, frames_indices=list(range(8)))],
        do_sample_frames=False,
        return_tensors="pt",
    )


@pytest.mark.parametrize("name", VLS)
def test_an_image_and_a_video_are_answered_and_change_the_answer(name: str) -> None:
    model, processor = VLS[name]()
    ids = []
    for seed in (0, 1):
        inputs = _inputs(processor, seed)
        assert "token_type_ids" not in inputs
        new = model.generate(**inputs, max_new_tokens=8, do_sample=False, eos_token_id=None)
        again = model.generate(**inputs, max_new_tokens=8, do_sample=False, eos_token_id=None)
        assert torch.equal(new, again)
        assert new.shape[1] == inputs["input_ids"].shape[1] + 8
        ids.append(new[0, -8:].tolist())
    assert ids[0] != ids[1]


@pytest.mark.parametrize("name", VLS)
def test_a_saved_one_comes_back_equal(name: str, tmp_path: Path) -> None:
    model, processor = VLS[name]()
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    again = AutoModelForImageTextToText.from_pretrained(tmp_path, dtype=torch.float32).eval()
    inputs, same = _inputs(processor, 0), _inputs(AutoProcessor.from_pretrained(tmp_path), 0)
    assert inputs.keys() == same.keys()
    assert torch.equal(inputs["input_ids"], same["input_ids"])
    with torch.no_grad():
        assert torch.equal(model(**inputs).logits, again(**same).logits)


def test_the_tokenizer_is_lossless_and_knows_the_special_tokens(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer(extra=["118"])
    tokenizer.save_pretrained(tmp_path)
    text = '{"start_frame":118} thé 手\n'
    for one in (tokenizer, AutoTokenizer.from_pretrained(tmp_path)):
        assert one.decode(one(text)["input_ids"]) == text
        assert all(len(one(token)["input_ids"]) == 1 for token in (*SPECIAL, "118"))
        assert one.padding_side == "left"
        assert one.decode(one("a<|im_end|>")["input_ids"], skip_special_tokens=True) == "a"
    assert tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.pad_token == "<|endoftext|>"


def test_the_text_model_generates() -> None:
    model, tokenizer = tiny_qwen2()
    inputs = tokenizer("hello", return_tensors="pt")
    assert model.config.vocab_size == len(tokenizer)
    new = model.generate(**inputs, max_new_tokens=8, do_sample=False, eos_token_id=None)
    assert new.shape[1] == inputs["input_ids"].shape[1] + 8
