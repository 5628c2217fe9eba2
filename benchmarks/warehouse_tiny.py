"""How right the tiny warehouse head is on 200 fresh synthetic clips, beside what looks at nothing and what knows all.

The clips are drawn with a seed that no training used. The ceiling of AA@1 is that of the generator's own grammar:
who sees every visible operation and knows all probabilities can only name the likeliest next one.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from _measured import evaluated, kept, machine

from vlmkit_plugins.warehouse.data import read
from vlmkit_plugins.warehouse.grammar import grammar_ceiling

SEED = 987_654
LIMITS = {"OCA": 0.95, "tIoU@0.5": 0.90}
AA_MARGIN = 0.05


def measure(folder: Path, model: Path | None, n: int, seed: int) -> bool:
    """Draw, evaluate, print figures beside limits; whether all were kept."""
    found = evaluated("warehouse", folder, model, n, seed)
    ceiling = grammar_ceiling(read(folder / "fresh"))
    print(f"ceiling of AA@1: {ceiling.expected:.3f} expected, {ceiling.oracle:.3f} for the oracle on these clips")
    return kept(found, {**LIMITS, "AA@1": ceiling.oracle - AA_MARGIN})


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
