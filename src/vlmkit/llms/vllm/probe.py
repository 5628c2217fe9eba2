"""A fixed prompt, with which it is proved that an adapter changes what vLLM computes."""

from __future__ import annotations

from typing import Any

import numpy as np

_TOKENS = 24
_SIDE_CELLS = 2  # of a picture: two merged cells a side


def logprobs(llm: Any, tokenizer: Any, processor: Any, request: Any, pictured: bool) -> list[float]:
    """Log-probabilities of the tokens of one drawn prompt, under an adapter (`LoRARequest`) or the base.

    Args:
        processor: of a vision-language model; not looked at without `pictured`.
        pictured: begin with a picture of noise, so that the vision tower is passed.
    """
    from vllm import SamplingParams

    noise = np.random.default_rng(0)
    plain = sorted(set(range(len(tokenizer))) - set(tokenizer.get_added_vocab().values()))
    ids = [int(token) for token in noise.choice(plain, _TOKENS)]
    prompt: dict[str, Any] = {"prompt_token_ids": ids}
    if pictured:
        from PIL import Image

        side = _SIDE_CELLS * processor.image_processor.patch_size * processor.image_processor.merge_size
        picture = Image.fromarray(noise.integers(0, 256, (side, side, 3), dtype=np.uint8))
        slot = "<|vision_start|><|image_pad|><|vision_end|>"
        start = tokenizer(slot, add_special_tokens=False)["input_ids"]
        prompt = {"prompt_token_ids": [*start, *ids], "multi_modal_data": {"image": [picture]}}
    asked = SamplingParams(temperature=0.0, max_tokens=1, prompt_logprobs=0, detokenize=False)
    (output,) = llm.generate([prompt], asked, lora_request=[request], use_tqdm=False)
    read = output.prompt_token_ids
    told = output.prompt_logprobs
    return [float(told[i][read[i]].logprob) for i in range(len(read) - _TOKENS + 1, len(read))]
