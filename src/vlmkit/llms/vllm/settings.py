"""What vLLM is started with, and why: the engine's arguments out of a base, its adapters and how media are opened."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vlmkit.media.spec import ImageSpec, VideoSpec

if TYPE_CHECKING:
    from vlmkit.llms.vllm.adapters import Served

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The values that vLLM takes as `max_lora_rank` (`vllm.config.lora.MaxLoRARanks`, 0.32)."""

_TEXT_TOKENS = 8192  # for the words of a prompt and its reply, where nobody says how long a context may get
_CPU_SEQUENCES = 16
_GPU_SEQUENCES = 128
_CPU_CACHE_BYTES = 4 << 30  # vLLM's own default is a share of all memory, taken at once
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class VllmSettings:
    """What of vLLM may be set from outside; None leaves it to the rules named here.

    Attributes:
        max_model_len: positions of a prompt with its reply; what the largest film and picture take and 8192 beside,
            at most the model's own.
        max_num_seqs: prompts that are answered at once; 128, on a CPU 16.
        gpu_memory: share of the GPU's memory that vLLM takes.
        cache_bytes: memory for keys and values on a CPU; what `max_num_seqs` prompts need, 4 GiB at most.
        eager: leave out compiling and CUDA graphs; so it is on a CPU, where starting would take minutes.
        tensor_parallel: GPUs that a model is spread over; more than one makes vLLM start processes of its own.
    """

    max_model_len: int | None = None
    max_num_seqs: int | None = None
    gpu_memory: float = 0.85
    cache_bytes: int | None = None
    eager: bool | None = None
    tensor_parallel: int = 1


def common(settings: VllmSettings, config: Any, dtype: str, on_cpu: bool, length: int) -> dict[str, Any]:
    """Arguments of `vllm.LLM` that text models and vision-language models share.

    Args:
        config: the `transformers` configuration of the text model.
        length: `max_model_len` as it was settled.
    """
    sequences = settings.max_num_seqs or (_CPU_SEQUENCES if on_cpu else _GPU_SEQUENCES)
    made: dict[str, Any] = {
        "dtype": dtype,
        "load_format": "safetensors",
        "use_tqdm_on_load": False,
        "trust_remote_code": False,
        "max_model_len": length,
        "max_num_seqs": sequences,
        "enforce_eager": on_cpu if settings.eager is None else settings.eager,
        "tensor_parallel_size": settings.tensor_parallel,
        # llguidance, as in this process: the same automaton gives the same masks. White space is what a model that
        # was trained on compact JSON would waste its budget on.
        "structured_outputs_config": {"backend": "guidance", "disable_any_whitespace": True},
        # Taken after the mask and before the temperature, as `llms.replies` takes them.
        "logprobs_mode": "raw_logprobs",
        "generation_config": "vllm",  # a checkpoint's own would quietly change the draw
    }
    if on_cpu:
        made["kv_cache_memory_bytes"] = settings.cache_bytes or _cache_bytes(config, _BYTES[dtype], sequences, length)
    else:
        made["gpu_memory_utilization"] = settings.gpu_memory
    return made


def _cache_bytes(config: Any, width: int, sequences: int, length: int) -> int:
    heads: int = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    head: int = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    position: int = 2 * config.num_hidden_layers * heads * head * width
    blocks = 128 * position  # vLLM hands memory out in blocks of up to 128 positions, and keeps one for itself
    one = math.ceil(length / 128) * blocks
    return min(max(one, _CPU_CACHE_BYTES), one * sequences) + 2 * blocks


def lora(adapters: Sequence[Served]) -> dict[str, Any]:
    """Arguments for these adapters; nothing where there are none.

    One slot more than adapters: while the last slot is taken, vLLM (0.32, on a CPU) gives rows of the base that
    adapter's weights.
    """
    if not adapters:
        return {}
    largest = max(one.rank for one in adapters)
    return {
        "enable_lora": True,
        "max_lora_rank": next(rank for rank in RANKS if rank >= largest),
        "max_loras": len(adapters) + 1 + any(one.vision and one.language for one in adapters),  # a part, for its proof
        # Without it keys of the vision tower are left out, with a warning in the log and no error.
        "enable_tower_connector_lora": any(one.vision for one in adapters),
    }


def media(processor: Any, video: VideoSpec, image: ImageSpec) -> dict[str, Any]:
    """Arguments for one picture and one film a prompt, both as they were opened: nothing is sampled or scaled again.

    The sizes tell vLLM how much memory the largest of each takes.
    """
    pixels = max(image.max_pixels, video.max_pixels)
    (video_w, video_h), (image_w, image_h) = _largest(video), _largest(image)
    kept = {"do_resize": False, "size": {"shortest_edge": 1, "longest_edge": pixels}}
    films: dict[str, Any] = {**kept, "do_sample_frames": False}
    if hasattr(processor.video_processor, "cap_pixels_per_frame"):
        films["cap_pixels_per_frame"] = False
    return {
        "limit_mm_per_prompt": {
            "image": {"count": 1, "width": image_w, "height": image_h},
            "video": {"count": 1, "width": video_w, "height": video_h, "num_frames": video.max_frames},
        },
        "mm_processor_kwargs": {"images_kwargs": kept, "videos_kwargs": films},
        "mm_processor_cache_gb": 0,  # a film is asked about once
    }


def longest(settings: VllmSettings, own: int, cell_px: int, steps_px: int, video: VideoSpec, image: ImageSpec) -> int:
    """`max_model_len`: as it is set, else what the largest film and picture take with text beside; `own` at most.

    Args:
        own: the model's.
        cell_px: side of the square that becomes one row; `steps_px` how many frames become one step in time.
    """
    if settings.max_model_len is not None:
        return min(settings.max_model_len, own)
    per_frame = video.max_pixels // cell_px**2
    film = math.ceil(video.max_frames / steps_px) * (per_frame + 16)  # Qwen3-VL writes the time of every step
    return min(own, film + image.max_pixels // cell_px**2 + _TEXT_TOKENS)


def text_length(settings: VllmSettings, own: int) -> int:
    """`max_model_len` of a text model."""
    return min(settings.max_model_len or own, own)


def _largest(spec: VideoSpec | ImageSpec) -> tuple[int, int]:
    """Width and height in pixels of about the largest picture that a spec lets through."""
    cells = spec.max_pixels // spec.multiple_px**2
    rows = max(1, math.isqrt(cells))
    return cells // rows * spec.multiple_px, rows * spec.multiple_px
