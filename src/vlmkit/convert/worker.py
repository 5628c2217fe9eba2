"""The other process: reads one pickle with `weights_only`, writes one safetensors file, says what it found."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import resource
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from vlmkit.convert import shown
from vlmkit.encoders.panns.config import MEL, detect
from vlmkit.errors import CheckpointError

WRAPPERS = ("model", "state_dict", "model_state_dict")
"""Under which a training loop keeps the weights: PANNs, Lightning, and many others."""

_NAMES_SHOWN = 20
_WANTED = "what torch.save(model.state_dict(), FILE) writes"
_TOO_MUCH = "it needs more memory than its size warrants; refused"
_EXPANDED = 2  # times its file's size: tensors that share memory are written once each


def main() -> None:
    """One job, as JSON in the first argument; the last line of stdout is what `answer` says. Exit code 1 for errors."""
    job = json.loads(sys.argv[1])
    _limit(job)
    said = answer(job)
    print(json.dumps(said))
    sys.exit("error" in said)


def answer(job: Mapping[str, Any]) -> dict[str, Any]:
    """A report, or an `error` (`unsafe` or `damaged`) with its `message`."""
    try:
        return work(Path(job["source"]), job["name"], Path(job["out"]), job["kind"])
    except CheckpointError as error:
        kind, message = "damaged", str(error)
    except MemoryError:
        kind, message = "damaged", _TOO_MUCH
    except Exception as error:  # torch's reader raises nearly anything for a file that is not whole
        kind, message = _refusal(str(error))
    return {"error": kind, "message": message}


def work(source: Path, name: str, out: Path, kind: str | None) -> dict[str, Any]:
    """Read, recognise, write. The bytes that are hashed are those that are read; messages call the file `name`."""
    with source.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
        file.seek(0)
        with torch.serialization.safe_globals(_numpy_names()):
            loaded = torch.load(file, map_location="cpu", weights_only=True)
    wrapper, state, left_out = unwrapped(loaded)
    tensors = dict(_dense(state, left_out))
    if not tensors:
        found = ", ".join(shown(entry) for entry in left_out[:_NAMES_SHOWN])
        raise CheckpointError(f"no tensor in it; found {found or 'nothing'}")
    n_bytes = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if n_bytes > _EXPANDED * size:
        raise CheckpointError(f"its {size} bytes would become {n_bytes}: tensors in it repeat the same memory; refused")
    variant = _variant(tensors, name, kind)
    metadata = {"format": "pt", "source": source.name, "source_sha256": digest}
    metadata |= {"variant": variant} if variant else {}
    _save(tensors, out, metadata)
    return {"variant": variant, "sha256": digest, "wrapper": wrapper, "left_out": left_out}


def unwrapped(loaded: Any) -> tuple[str | None, Mapping[Any, Any], list[str]]:
    """Which entry holds the weights, the weights, and the names of all other entries."""
    if not isinstance(loaded, Mapping):
        raise CheckpointError(f"a {type(loaded).__name__}, and a state dict was wanted")
    for wrapper in WRAPPERS:
        if isinstance(inner := loaded.get(wrapper), Mapping):
            return wrapper, inner, [str(key) for key in loaded if key != wrapper]
    return None, loaded, []


def _dense(state: Mapping[Any, Any], left_out: list[str]) -> Iterator[tuple[str, Tensor]]:
    for key, value in state.items():
        if not isinstance(key, str):
            raise CheckpointError(f"no state dict: {shown(key)} is no name of a weight")
        plain = isinstance(value, Tensor) and value.layout == torch.strided and value.device.type == "cpu"
        if plain and not value.is_quantized:
            yield key, value.detach()
        else:
            left_out.append(key)


def _save(tensors: Mapping[str, Tensor], out: Path, metadata: dict[str, str]) -> None:
    # Clones, because tensors of one state dict may share memory, which safetensors refuses.
    own = {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
    try:
        save_file(own, out, metadata=metadata)
    except (SafetensorError, KeyError, ValueError):
        kinds = ", ".join(sorted({str(tensor.dtype) for tensor in own.values()}))
        raise CheckpointError(f"safetensors cannot hold its tensors, which are {kinds}") from None


def _variant(tensors: Mapping[str, Tensor], name: str, kind: str | None) -> str | None:
    if kind != "panns" and MEL not in tensors:
        return None
    try:
        return f"panns cnn14 {detect({key: tuple(value.shape) for key, value in tensors.items()}, name)[0]}"
    except CheckpointError:
        if kind == "panns":
            raise
        return None


class NumpyValue:
    """Stands for whatever NumPy value a file describes, and builds nothing: arguments and state are dropped unread.

    Training loops keep the state of their sampler beside the weights. NumPy's own names must not be called with what a
    file says: `numpy.ndarray` takes bytes for the addresses of objects.
    """

    __slots__ = ()

    def __init__(self, *_arguments: object) -> None: ...

    def __setstate__(self, _state: object) -> None: ...

    def __repr__(self) -> str:
        return "a NumPy value"


def _numpy_names() -> list[Any]:
    """What arrays, scalars and dtypes are pickled with, before and since NumPy 2."""
    inner = [f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("_reconstruct", "scalar")]
    return [(NumpyValue, name) for name in ("numpy.ndarray", "numpy.dtype", *inner)]


def _refusal(text: str) -> tuple[str, str]:
    """torch's own sentence tells the reader to turn the protection off; ours says what the file wanted."""
    if found := re.search(r"GLOBAL ([\w.]+)", text):
        what = f"it wants {shown(found.group(1))}, which weights have no use for"
        return "unsafe", f"{what}; refused, and nothing of it was run. Wanted: {_WANTED}"
    if re.search("Can only|unrecognized function|persistent", text):
        return "unsafe", "it wants to build objects that are no weights; refused, and nothing of it was run"
    if "TorchScript" in text:
        return "unsafe", "it is a TorchScript program, not weights; refused, and nothing of it was run"
    if "alloc" in text or "memory" in text:
        return "damaged", _TOO_MUCH
    return "damaged", f"not a whole file of its kind (truncated, edited, or of another format). Wanted: {_WANTED}"


def _limit(job: Mapping[str, Any]) -> None:
    """Of this process alone; a system that does not know a limit goes on without it."""
    limits = {
        resource.RLIMIT_DATA: job["memory_bytes"],
        resource.RLIMIT_FSIZE: job["memory_bytes"],
        resource.RLIMIT_CPU: job["seconds"],
        resource.RLIMIT_CORE: 0,
    }
    for name, value in limits.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(name, (value, value))
