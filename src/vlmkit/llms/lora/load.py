"""Loading an adapter, strictly: all of it fits and changes something, or the model stays as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vlmkit.errors import AdapterError
from vlmkit.llms.lora.compare import compare
from vlmkit.llms.lora.files import AdapterFiles, read_adapter
from vlmkit.llms.lora.identity import DIGEST, mismatch
from vlmkit.llms.lora.inject import ADAPTER, adapted, inject, layer_shapes

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class LoadReport:
    """What an adapter reached.

    Attributes:
        modules: names of the layers that have it now, sorted.
        n_nonzero: how many of them it really changes (their B is not all zero).
        base: what it says it was trained on, with `revision`.
    """

    modules: tuple[str, ...]
    n_nonzero: int
    rank: int
    base: str | None
    revision: str | None


def load_adapter(
    module: nn.Module,
    directory: Path,
    *,
    base: str | None,
    revision: str | None = None,
    folder: str | None = None,
    trainable: bool = False,
    allow_untrained: bool = False,
) -> LoadReport:
    """Put the adapter of a PEFT directory into `module`.

    Args:
        base: hub id or directory of the weights in `module`; None says that nobody knows, and skips that check.
        revision: of the base.
        folder: where these weights were read from, if they are on no hub: what an adapter that names its base by a hub
            id or a path is held against, while `base` is a digest.
        trainable: let it learn on; otherwise everything is frozen.
        allow_untrained: take an adapter whose every B is zero, which changes no answer.

    Raises:
        AdapterError: missing or unexpected weights, shapes or ranks that differ, another base, weights that are not
            finite or all zero, pickles, broken files. `module` is untouched then.
    """
    if adapted(module):
        raise AdapterError("there is an adapter already; merge_adapter or remove_adapter it first")
    files = read_adapter(directory)
    config = files.config
    recorded = config.base_model_name_or_path
    given = base if folder is None or recorded is None or recorded.startswith(DIGEST) else folder
    if wrong := mismatch(recorded, config.revision, given, revision):
        raise AdapterError(f"{directory}: {wrong}; load that base, or give base=None if you know them to be the same")
    architecture = type(module).__name__
    found = compare(files, layer_shapes(module), architecture)
    if found.problems:
        opened = folder or (base if base is not None and not base.startswith(DIGEST) else "BASE")  # no digest can be
        raise AdapterError(
            f"{directory}: does not fit {architecture}: {'. '.join(found.problems)}. "
            f"To see all of it: vlmkit adapter check {directory} --base {opened}"
        )
    values = values_of(files, found.modules)
    n_nonzero = sum(bool(up.any()) for _, up in values.values())
    if n_nonzero == 0 and not allow_untrained:
        raise AdapterError(
            f"{directory}: every lora_B is zero, so it would change nothing: it was saved before any training step; "
            "allow_untrained=True loads it all the same"
        )
    _place(module, files, values, trainable=trainable)
    return LoadReport(tuple(sorted(values)), n_nonzero, config.r, config.base_model_name_or_path, config.revision)


def values_of(files: AdapterFiles, modules: Mapping[str, tuple[str, str]]) -> dict[str, tuple[Tensor, Tensor]]:
    """A and B by module. Raises `AdapterError` for values that are not finite."""
    from safetensors.torch import load_file

    tensors = load_file(files.weights)
    values = {name: (tensors[a], tensors[b]) for name, (a, b) in modules.items()}
    broken = [name for name, pair in values.items() if not all(t.isfinite().all() for t in pair)]
    if broken:
        raise AdapterError(
            f"{files.weights}: {len(broken)} layers hold NaN or infinity, first {broken[0]}; train again"
        )
    return values


def _place(
    module: nn.Module, files: AdapterFiles, values: Mapping[str, tuple[Tensor, Tensor]], *, trainable: bool
) -> None:
    config = files.config.to_peft()
    if set(files.tensors) != set(values):
        config.target_modules = sorted(values)  # written under older names; PEFT looks for them as they are spelt
    inject(module, config, trainable=trainable)
    layers = adapted(module)
    for name, pair in values.items():
        parts = (layers[name].lora_A[ADAPTER], layers[name].lora_B[ADAPTER])
        for part, value in zip(parts, pair, strict=True):
            # The file's own precision, not the base's: otherwise saving and loading would not be bit-equal.
            part.weight.data = value.to(part.weight.device)
