"""Versions that work together: the one table of ranges. `pyproject.toml` says the same, and a test compares them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """From `low` up to, not including, `below`; None for no upper end.

    `extra` of vlmkit brings the package: None when vlmkit cannot do without it, empty when no extra asks for it.
    """

    low: str
    below: str | None = None
    extra: str | None = None

    def holds(self, version: str) -> bool:
        """Compares release numbers; pre-releases count as the release that they lead to."""
        found = release(version)
        return release(self.low) <= found and (self.below is None or found < release(self.below))

    def __str__(self) -> str:
        return f">={self.low}" + (f",<{self.below}" if self.below else "")


RANGES: Mapping[str, Range] = {
    "av": Range("17"),
    "numpy": Range("2.1"),
    "pillow": Range("11"),
    "pluggy": Range("1.5"),
    "pydantic": Range("2.11"),
    "rich": Range("14"),
    "typer": Range("0.19"),
    "torch": Range("2.11", "2.15", "local"),
    "torchvision": Range("0.26", "0.30", "local"),
    "transformers": Range("5.19", "5.24", "local"),
    "accelerate": Range("1.10", None, "local"),
    "peft": Range("0.19", None, "local"),
    "safetensors": Range("0.5", None, "local"),
    "llguidance": Range("1.7", "2", "local"),
    "tensorboard": Range("2.19", None, "train"),
    "mlflow": Range("3", None, "mlflow"),
    "wandb": Range("0.20", None, "wandb"),
    "timm": Range("1.0.20", None, "vision"),
    "torchaudio": Range("2.11", "2.12", "audio"),
    "onnx": Range("1.18", None, "edge"),
    "onnxruntime": Range("1.22", None, "edge"),
    "onnxscript": Range("0.5", None, "edge"),
    "bitsandbytes": Range("0.48", None, "int4"),
    "matplotlib": Range("3.10", None, "plot"),
    "sentencepiece": Range("0.2.1", None, "text"),
    "protobuf": Range("6", None, "text"),
    "jinja2": Range("3.1", None, "report"),
    "scikit-learn": Range("1.8", None, "report"),
    "imagehash": Range("4.3", None, "data"),
    "pydantic-settings": Range("2.10", None, "football"),
    "rouge-score": Range("0.1.2", None, "football"),
    "scipy": Range("1.14", None, "football"),
    "openai": Range("2", None, "openai"),
    "vllm": Range("0.32", "0.34", "vllm"),
    "webdataset": Range("1.0", None, "data"),
    "rapidocr": Range("3.4", None, "ocr"),
}

# What is imported under another name than it is installed by.
_IMPORTED = {
    "PIL": "pillow",
    "dotenv": "pydantic-settings",  # which brings it
    "google": "protobuf",
    "google.protobuf": "protobuf",
    "pydantic_settings": "pydantic-settings",
    "rouge_score": "rouge-score",
    "sklearn": "scikit-learn",
}

# torch 2.11 goes with torchvision 0.26, 2.12 with 0.27 and so on: each torchvision is built against one torch.
TORCHVISION_AHEAD = 15


def extra_of(module: str | None) -> str | None:
    """The extra of vlmkit that brings a module, by the name it is imported by; None for those that none brings.

    A module inside a package is none of them: the package is there then, and broken.
    """
    known = RANGES.get(_IMPORTED.get(module, module)) if module else None
    return (known.extra or None) if known else None


def release(version: str) -> tuple[int, ...]:
    """`"2.14.1+cpu"` to `(2, 14, 1)`, without trailing zeros so that 2.14 equals 2.14.0."""
    match = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(part) for part in match.group().split(".")] if match else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def minor(version: str) -> int:
    """The second number: 14 in `"2.14.1"`."""
    return (*release(version), 0, 0)[1]
