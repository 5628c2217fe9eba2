"""Starting vLLM in this process, and ending it."""

from __future__ import annotations

import gc
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from vlmkit.errors import CheckpointError, MissingExtraError, WiringError
from vlmkit.hub import require_reachable
from vlmkit.safety import refuse_pickles

_FILES = ["*.safetensors", "*.json", "*.jinja", "*.txt", "*.model"]  # no pickle, no code
_OURS = {
    # In this process: a script then needs no `if __name__ == "__main__"`, and a CPU no second copy of everything.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
}
_ON_CPU = {"VLLM_CPU_OMP_THREADS_BIND": "nobind"}  # bound in this process its threads wait for each other: 20 x slower

_alive: set[int] = set()


def require_vllm() -> Any:
    """The module `vllm`, set up for this process. Raises `MissingExtraError`, or `WiringError` for a broken one."""
    for name, value in _OURS.items():
        os.environ.setdefault(name, value)
    try:
        import vllm
    except ModuleNotFoundError as error:
        raise MissingExtraError("vllm", "vllm") from error
    except ImportError as error:
        raise WiringError(
            f"vllm is installed and fails to import ({error}): it belongs into an environment of its own, without "
            "other extras of vlmkit; vlmkit doctor names what does not fit"
        ) from error
    if runs_on_cpu():
        for name, value in _ON_CPU.items():
            os.environ.setdefault(name, value)
    return vllm


def runs_on_cpu() -> bool:
    """Whether this build of vLLM computes on a CPU."""
    from vllm.platforms import current_platform

    return bool(current_platform.is_cpu())


def placed(device: str, precision: str) -> tuple[str, bool]:
    """The type of the weights as vLLM calls it, and whether they lie on a CPU.

    Raises `WiringError` for a device that this build of vLLM has not, or a precision that it is not given.
    """
    from vllm.platforms import current_platform

    on_cpu = runs_on_cpu()
    have = "cpu" if on_cpu else str(current_platform.device_type)
    if device not in ("auto", have):
        raise WiringError(f"this vLLM runs on {have!r}, not on {device!r}; leave device out, or install another build")
    kinds = {"auto": "float32" if on_cpu else "bfloat16", "fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
    if precision not in kinds:
        raise WiringError(f"engine 'vllm' takes fp32, bf16 or fp16, not {precision!r}; leave --precision out")
    return kinds[precision], on_cpu


def folder_of(source: str | Path, revision: str | None) -> tuple[Path, str | None]:
    """Where the weights lie, loaded from the hub first if need be, and their commit there (None for a folder).

    Raises `CheckpointError` for what is not there, or there as pickles only.
    """
    if Path(source).is_dir():
        refuse_pickles(Path(source))
        return Path(source), None
    require_reachable(str(source), revision=revision)
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(str(source), revision=revision, allow_patterns=_FILES))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot load {str(source)!r}: a file of it is missing, here or on the hub") from error
    return folder, revision or folder.name


def config_of(folder: Path) -> Any:
    """The configuration of the model in `folder`. Raises `CheckpointError` where it is missing or damaged."""
    from transformers import AutoConfig

    return _loaded(AutoConfig, folder, "configuration")


def processor_of(folder: Path) -> Any:
    """What prepares the inputs of a vision-language model. Raises `CheckpointError` where it is missing or damaged."""
    from transformers import AutoProcessor

    return _loaded(AutoProcessor, folder, "tokenizer or processor")


def _loaded(kind: Any, folder: Path, what: str) -> Any:
    try:
        return kind.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder}: its {what} is missing or damaged; copy or download it again") from error


def started(folder: Path, arguments: dict[str, Any]) -> Any:
    """A `vllm.LLM`. Raises `WiringError` where vLLM cannot run this model so."""
    vllm = require_vllm()
    with _undisturbed():
        try:
            llm = vllm.LLM(str(folder), **arguments)
        except Exception as error:  # pydantic's, torch's, its own: all say why this model does not run
            raise WiringError(f"vLLM {vllm.__version__} cannot run {folder}: {first_line(error)}") from error
    _alive.add(id(llm))
    return llm


def ended(llm: Any, *folders: TemporaryDirectory[str]) -> None:
    """Stop it and give its memory back, and the folders that it has read from."""
    for folder in folders:
        folder.cleanup()
    _alive.discard(id(llm))
    with suppress(Exception), _shared():  # at the interpreter's end parts of it may be gone already
        llm.llm_engine.engine_core.shutdown()
    gc.collect()


@contextmanager
def _shared() -> Iterator[None]:
    """vLLM (0.32) ends what all its models in a process compute with when one of them ends: only the last may."""
    from vllm.v1.engine import core

    clean = core.cleanup_dist_env_and_memory
    if _alive:
        core.cleanup_dist_env_and_memory = lambda *_, **__: None
    try:
        yield
    finally:
        core.cleanup_dist_env_and_memory = clean


@contextmanager
def _undisturbed() -> Iterator[None]:
    """vLLM seeds every generator of the process, and takes `torch.set_num_threads` away."""
    threads, python, numpy = torch.set_num_threads, random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.set_num_threads = threads
        random.setstate(python)
        np.random.set_state(numpy)


def first_line(error: BaseException) -> str:
    """What vLLM says of a failure, in one line."""
    text = str(error).strip() or type(error).__name__
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # pydantic puts the sentence on the third line: "1 validation error for …", field, sentence
    return next((line for line in lines if "Value error" in line), lines[0])
