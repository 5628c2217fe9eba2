"""How engines call the modules that an adapter file speaks of. A wrong prefix is not an error anywhere else:
vLLM loads such an adapter and silently does nothing with it.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Literal

Engine = Literal["local", "vllm"]
ENGINES: tuple[Engine, ...] = ("local", "vllm")

PEFT_PREFIX = "base_model.model."
"""What PEFT writes before every module name."""

Prefixes = tuple[tuple[str, str], ...]

_QWEN2_5_VL = "Qwen2_5_VLForConditionalGeneration"
_QWEN3_VL = "Qwen3VLForConditionalGeneration"

# Names of older transformers (before 4.52) and of engines, to names of today; only where no second reading exists.
_LOCAL: Mapping[str, Prefixes] = {
    _QWEN2_5_VL: (
        ("visual.", "model.visual."),
        ("language_model.model.", "model.language_model."),
        ("model.layers.", "model.language_model.layers."),
    ),
    _QWEN3_VL: (("visual.", "model.visual."), ("language_model.model.", "model.language_model.")),
}

# `hf_to_vllm_mapper.orig_to_new_prefix` of the class in vLLM 0.32, in its order: the rules run one after the other.
_VLLM: Mapping[str, Prefixes] = {
    _QWEN2_5_VL: (
        ("model.language_model.", "language_model.model."),
        ("model.visual.", "visual."),
        ("lm_head.", "language_model.lm_head."),
        ("model.", "language_model.model."),
    ),
    _QWEN3_VL: (
        ("model.visual.", "visual."),
        ("lm_head.", "language_model.lm_head."),
        ("model.language_model.", "language_model.model."),
    ),
    "Qwen2ForCausalLM": (),
    "Qwen3ForCausalLM": (),
}


def aliases(name: str, architecture: str) -> tuple[str, ...]:
    """All that a file may call a module, today's name first."""
    older = [old + name.removeprefix(new) for old, new in _LOCAL.get(architecture, ()) if name.startswith(new)]
    return (name, *older)


def local_name(spoken: str, architecture: str, known: Container[str]) -> str | None:
    """The module of this process that a file means by `spoken` (without PEFT's prefix), or None."""
    if spoken in known:
        return spoken
    for old, new in _LOCAL.get(architecture, ()):
        if spoken.startswith(old) and (name := new + spoken.removeprefix(old)) in known:
            return name
    return None


def vllm_knows(architecture: str) -> bool:
    """Whether vLLM's rules for this class are recorded here."""
    return architecture in _VLLM


def vllm_adapts_head(architecture: str) -> bool:
    """Whether this class lets an adapter reach `lm_head`: those on Qwen2 declare no `embedding_modules`."""
    return architecture not in {_QWEN2_5_VL, "Qwen2ForCausalLM"}


def vllm_name(spoken: str, architecture: str) -> str:
    """What vLLM makes of a module name."""
    name = f"{spoken}."
    for old, new in _VLLM[architecture]:
        if name.startswith(old):
            name = new + name.removeprefix(old)
    return name.removesuffix(".")


def nearest(spoken: str, known: Mapping[str, object]) -> str | None:
    """The known module that shares the longest end, part by part, or None when not even the last part fits."""

    def shared(name: str) -> int:
        count = 0
        for ours, theirs in zip(reversed(name.split(".")), reversed(spoken.split(".")), strict=False):
            if ours != theirs:
                break
            count += 1
        return count

    best = max(known, key=shared, default=None)
    return best if best is not None and shared(best) else None
