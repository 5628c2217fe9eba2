"""How right the tiny warehouse head is on 200 fresh synthetic clips, beside what looks at nothing and what knows all.

The clips are drawn with a seed that no training used. The ceiling of AA@1 is that of the generator's own grammar:
who sees every visible operation and knows all probabilities can only name the likeliest next one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from vlmkit_plugins.warehouse.data import read
from vlmkit_plugins.warehouse.grammar import grammar_ceiling

SEED = 987_654
LIMITS = {"OCA": 0.95, "tIoU@0.5": 0.90}
AA_MARGIN = 0.05


def run(*arguments: str) -> None:
    """`vlmkit ...`, in a process of its own, as a user would; exit code 1 only says that some answers are missing."""
    done = subprocess.run([sys.executable, "-m", "vlmkit", *arguments], check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(done.returncode)


def measure(folder: Path, model: Path | None, n: int, seed: int) -> bool:
    """Draw, evaluate, print figures beside limits; whether all were kept."""
    fresh, report = folder / "fresh", folder / "report"
    run("synth", "warehouse", "-n", str(n), "--seed", str(seed), "-o", str(fresh))
    which = ["--model", str(model)] if model else ["--preset", "tiny"]
    run("evaluate", "warehouse", *which, "--data", str(fresh), "-o", str(report))
    found = json.loads((report / "metrics.json").read_text(encoding="utf-8"))
    ceiling = grammar_ceiling(read(fresh))
    print(f"ceiling of AA@1: {ceiling.expected:.3f} expected, {ceiling.oracle:.3f} for the oracle on these clips")
    limits = {**LIMITS, "AA@1": ceiling.oracle - AA_MARGIN}
    for name, limit in limits.items():
        low, high = found["intervals"][name]
        kept = "kept" if found["metrics"][name] >= limit else "BROKEN"
        value = found["metrics"][name]
        print(f"{name:<10}{value:>7.3f}  [{low:.3f}, {high:.3f}]  wanted at least {limit:.3f}: {kept}")
    return all(found["metrics"][name] >= limit for name, limit in limits.items())


def machine() -> str:
    """Where this was measured."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("vlmkit", "torch", "transformers"))
    return f"{platform.platform()}, {os.cpu_count()} cores; Python {platform.python_version()}, {packages}"


def main() -> None:
    """Measure the shipped head, or a checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="a checkpoint instead of the shipped head")
    parser.add_argument("-n", type=int, default=200, help="clips (default 200)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the clips (default {SEED})")
    given = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        raise SystemExit(not measure(Path(folder), given.model, given.n, given.seed))


if __name__ == "__main__":
    main()
