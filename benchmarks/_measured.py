"""What the benchmarks of the tiny heads share: the program as a user runs it, limits beside figures, the machine."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any


def run(*arguments: str) -> None:
    """`vlmkit ...`, in a process of its own, as a user would; exit code 1 only says that some answers are missing."""
    done = subprocess.run([sys.executable, "-m", "vlmkit", *arguments], check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(done.returncode)


def evaluated(task: str, folder: Path, model: Path | None, n: int, seed: int) -> dict[str, Any]:
    """Draw `folder/fresh`, evaluate the shipped head or a checkpoint on it; what `metrics.json` says."""
    fresh, report = folder / "fresh", folder / "report"
    run("synth", task, "-n", str(n), "--seed", str(seed), "-o", str(fresh))
    which = ["--model", str(model)] if model else ["--preset", "tiny"]
    run("evaluate", task, *which, "--data", str(fresh), "-o", str(report))
    found: dict[str, Any] = json.loads((report / "metrics.json").read_text(encoding="utf-8"))
    return found


def kept(found: Mapping[str, Any], limits: Mapping[str, float]) -> bool:
    """Print each figure with its interval beside its limit; whether all were kept."""
    wide = max(map(len, limits))
    for name, limit in limits.items():
        value = found["metrics"][name]
        low, high = found["intervals"].get(name, (value, value))
        verdict = "kept" if value >= limit else "BROKEN"
        print(f"{name:<{wide}}{value:>7.3f}  [{low:.3f}, {high:.3f}]  wanted at least {limit:.3f}: {verdict}")
    return all(found["metrics"][name] >= limit for name, limit in limits.items())


def timed(what: str, *command: str) -> float:
    """Run Python with these arguments, print how long it took, and return the seconds."""
    begin_s = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True)
    seconds = time.perf_counter() - begin_s
    print(f"{what:<10}{seconds:>7.0f} s", flush=True)
    return seconds


def machine(*packages: str) -> str:
    """Where this was measured."""
    named = ", ".join(f"{name} {version(name)}" for name in ("vlmkit", "torch", "transformers", *packages))
    return f"{platform.platform()}, {os.cpu_count()} cores; Python {platform.python_version()}, {named}"
