"""The layers of a base model from its configuration alone: no weights are read, none are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmkit.errors import AdapterError, WiringError
from vlmkit.llms.lora.inject import layer_shapes
from vlmkit.llms.lora.spec import role_prefixes
from vlmkit.protocols import Role


@dataclass(frozen=True)
class BaseLayout:
    """A base model's class and its layers.

    Attributes:
        architecture: class name in `transformers`.
        shapes: (inputs, outputs) of linear layers by name, None for other modules.
        prefixes: where its roles live; empty for a layout that we do not know.
    """

    architecture: str
    shapes: Mapping[str, tuple[int, int] | None]
    prefixes: Mapping[Role, tuple[str, ...]]


def base_layout(base: str | Path, revision: str | None = None) -> BaseLayout:
    """Args: a directory with `config.json`, or a hub id whose `config.json` is in the local cache.

    Raises `AdapterError` when there is no such file, or it describes no model that `transformers` has itself.
    """
    import torch
    from transformers import AutoConfig

    folder = _folder(base, revision)
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        # On the meta device parameters have shapes and no memory, so that a 7B takes a second.
        with torch.device("meta"):
            model = _class(config)(config)
    except AdapterError:
        raise
    except Exception:  # a configuration is untrusted text, and every class complains in its own way
        raise AdapterError(
            f"{folder / 'config.json'}: describes no model that transformers can build without running foreign code"
        ) from None
    try:
        prefixes = role_prefixes(model)
    except WiringError:
        prefixes = {}
    return BaseLayout(type(model).__name__, layer_shapes(model), prefixes)


def _folder(base: str | Path, revision: str | None) -> Path:
    if (Path(base) / "config.json").is_file():
        return Path(base)
    if Path(base).is_dir():
        raise AdapterError(f"{base}: no config.json in it; wanted the directory of a base model, or its hub id")
    from huggingface_hub import try_to_load_from_cache

    try:
        found = try_to_load_from_cache(str(base), "config.json", revision=revision)
    except ValueError:  # no path here, and not the form of a hub id
        found = None
    if isinstance(found, str):
        return Path(found).parent
    raise AdapterError(
        f"{str(base)!r}: neither a directory with config.json nor in the local cache; "
        f"a few kilobytes are enough: hf download {base} config.json"
    )


def _class(config: Any) -> Any:
    import transformers

    for name in config.architectures or ():
        found = getattr(transformers, name, None)
        if isinstance(found, type) and issubclass(found, transformers.PreTrainedModel):
            return found
    raise AdapterError(f"config.json names no class of transformers: architectures = {config.architectures}")
