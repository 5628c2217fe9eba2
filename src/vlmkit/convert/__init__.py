"""Old weights (`.pth`, `.pt`, `.bin`, `.ckpt`) to safetensors: the only place where a pickle is opened.

It is opened in another process, by a reader that builds tensors and plain values and refuses everything else, within
limits on memory, file size and time.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from vlmkit.errors import CheckpointError, UnsafePickleError, WiringError
from vlmkit.safety import require_safetensors

Kind = Literal["panns"]

MEMORY_BYTES = 2 * 2**30
"""What the process may use above four times the file's size: torch itself takes less than half of it."""

_NAME_CHARACTERS = 80
_WORKER = "import sys; sys.path.insert(0, {source!r}); from vlmkit.convert.worker import main; main()"
_KEPT = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT")  # of the environment: no token, no proxy, no home reaches the worker


@dataclass(frozen=True)
class Converted:
    """What became of a file.

    Attributes:
        path: the safetensors file. variant: what was recognised in it, such as `panns cnn14 16k`.
        n_tensors: how many are in it. n_bytes: how large it is.
        sha256: of the file that it was made from.
        wrapper: the entry of the file that held the weights; None where they were the whole of it.
        left_out: names of what was in the file and is no tensor of the weights.
    """

    path: Path
    variant: str | None
    n_tensors: int
    n_bytes: int
    sha256: str
    wrapper: str | None
    left_out: tuple[str, ...]


class _Report(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: str | None
    sha256: str
    wrapper: str | None
    left_out: tuple[str, ...]


def convert(
    source: Path,
    out: Path,
    *,
    kind: Kind | None = None,
    memory_bytes: int = MEMORY_BYTES,
    patience_s: float = 600,
) -> Converted:
    """Write the tensors of `source` to `out`, with the sha256 of what they are from in its metadata.

    Args:
        source: what `torch.save` wrote: a state dict, or one under `model`, `state_dict` or `model_state_dict`.
        kind: what it has to be; `panns` for a Cnn14 with its published names. Recognised, but not required, without.

    Raises `UnsafePickleError` for a pickle that wants anything but tensors and plain values and for one that ends the
    process that reads it, `CheckpointError` for what is no such file or not of the kind, for weights that are larger
    than their file warrants, and for an `out` that exists.
    """
    if kind is not None and kind not in get_args(Kind):
        raise WiringError(f"kind={kind!r} is unknown; choose one of {', '.join(get_args(Kind))}")
    if not source.is_file():
        raise CheckpointError(f"{source}: no such file")
    if out.suffix != ".safetensors":
        raise CheckpointError(f"{out}: the name of what is written has to end in .safetensors")
    if out.exists():
        raise CheckpointError(f"{out}: exists already; name another file, or delete it first")
    if not out.parent.is_dir():
        raise CheckpointError(f"{out.parent}: no such folder to write to")
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
        made = Path(folder) / "weights.safetensors"
        limit = memory_bytes + 4 * source.stat().st_size
        report = _run(source, made.resolve(), kind, limit, patience_s)
        tensors = require_safetensors(made)
        n_bytes = made.stat().st_size
        _readable(made)
        if out.exists():  # appeared meanwhile; a rename would take its place without a word
            raise CheckpointError(f"{out}: exists already; name another file, or delete it first")
        made.rename(out)
    return Converted(out, report.variant, len(tensors), n_bytes, report.sha256, report.wrapper, report.left_out)


def shown(name: object) -> str:
    """A name that a stranger's file chose, for people: in quotes, ASCII without control characters, at most 80."""
    text = ascii(name)
    return text if len(text) <= _NAME_CHARACTERS else f"{text[: _NAME_CHARACTERS - 3]}..."


def _run(source: Path, made: Path, kind: Kind | None, limit: int, patience_s: float) -> _Report:
    """Raises the error that the worker reports, and one for a worker that says nothing or dies."""
    job: dict[str, Any] = {"source": str(source.resolve()), "name": str(source), "out": str(made), "kind": kind}
    job |= {"memory_bytes": limit, "seconds": int(patience_s) + 1}
    code = _WORKER.format(source=str(Path(__file__).parents[2]))
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {"HOME": str(made.parent), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", code, json.dumps(job)],
            capture_output=True,
            cwd=made.parent,
            env=environment,
            timeout=patience_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CheckpointError(f"{source}: not read within {patience_s:g} s; refused") from None
    return _report(source, done.stdout, done.returncode)


def _report(source: Path, text: bytes, code: int) -> _Report:
    """The worker's last line, which is judged like anything else that a stranger's file had a hand in."""
    if code < 0:  # a crash is what a file that reaches past the reader looks like
        raise UnsafePickleError(
            f"{source}: the process that read it was ended by {_signal(-code)}; the file is unsafe or damaged; refused"
        )
    try:
        lines = text.decode("utf-8").splitlines()
        said: Any = json.loads(lines[-1])
        if code == 0:
            return _Report.model_validate(said)
        kind, message = str(said["error"]), str(said["message"])
    except (ValueError, LookupError, TypeError, ValidationError):
        raise CheckpointError(
            f"{source}: the process that read it ended with code {code}; it needs more memory or time than its size "
            "warrants"
        ) from None
    named = message if message.startswith(f"{source}: ") else f"{source}: {message}"
    raise (UnsafePickleError if kind == "unsafe" else CheckpointError)(named)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # real-time signals have no name of their own
        return f"signal {number}"


def _readable(path: Path) -> None:
    """safetensors lets its owner alone read a file; here the user's own mask says who may."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)
