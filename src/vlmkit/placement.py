"""Where weights go and in which precision; `auto` asks the machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from vlmkit.errors import MissingExtraError, WiringError

_DTYPES = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "int8": torch.float32,  # what is not a matrix, and what is loaded before it is rounded
    "int4": torch.bfloat16,
}


@dataclass(frozen=True)
class Placement:
    """Device, type of the weights, and how they are quantised: by what `transformers` takes, or to int8 by vlmkit."""

    device: str
    dtype: torch.dtype
    quantization: Any = None
    int8: bool = False

    def loading(self) -> dict[str, Any]:
        """Arguments of `transformers`' `from_pretrained`."""
        if self.quantization is None:
            return {"dtype": self.dtype}
        return {"dtype": self.dtype, "quantization_config": self.quantization, "device_map": self.device}


def placement(device: str = "auto", precision: str = "auto") -> Placement:
    """Resolve `auto`: a GPU where there is one, bf16 there and fp32 on a CPU. int8 is for CPUs.

    fp32, because bf16 matrix work is slower than fp32 on CPUs without AMX. Raises `WiringError` for a device that is
    not there, an unknown precision or int8 on a GPU, `MissingExtraError` for int4 without bitsandbytes.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() and precision != "int8" else "cpu"
    try:
        torch.device(device)
    except RuntimeError:
        raise WiringError(f"unknown device {device!r}; give auto, cpu, cuda, or cuda:1 and so on") from None
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise WiringError(f"device {device!r} was asked for and torch sees no GPU; give device='cpu' (--device cpu)")
    if precision == "auto":
        precision = "fp32" if device == "cpu" else "bf16"
    if precision not in _DTYPES:
        raise WiringError(f"unknown precision {precision!r}; choose one of auto, {', '.join(_DTYPES)}")
    if precision == "int8" and device != "cpu":
        raise WiringError(f"precision='int8' is for the CPU, not {device}; give device='cpu', or precision='int4'")
    return Placement(device, _DTYPES[precision], _nf4() if precision == "int4" else None, precision == "int8")


def _nf4() -> Any:
    try:
        import bitsandbytes  # noqa: F401  # transformers only finds out while loading
    except ImportError as error:
        raise MissingExtraError("bitsandbytes", "int4") from error
    from transformers import BitsAndBytesConfig

    # NF4 with double quantisation: Dettmers et al. 2023, QLoRA, arXiv 2305.14314.
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
